"""On SQLite a searchable text goes with its entry however that is removed: `flush` left it behind."""

from typing import Any

from django.db import migrations

from chats.migrations import _search_sql


def install(apps: Any, schema_editor: Any) -> None:
    if schema_editor.connection.vendor != "sqlite":
        return
    with schema_editor.connection.cursor() as cursor:
        cursor.execute(next(one for one in _search_sql.SQLITE if "chats_search_entry_removed" in one))
        cursor.execute("DELETE FROM chats_searchtext WHERE rowid NOT IN (SELECT id FROM chats_searchentry)")


def remove(apps: Any, schema_editor: Any) -> None:
    if schema_editor.connection.vendor == "sqlite":
        schema_editor.execute("DROP TRIGGER IF EXISTS chats_search_entry_removed")


class Migration(migrations.Migration):
    dependencies = [("chats", "0005_agent_runs_on_branches")]

    operations = [migrations.RunPython(install, remove)]
