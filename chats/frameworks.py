"""What agent frameworks keep about a conversation besides the messages that everybody reads.

Their values are kept as JSON *text*, exactly as they gave them: PostgreSQL's jsonb refuses `\\u0000` and reorders keys.
"""

from django.conf import settings
from django.db import models
from django.db.models import F


class AgentState(models.Model):
    """One framework's own view of one session: whose it is there, at which revision, and what the session carries."""

    session = models.ForeignKey("chats.ChatSession", models.CASCADE, related_name="agent_states")
    framework = models.CharField(max_length=20)
    kind = models.CharField(max_length=20, blank=True, help_text="agent, team or workflow, where that is told apart.")
    agent_id = models.CharField(max_length=255, blank=True)
    team_id = models.CharField(max_length=255, blank=True)
    workflow_id = models.CharField(max_length=255, blank=True)
    name = models.CharField(max_length=255, blank=True, help_text="What the framework calls the session.")
    # Whose it is in the framework's own words: a scope, a user id.
    scope = models.CharField(max_length=255, null=True, blank=True)  # noqa: DJ001 - no scope is not the scope ""
    revision = models.CharField(max_length=255, blank=True)
    # The shown branch's end when the revision was given: once the head is another, somebody else went on.
    head = models.UUIDField(null=True, blank=True)
    data = models.TextField(default="{}")
    created_at = models.BigIntegerField(null=True, blank=True, help_text="Unix seconds, as the framework gave them.")
    updated_at = models.BigIntegerField(null=True, blank=True, help_text="Unix seconds, as the framework gave them.")
    saved_at = models.DateTimeField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["session", "framework"], name="agent_state_once")]
        indexes = [
            models.Index(F("framework"), F("saved_at").desc(), name="agent_state_latest"),
            models.Index(fields=["framework", "scope", "-saved_at"], name="agent_state_in_scope"),
        ]

    def __str__(self) -> str:
        return f"{self.framework} {self.session_id}"


class AgentRun(models.Model):
    """One run of an Agno agent, team or workflow. Its messages stand in the conversation as well, for all to read."""

    session = models.ForeignKey("chats.ChatSession", models.CASCADE, related_name="agent_runs")
    run_id = models.CharField(max_length=255, db_index=True)
    run_index = models.PositiveIntegerField(null=True, blank=True)
    kind = models.CharField(max_length=20)
    status = models.CharField(max_length=40, blank=True)
    agent_id = models.CharField(max_length=255, blank=True)
    team_id = models.CharField(max_length=255, blank=True)
    workflow_id = models.CharField(max_length=255, blank=True)
    parent_run_id = models.CharField(max_length=255, blank=True)
    user_id = models.CharField(max_length=255, blank=True)
    data = models.TextField()
    # The last of the run's messages in the conversation, and how many they are.
    anchor = models.UUIDField(null=True, blank=True)
    span = models.PositiveIntegerField(default=0)
    shown = models.BooleanField(default=True, help_text="Whether it stands on the branch that is shown.")
    created_at = models.BigIntegerField(help_text="Unix seconds.")
    updated_at = models.BigIntegerField(help_text="Unix seconds.")

    class Meta:
        ordering = ["id"]
        constraints = [models.UniqueConstraint(fields=["session", "run_id"], name="agent_run_once")]
        indexes = [
            models.Index(fields=["session", "run_index", "created_at", "id"], name="agent_run_in_order"),
            models.Index(fields=["session", "anchor"], name="agent_run_by_anchor"),
            models.Index(fields=["status", "id"], name="agent_run_by_status"),
        ]

    def __str__(self) -> str:
        return f"{self.kind} run {self.run_id}"


class AgentEntry(models.Model):
    """The name that a framework gave a message where that could not be the message's own id."""

    message = models.OneToOneField("chats.Message", models.CASCADE, related_name="agent_entry")
    entry_id = models.CharField(max_length=255, db_index=True)

    def __str__(self) -> str:
        return self.entry_id


class AgentDocument(models.Model):
    """Something a framework keeps outside conversations: a memory, a learning, an evaluation. Goes with its owner."""

    framework = models.CharField(max_length=20)
    kind = models.CharField(max_length=40)
    key = models.CharField(max_length=255)
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.CASCADE, null=True, blank=True, related_name="agent_documents"
    )
    owner = models.CharField(max_length=255, blank=True, help_text="The user id as the framework spells it.")
    data = models.TextField()
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        ordering = ["id"]
        constraints = [models.UniqueConstraint(fields=["framework", "kind", "key"], name="agent_document_once")]
        indexes = [models.Index(fields=["framework", "kind", "owner"], name="agent_document_by_owner")]

    def __str__(self) -> str:
        return f"{self.kind} {self.key}"
