"""What the chats' API takes and gives, field by field, with an example of each."""

from typing import Any

from rest_framework import serializers

from chats.models import Message
from core.api.fields import (
    Body,
    FlagField,
    LongTextField,
    NameField,
    NumberField,
    ObjectField,
    Query,
    ShortListField,
    TextField,
    why_not_storable,
)
from core.api.pages import PageQuery

# More can be appended in several requests, or imported.
MOST_MESSAGES = 2000

ID = "0198c0de-7e57-7000-8000-000000000001"
SESSION = {
    "session_id": ID,
    "session_name": "Why the loss diverges",
    "course_id": ID,
    "description": "",
    "context_data": {},
    "metadata": {},
    "pinned": False,
    "archived": False,
    "is_active": True,
    "message_count": 2,
    "created_at": "2026-11-21T10:00:00Z",
    "updated_at": "2026-11-21T10:00:00Z",
    "last_activity_at": "2026-11-21T10:00:05Z",
    "running_reply_id": None,
    "external_id": None,
}
SOURCE = {
    "marker": 1,
    "document_id": ID,
    "passage_id": ID,
    "title": "Lecture 3: Gradient descent",
    "locator": {"page": 3},
    "quote": "Too large a rate diverges.",
    "url": f"/courses/{ID}/documents/{ID}?passage={ID}",
    "cited": True,
}
QUESTION: dict[str, Any] = {
    "id": ID,
    "role": "user",
    "content": "Why does it diverge?",
    "created_at": "2026-11-21T10:00:00Z",
    "state": "complete",
    "parent_id": None,
    "siblings": [ID],
    "sources": [],
    "tools_used": [],
    "model": "",
    "prompt_tokens": None,
    "completion_tokens": None,
    "processing_time_ms": None,
    "finish_reason": None,
    "reasoning": "",
    "has_error": False,
    "error_code": None,
    "error_message": None,
    "metadata": {},
    "feedback": None,
}
REPLY = {
    **QUESTION,
    "role": "assistant",
    "content": "The learning rate is too large [1].",
    "parent_id": ID,
    "sources": [SOURCE],
    "model": "gpt-5-mini",
    "prompt_tokens": 812,
    "completion_tokens": 64,
    "processing_time_ms": 1830,
    "finish_reason": "stop",
}
QUEUED = {**QUESTION, "role": "assistant", "content": "", "state": "queued", "parent_id": ID}
TURN = {"session_id": ID, "user_message": QUESTION, "assistant_message": QUEUED}


class SessionBody(Body):
    session_name = TextField(required=False, allow_null=True, allow_blank=True, max_length=200)
    description = TextField(required=False, allow_null=True, allow_blank=True, max_length=20_000)
    context_data = ObjectField(required=False, allow_null=True)
    metadata = ObjectField(required=False, allow_null=True)


class NewSessionBody(SessionBody):
    course_id = NameField(max_length=100, help_text="A course that you are enrolled in.")
    client_id = NameField(
        max_length=200, help_text="A name of your own for this request: sent again, it makes nothing."
    )
    external_id = NameField(max_length=255, help_text="Your own id of the session: it can be addressed by it.")


class SessionChanges(SessionBody):
    pinned = FlagField(required=False)
    archived = FlagField(required=False)


class SessionsQuery(PageQuery):
    course_id = NameField(max_length=100, help_text="Only of this course.")
    search = NameField(max_length=400, help_text='Words, "phrases" and begun words in messages and titles.')
    state = serializers.ChoiceField(choices=["active", "archived", "deleted", "all"], default="active")
    pinned = serializers.BooleanField(required=False, allow_null=True, default=None)


class SessionQuery(Query):
    include = serializers.ChoiceField(choices=["messages"], required=False, help_text="Adds the newest messages.")
    state = serializers.ChoiceField(
        choices=["active", "archived", "deleted", "all", "present"],
        default="present",
        help_text="A deleted session is there for `deleted` and `all` alone.",
    )


class DeleteQuery(Query):
    permanent = serializers.BooleanField(default=False, help_text="Remove it for good.")


class MessagesQuery(Query):
    limit = serializers.IntegerField(min_value=1, max_value=1000, default=200)
    before = serializers.CharField(required=False, help_text="A message id: only what came before it.")
    roles = serializers.ChoiceField(
        choices=["spoken", "all"], default="spoken", help_text="`all`: system and tool too."
    )


class EditQuery(Query):
    reply = serializers.BooleanField(required=False, help_text="False: don't answer the new wording.")


class BranchBody(Body):
    message_id = TextField(max_length=200)


class StopBody(Body):
    reply_id = NameField(max_length=100, help_text="Stop only if this is what runs.")


class RegenerateBody(Body):
    message_id = NameField(max_length=200, help_text="The answer or its question; default: the last.")
    client_id = NameField(max_length=200)


class EditBody(Body):
    content = LongTextField()
    client_id = NameField(max_length=200)
    reply = FlagField(required=False, help_text="False: don't answer the new wording.")


class FeedbackBody(Body):
    rating = NumberField(min_value=-1, max_value=1, help_text="0 takes the rating back.")
    comment = TextField(required=False, allow_null=True, allow_blank=True, max_length=5000)


class GivenMessage(serializers.Serializer[Any]):
    """A message as it is appended. What else a message has is ignored, so that one that was read can be sent back."""

    role = serializers.ChoiceField(choices=Message.Role.choices)
    content = LongTextField(allow_blank=True)
    metadata = ObjectField(required=False)
    tools_used = serializers.ListField(required=False, max_length=1000)
    model = TextField(required=False, allow_blank=True, allow_null=True, max_length=100)

    def validate_tools_used(self, value: list[Any]) -> list[Any]:
        if problem := why_not_storable(value):
            raise serializers.ValidationError(problem)
        return value


class ReplaceBody(Body):
    messages = ShortListField(child=GivenMessage(), max_length=MOST_MESSAGES)


class AppendBody(ReplaceBody):
    messages = ShortListField(child=GivenMessage(), max_length=MOST_MESSAGES, min_length=1)
    client_id = NameField(max_length=200)


class SourceData(serializers.Serializer[Any]):
    marker = serializers.IntegerField()
    document_id = serializers.UUIDField(allow_null=True)
    passage_id = serializers.UUIDField(allow_null=True)
    title = serializers.CharField()
    locator = serializers.DictField(help_text="The known ones of page, slide, start_seconds and heading.")
    quote = serializers.CharField()
    url = serializers.CharField(allow_null=True)
    cited = serializers.BooleanField(
        allow_null=True, help_text="Whether the finished text used it; null while running."
    )


class RatingData(serializers.Serializer[Any]):
    rating = serializers.IntegerField()
    comment = serializers.CharField()


class MessageData(serializers.Serializer[Any]):
    id = serializers.UUIDField()
    role = serializers.ChoiceField(choices=Message.Role.choices)
    content = serializers.CharField()
    created_at = serializers.DateTimeField()
    state = serializers.ChoiceField(choices=Message.State.choices)
    parent_id = serializers.UUIDField(allow_null=True)
    siblings = serializers.ListField(child=serializers.UUIDField())
    sources = SourceData(many=True)
    tools_used = serializers.ListField()
    model = serializers.CharField()
    prompt_tokens = serializers.IntegerField(allow_null=True)
    completion_tokens = serializers.IntegerField(allow_null=True)
    processing_time_ms = serializers.IntegerField(allow_null=True)
    finish_reason = serializers.CharField(allow_null=True)
    reasoning = serializers.CharField()
    has_error = serializers.BooleanField()
    error_code = serializers.CharField(allow_null=True)
    error_message = serializers.CharField(allow_null=True)
    metadata = serializers.DictField()
    feedback = RatingData(allow_null=True)


class HitData(serializers.Serializer[Any]):
    message_id = serializers.UUIDField()
    role = serializers.CharField()
    created_at = serializers.DateTimeField()
    snippet = serializers.CharField(help_text="Escaped HTML; what matched is inside <mark>.")


class SessionData(serializers.Serializer[Any]):
    session_id = serializers.UUIDField()
    session_name = serializers.CharField()
    course_id = serializers.UUIDField(allow_null=True)
    description = serializers.CharField()
    context_data = serializers.DictField()
    metadata = serializers.DictField()
    pinned = serializers.BooleanField()
    archived = serializers.BooleanField()
    is_active = serializers.BooleanField()
    message_count = serializers.IntegerField()
    created_at = serializers.DateTimeField()
    updated_at = serializers.DateTimeField()
    last_activity_at = serializers.DateTimeField()
    running_reply_id = serializers.UUIDField(allow_null=True)
    external_id = serializers.CharField(allow_null=True)
    messages = MessageData(many=True, required=False, help_text="With `include=messages`.")


class FoundSessionData(SessionData):
    name_snippet = serializers.CharField(required=False, help_text="With `search`: the name, escaped and marked.")
    hits = HitData(many=True, required=False, help_text="With `search`: the messages that match best.")


class SessionListData(serializers.Serializer[Any]):
    sessions = FoundSessionData(many=True)
    total = serializers.IntegerField()
    page = serializers.IntegerField()
    limit = serializers.IntegerField()


class MessageListData(serializers.Serializer[Any]):
    messages = MessageData(many=True)


class TurnData(serializers.Serializer[Any]):
    session_id = serializers.UUIDField()
    user_message = MessageData()
    assistant_message = MessageData(allow_null=True)


class NameData(serializers.Serializer[Any]):
    session_name = serializers.CharField()


class UsageData(serializers.Serializer[Any]):
    tokens_today = serializers.IntegerField(help_text="Settled: what today's replies took (UTC).")
    reserved_tokens = serializers.IntegerField(help_text="Held for replies that run.")
    quota = serializers.IntegerField(allow_null=True, help_text="Tokens a day; null: none.")
    remaining = serializers.IntegerField(allow_null=True)
    resets_at = serializers.DateTimeField()


class CourseUsageData(UsageData):
    course_id = serializers.UUIDField()


class MyUsageData(UsageData):
    courses = CourseUsageData(many=True, help_text="Courses with a quota of their own, counted by themselves.")
