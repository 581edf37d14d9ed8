"""A person's list is counted and paged from the index alone."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("chats", "0006_search_texts_go_with_entries")]

    operations = [
        migrations.RemoveIndex("chatsession", "session_by_activity"),
        migrations.AddIndex(
            "chatsession",
            models.Index(
                fields=["user", "-last_activity_at", "-id"],
                include=("course", "deleted_at", "archived_at"),
                name="session_by_activity",
            ),
        ),
    ]
