"""What the site keeps for the people who run it: who read what, what was cleared away, and figures per day.

None of these rows refers to a conversation by a foreign key: they outlive the conversations that they speak of.
"""

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils import timezone

from courses.models import Course


class AccessLog(models.Model):
    """Somebody looked at, or took away, a conversation that is not their own."""

    class Action(models.TextChoices):
        VIEWED = "viewed"
        EXPORTED = "exported"
        ERASED = "erased"

    viewer = models.ForeignKey(settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="+")
    owner = models.ForeignKey(settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="+")
    session = models.UUIDField("conversation", db_index=True)
    action = models.CharField(max_length=20, choices=Action)
    text_shown = models.BooleanField(default=True, help_text="Whether the messages' text was shown.")
    at = models.DateTimeField(default=timezone.now, db_index=True)

    class Meta:
        verbose_name = "access to a conversation"
        verbose_name_plural = "access log"
        ordering = ["-at", "-id"]

    def __str__(self) -> str:
        return f"{self.viewer or 'a removed account'} {self.action} {self.session}"


class RetentionRun(models.Model):
    """One run of `cleanup_sessions`, by hand or by the daily job, and what it did."""

    started_at = models.DateTimeField(default=timezone.now, db_index=True)
    finished_at = models.DateTimeField(null=True, blank=True)
    scheduled = models.BooleanField(default=False, help_text="Run by the daily job, not by hand.")
    rules = models.JSONField(default=dict, help_text="The rules it followed.")
    soft_deleted = models.PositiveIntegerField(default=0)
    purged = models.PositiveIntegerField(default=0)
    messages = models.PositiveBigIntegerField(default=0, help_text="Messages that went with purged conversations.")
    by_course = models.JSONField(default=dict)
    error = models.TextField(blank=True)

    class Meta:
        ordering = ["-started_at", "-id"]

    def __str__(self) -> str:
        return f"{self.started_at:%Y-%m-%d %H:%M} UTC: {self.soft_deleted} deleted, {self.purged} purged"


class DailyFigures(models.Model):
    """What happened on a day (UTC): one row for the whole site, where `course` is empty, and one for each course."""

    day = models.DateField()
    course = models.ForeignKey(Course, models.CASCADE, null=True, blank=True, related_name="+")
    sessions = models.PositiveIntegerField(default=0)
    questions = models.PositiveIntegerField(default=0)
    students = models.PositiveIntegerField(default=0)
    replies = models.PositiveIntegerField(default=0)
    failed = models.PositiveIntegerField(default=0)
    prompt_tokens = models.PositiveBigIntegerField(default=0)
    completion_tokens = models.PositiveBigIntegerField(default=0)
    tokens_by_model = models.JSONField(default=dict, help_text="Model: [prompt tokens, completion tokens].")
    errors = models.JSONField(default=dict, help_text="Error code: replies that ended with it.")
    first_token_p50_ms = models.PositiveIntegerField(null=True)
    first_token_p95_ms = models.PositiveIntegerField(null=True)
    ingestion_failures = models.PositiveIntegerField(default=0)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        verbose_name_plural = "daily figures"
        ordering = ["day"]
        constraints = [
            models.UniqueConstraint(fields=["day", "course"], name="figures_once_per_day_and_course"),
            models.UniqueConstraint(fields=["day"], condition=Q(course__isnull=True), name="figures_once_per_day"),
        ]

    def __str__(self) -> str:
        return f"{self.day} {self.course or 'the whole site'}"
