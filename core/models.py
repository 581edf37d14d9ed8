from django.db import models
from knox.models import AbstractAuthToken


class ScheduledJob(models.Model):
    """A job of the background worker that is due once on `day`. The unique row is what makes it once."""

    job = models.CharField(max_length=100)
    day = models.DateField()
    enqueued_at = models.DateTimeField(auto_now_add=True)
    finished_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-day", "job"]
        constraints = [models.UniqueConstraint(fields=["job", "day"], name="job_once_a_day")]

    def __str__(self) -> str:
        return f"{self.job} on {self.day}"


class ApiToken(AbstractAuthToken):
    """A program's key to its owner's account. Only the digest is stored; the token itself is shown once."""

    name = models.CharField(max_length=100, blank=True)
    last_used_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        verbose_name = "API token"

    def __str__(self) -> str:
        return self.name or self.token_key
