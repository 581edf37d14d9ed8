"""Other programs look a session up by the name that they gave it, whosever it is."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("chats", "0008_operators_lists_by_index")]

    operations = [
        migrations.AddIndex(
            "chatsession",
            models.Index(
                fields=["external_id"],
                condition=models.Q(external_id__isnull=False),
                name="session_external_id",
            ),
        ),
    ]
