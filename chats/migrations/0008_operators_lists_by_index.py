"""Operators find what was rated down, and a reply by its provider's request id, without reading every row."""

from django.db import migrations, models
from django.db.models import Q


class Migration(migrations.Migration):
    dependencies = [("chats", "0007_lists_by_index")]

    operations = [
        migrations.AddIndex("feedback", models.Index(fields=["-id"], name="feedback_down", condition=Q(rating=-1))),
        migrations.AddIndex(
            "replyattempt",
            models.Index(fields=["request_id"], name="attempt_by_request", condition=~Q(request_id="")),
        ),
    ]
