"""A conversation: its messages in branches, the replies being made, and what they stand on."""

from django.conf import settings
from django.db import models
from django.db.models import F, Q
from django.utils import timezone

from chats.frameworks import AgentDocument, AgentEntry, AgentRun, AgentState
from chats.querysets import ChatSessionQuerySet, MessageQuerySet
from chats.records import AccessLog, DailyFigures, RetentionRun
from core.ids import uuid7
from courses.models import Course, Document, Passage

__all__ = [
    "RUNNING",
    "AccessLog",
    "AgentDocument",
    "AgentEntry",
    "AgentRun",
    "AgentState",
    "ChatSession",
    "Citation",
    "DailyFigures",
    "Feedback",
    "Message",
    "ReplyAttempt",
    "ReplyChunk",
    "RetentionRun",
    "Runner",
    "SearchEntry",
    "Usage",
]

RUNNING = ["queued", "streaming"]


class ChatSession(models.Model):
    class TitleSource(models.TextChoices):
        NONE = "", "no title yet"
        QUESTION = "question", "the first question"
        MODEL = "model", "written by the model"
        USER = "user", "chosen by a person"
        IMPORT = "import", "came with an import"

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="chat_sessions")
    course = models.ForeignKey(Course, models.SET_NULL, null=True, blank=True, related_name="chat_sessions")
    client_id = models.CharField(max_length=200, null=True, blank=True)  # noqa: DJ001 - absent is not empty
    external_id = models.CharField(max_length=255, null=True, blank=True)  # noqa: DJ001 - absent is not empty
    external_user_id = models.CharField(max_length=255, blank=True, default="")
    title = models.CharField(max_length=200, blank=True)
    title_source = models.CharField(max_length=20, choices=TitleSource, blank=True, default=TitleSource.NONE)
    description = models.TextField(blank=True)
    context_data = models.JSONField(default=dict, blank=True)
    metadata = models.JSONField(default=dict, blank=True)
    head = models.ForeignKey("Message", models.SET_NULL, null=True, blank=True, related_name="+")
    deleted_at = models.DateTimeField(null=True, blank=True)
    pinned_at = models.DateTimeField(null=True, blank=True)
    archived_at = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    updated_at = models.DateTimeField(auto_now=True)
    last_activity_at = models.DateTimeField(default=timezone.now)

    objects = ChatSessionQuerySet.as_manager()

    class Meta:
        verbose_name = "conversation"
        ordering = ["-last_activity_at", "-id"]
        constraints = [
            models.UniqueConstraint(fields=["user", "client_id"], name="session_client_id_once"),
            models.UniqueConstraint(
                fields=["user", "external_user_id", "external_id"], name="session_external_id_once"
            ),
        ]
        indexes = [
            # A person's list, counted and paged without reading the rows: what it asks for is in the index.
            models.Index(
                fields=["user", "-last_activity_at", "-id"],
                include=["course", "deleted_at", "archived_at"],
                name="session_by_activity",
            ),
            models.Index(F("last_activity_at").desc(), F("id").desc(), name="session_latest"),
            models.Index(fields=["last_activity_at"], name="session_idle", condition=Q(deleted_at__isnull=True)),
            models.Index(fields=["deleted_at"], name="session_deleted", condition=Q(deleted_at__isnull=False)),
            # Other programs look a session up by the name that they gave it, whosever it is.
            models.Index(fields=["external_id"], name="session_external_id", condition=Q(external_id__isnull=False)),
        ]

    def __str__(self) -> str:
        return self.title or "New chat"

    @property
    def is_active(self) -> bool:
        return self.deleted_at is None


class Message(models.Model):
    """One message. Messages form a tree by `parent`; the session's `head` says which branch is shown."""

    class Role(models.TextChoices):
        SYSTEM = "system"
        USER = "user"
        ASSISTANT = "assistant"
        TOOL = "tool"

    class State(models.TextChoices):
        QUEUED = "queued"
        STREAMING = "streaming"
        COMPLETE = "complete"
        STOPPED = "stopped"
        FAILED = "failed"

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    session = models.ForeignKey(ChatSession, models.CASCADE, related_name="messages")
    # Rows go with their session, all at once, so that no cascade walks down a branch message by message.
    parent = models.ForeignKey("self", models.DO_NOTHING, null=True, blank=True, related_name="children")
    # How many messages by people and the tutor stand on the branch up to and with this one.
    ordinal = models.PositiveIntegerField(default=0)
    role = models.CharField(max_length=20, choices=Role)
    content = models.TextField(blank=True)
    reasoning = models.TextField(blank=True)
    state = models.CharField(max_length=20, choices=State, default=State.COMPLETE)
    client_id = models.CharField(max_length=200, null=True, blank=True)  # noqa: DJ001 - absent is not empty
    attempt = models.PositiveIntegerField(default=0)
    # No constraint: the rows of runners that died are swept, and the message still says who ran it.
    runner = models.ForeignKey(
        "Runner", models.DO_NOTHING, null=True, blank=True, db_constraint=False, related_name="replies"
    )
    stop_requested_at = models.DateTimeField(null=True, blank=True)
    raw = models.TextField(blank=True, help_text="A framework's own item, the JSON text exactly as it gave it.")
    raw_format = models.CharField(max_length=40, blank=True)
    metadata = models.JSONField(default=dict, blank=True)
    tools_used = models.JSONField(default=list, blank=True)
    model = models.CharField(max_length=100, blank=True)
    prompt_tokens = models.PositiveIntegerField(null=True, blank=True)
    completion_tokens = models.PositiveIntegerField(null=True, blank=True)
    reserved_tokens = models.PositiveIntegerField(default=0, help_text="Held against the quota until it has ended.")
    processing_time_ms = models.PositiveIntegerField(null=True, blank=True)
    finish_reason = models.CharField(max_length=20, blank=True)
    error_code = models.CharField(max_length=40, blank=True)
    error_message = models.TextField(blank=True)
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    started_at = models.DateTimeField(null=True, blank=True)
    first_token_at = models.DateTimeField(null=True, blank=True)
    finished_at = models.DateTimeField(null=True, blank=True)
    deleted_at = models.DateTimeField(null=True, blank=True)

    objects = MessageQuerySet.as_manager()

    class Meta:
        ordering = ["id"]
        permissions = [("view_message_text", "Can read the text of messages while HIDE_MESSAGE_TEXT is on")]
        constraints = [
            models.UniqueConstraint(fields=["session", "client_id"], name="message_client_id_once"),
            models.UniqueConstraint(
                fields=["session"], condition=Q(state__in=RUNNING), name="one_running_reply_per_session"
            ),
            models.CheckConstraint(
                condition=Q(role__in=["system", "user", "assistant", "tool"]), name="message_role_known"
            ),
            models.CheckConstraint(
                condition=Q(state__in=["queued", "streaming", "complete", "stopped", "failed"]),
                name="message_state_known",
            ),
            models.CheckConstraint(condition=Q(role="assistant") | Q(state="complete"), name="only_replies_run"),
        ]
        indexes = [
            models.Index(fields=["state", "runner"], name="message_running", condition=Q(state__in=RUNNING)),
            models.Index(fields=["session", "id"], name="message_by_session"),
            models.Index(fields=["session"], name="message_failed", condition=Q(state="failed")),
        ]

    def __str__(self) -> str:
        return f"{self.role} {self.id}"

    @property
    def is_running(self) -> bool:
        return self.state in RUNNING


class Runner(models.Model):
    """A process that makes replies. It holds them while its heartbeat goes on."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    host = models.CharField(max_length=255)
    pid = models.PositiveIntegerField()
    started_at = models.DateTimeField(auto_now_add=True)
    heartbeat_at = models.DateTimeField(db_index=True)

    def __str__(self) -> str:
        return f"{self.host} {self.pid}"


class ReplyChunk(models.Model):
    """A piece of a running reply's text. `offset` counts the code points before it within its attempt and kind."""

    class Kind(models.TextChoices):
        TEXT = "text"
        REASONING = "reasoning"

    reply = models.ForeignKey(Message, models.CASCADE, related_name="chunks")
    attempt = models.PositiveIntegerField()
    kind = models.CharField(max_length=10, choices=Kind)
    offset = models.PositiveIntegerField()
    text = models.TextField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["reply", "attempt", "kind", "offset"], name="chunk_once"),
        ]

    def __str__(self) -> str:
        return f"{self.reply_id}/{self.attempt} {self.kind} at {self.offset}"


class ReplyAttempt(models.Model):
    """One run of a reply, for those who ask later what happened: who ran it, what was sent, how it ended."""

    reply = models.ForeignKey(Message, models.CASCADE, related_name="attempts")
    attempt = models.PositiveIntegerField()
    runner = models.UUIDField()
    runner_name = models.CharField(max_length=300, blank=True)
    started_at = models.DateTimeField(default=timezone.now)
    first_token_at = models.DateTimeField(null=True, blank=True)
    finished_at = models.DateTimeField(null=True, blank=True)
    outcome = models.CharField(max_length=20, blank=True)
    error_code = models.CharField(max_length=40, blank=True)
    request_id = models.CharField(max_length=200, blank=True)
    prompt = models.JSONField(default=list, blank=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["reply", "attempt"], name="attempt_once")]
        indexes = [models.Index(fields=["request_id"], name="attempt_by_request", condition=~Q(request_id=""))]

    def __str__(self) -> str:
        return f"{self.reply_id} attempt {self.attempt}"


class Citation(models.Model):
    """A passage that was given to the model, as it was then. `cited` says whether the finished text used it."""

    message = models.ForeignKey(Message, models.CASCADE, related_name="citations")
    marker = models.PositiveIntegerField()
    passage = models.ForeignKey(Passage, models.SET_NULL, null=True, blank=True, related_name="+")
    document = models.ForeignKey(Document, models.SET_NULL, null=True, blank=True, related_name="+")
    course = models.ForeignKey(Course, models.SET_NULL, null=True, blank=True, related_name="+")
    cited = models.BooleanField(null=True, blank=True)
    quote = models.TextField()
    document_title = models.CharField(max_length=300)
    page = models.PositiveIntegerField(null=True, blank=True)
    slide = models.PositiveIntegerField(null=True, blank=True)
    start_seconds = models.FloatField(null=True, blank=True)
    heading = models.CharField(max_length=500, blank=True)
    score = models.FloatField(null=True, blank=True)

    class Meta:
        ordering = ["message", "marker"]
        constraints = [models.UniqueConstraint(fields=["message", "marker"], name="citation_marker_once")]

    def __str__(self) -> str:
        return f"[{self.marker}] {self.document_title}"


class Feedback(models.Model):
    message = models.OneToOneField(Message, models.CASCADE, related_name="feedback")
    rating = models.SmallIntegerField()
    comment = models.TextField(blank=True)
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        constraints = [models.CheckConstraint(condition=Q(rating__in=[-1, 1]), name="feedback_up_or_down")]
        indexes = [models.Index(fields=["-id"], name="feedback_down", condition=Q(rating=-1))]

    def __str__(self) -> str:
        return f"{self.rating:+d} on {self.message_id}"


class SearchEntry(models.Model):
    """One searchable text: a message, or without `message` its session's title.

    The database keeps these rows itself, by triggers, in the transaction that writes the message; beside them stand a
    tsvector column on PostgreSQL and the table `chats_searchtext` (FTS5) on SQLite. Nothing else writes them.
    """

    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.DO_NOTHING, db_constraint=False, db_index=False, related_name="+"
    )
    session = models.ForeignKey(ChatSession, models.DO_NOTHING, db_constraint=False, related_name="+")
    message = models.OneToOneField(
        Message, models.DO_NOTHING, null=True, blank=True, db_constraint=False, related_name="+"
    )
    written_at = models.DateTimeField()

    class Meta:
        indexes = [models.Index(F("user"), F("written_at").desc(), name="search_newest")]
        constraints = [
            models.UniqueConstraint(fields=["session"], condition=Q(message__isnull=True), name="search_title_once"),
        ]

    def __str__(self) -> str:
        return f"text of {self.message_id or self.session_id}"


class Usage(models.Model):
    """What a person used in a course on a day (UTC). Rows without a course count what is in none."""

    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="usage")
    course = models.ForeignKey(Course, models.CASCADE, null=True, blank=True, related_name="usage")
    day = models.DateField()
    questions = models.PositiveIntegerField(default=0)
    prompt_tokens = models.PositiveBigIntegerField(default=0)
    completion_tokens = models.PositiveBigIntegerField(default=0)
    reserved_tokens = models.PositiveBigIntegerField(default=0)

    class Meta:
        verbose_name_plural = "usage"
        constraints = [
            models.UniqueConstraint(fields=["user", "course", "day"], name="usage_once_per_course_and_day"),
            models.UniqueConstraint(
                fields=["user", "day"],
                condition=Q(course__isnull=True),
                name="usage_once_per_day_without_course",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.user} on {self.day}"
