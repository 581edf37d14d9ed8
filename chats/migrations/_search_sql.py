"""The statements that keep what can be searched. Kept apart because a later migration may have to run them again.

SQLite drops a table's triggers when Django rebuilds the table (for AlterField and the like), so a migration that does
so ends with `migrations.RunPython(_search_sql.install, _search_sql.leave)`. No trigger names another table that Django
may rebuild: SQLite refuses to rename a table while a trigger elsewhere speaks of it.
"""

from typing import Any

# What separates words besides spaces, as ranges of code points: ASCII and general punctuation, symbols, emoji.
# `chats.search.terms` has the same list. It is spelled out because what a database takes for a letter depends on its locale.
POSTGRES_SEPARATORS = (
    r"[\u0001-\u002f\u003a-\u0040\u005b-\u0060\u007b-\u00a9\u00ab-\u00b4\u00b6-\u00b9\u00bb-\u00bf\u00d7\u00f7"
    r"\u2000-\u206f\u20a0-\u20cf\u2190-\u2bff\u2e00-\u2e7f\u3000-\u303f\ufe10-\ufe6f\uff00-\uff0f"
    r"\U0001f000-\U0001faff]+"
)

# A tsvector holds at most a megabyte, so the first 100,000 characters of a text are indexed.
POSTGRES = [
    rf"""
    CREATE OR REPLACE FUNCTION chats_search_fold(given text) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
        SELECT left(
            regexp_replace(
                regexp_replace(normalize(lower(left(given, 100000)), NFKD), '[\u0300-\u036f]', '', 'g'),
                '{POSTGRES_SEPARATORS}', ' ', 'g'
            ),
            100000
        )
    $$
    """,
    # The owner stands in the vector as a lexeme that no text has, so that one index scan asks for both.
    """
    CREATE OR REPLACE FUNCTION chats_search_document(owner integer, given text) RETURNS tsvector
    LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
        SELECT array_to_tsvector(ARRAY[':' || owner]) || to_tsvector('simple', chats_search_fold(given))
    $$
    """,
    "ALTER TABLE chats_searchentry ADD COLUMN IF NOT EXISTS document tsvector",
    "CREATE INDEX IF NOT EXISTS chats_searchentry_document ON chats_searchentry USING gin (document)",
    """
    CREATE OR REPLACE FUNCTION chats_search_add_messages() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        INSERT INTO chats_searchentry (user_id, session_id, message_id, written_at, document)
        SELECT s.user_id, m.session_id, m.id, m.created_at, chats_search_document(s.user_id, m.content)
        FROM added m JOIN chats_chatsession s ON s.id = m.session_id
        WHERE m.role IN ('user', 'assistant') AND m.content <> '' AND m.deleted_at IS NULL;
        RETURN NULL;
    END
    $$
    """,
    """
    CREATE OR REPLACE FUNCTION chats_search_change_message() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        DELETE FROM chats_searchentry WHERE message_id = NEW.id;
        INSERT INTO chats_searchentry (user_id, session_id, message_id, written_at, document)
        SELECT s.user_id, NEW.session_id, NEW.id, NEW.created_at, chats_search_document(s.user_id, NEW.content)
        FROM chats_chatsession s
        WHERE s.id = NEW.session_id
            AND NEW.role IN ('user', 'assistant') AND NEW.content <> '' AND NEW.deleted_at IS NULL;
        RETURN NULL;
    END
    $$
    """,
    """
    CREATE OR REPLACE FUNCTION chats_search_remove_messages() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        DELETE FROM chats_searchentry WHERE message_id IN (SELECT id FROM removed);
        RETURN NULL;
    END
    $$
    """,
    """
    CREATE OR REPLACE FUNCTION chats_search_add_sessions() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        INSERT INTO chats_searchentry (user_id, session_id, written_at, document)
        SELECT s.user_id, s.id, s.created_at, chats_search_document(s.user_id, s.title) FROM added s;
        RETURN NULL;
    END
    $$
    """,
    """
    CREATE OR REPLACE FUNCTION chats_search_change_session() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        UPDATE chats_searchentry SET user_id = NEW.user_id, document = chats_search_document(NEW.user_id, NEW.title)
        WHERE session_id = NEW.id AND message_id IS NULL;
        IF NEW.user_id <> OLD.user_id THEN
            UPDATE chats_searchentry e
            SET user_id = NEW.user_id, document = chats_search_document(NEW.user_id, m.content)
            FROM chats_message m WHERE e.session_id = NEW.id AND m.id = e.message_id;
        END IF;
        RETURN NULL;
    END
    $$
    """,
    """
    CREATE OR REPLACE FUNCTION chats_search_remove_sessions() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        DELETE FROM chats_searchentry WHERE session_id IN (SELECT id FROM removed);
        RETURN NULL;
    END
    $$
    """,
    """
    CREATE OR REPLACE TRIGGER chats_search_message_added AFTER INSERT ON chats_message
    REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION chats_search_add_messages()
    """,
    """
    CREATE OR REPLACE TRIGGER chats_search_message_changed AFTER UPDATE ON chats_message FOR EACH ROW
    WHEN ((OLD.content, OLD.role, OLD.deleted_at) IS DISTINCT FROM (NEW.content, NEW.role, NEW.deleted_at))
    EXECUTE FUNCTION chats_search_change_message()
    """,
    """
    CREATE OR REPLACE TRIGGER chats_search_message_removed AFTER DELETE ON chats_message
    REFERENCING OLD TABLE AS removed FOR EACH STATEMENT EXECUTE FUNCTION chats_search_remove_messages()
    """,
    """
    CREATE OR REPLACE TRIGGER chats_search_session_added AFTER INSERT ON chats_chatsession
    REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION chats_search_add_sessions()
    """,
    """
    CREATE OR REPLACE TRIGGER chats_search_session_changed AFTER UPDATE ON chats_chatsession FOR EACH ROW
    WHEN ((OLD.title, OLD.user_id) IS DISTINCT FROM (NEW.title, NEW.user_id))
    EXECUTE FUNCTION chats_search_change_session()
    """,
    """
    CREATE OR REPLACE TRIGGER chats_search_session_removed AFTER DELETE ON chats_chatsession
    REFERENCING OLD TABLE AS removed FOR EACH STATEMENT EXECUTE FUNCTION chats_search_remove_sessions()
    """,
    "DELETE FROM chats_searchentry",
    """
    INSERT INTO chats_searchentry (user_id, session_id, written_at, document)
    SELECT user_id, id, created_at, chats_search_document(user_id, title) FROM chats_chatsession
    """,
    """
    INSERT INTO chats_searchentry (user_id, session_id, message_id, written_at, document)
    SELECT s.user_id, m.session_id, m.id, m.created_at, chats_search_document(s.user_id, m.content)
    FROM chats_message m JOIN chats_chatsession s ON s.id = m.session_id
    WHERE m.role IN ('user', 'assistant') AND m.content <> '' AND m.deleted_at IS NULL ORDER BY m.id
    """,
]

POSTGRES_AWAY = [
    *(
        f"DROP TRIGGER IF EXISTS chats_search_{noun}_{verb} ON chats_{table}"
        for noun, table in (("message", "message"), ("session", "chatsession"))
        for verb in ("added", "changed", "removed")
    ),
    *(
        f"DROP FUNCTION IF EXISTS chats_search_{verb}_{noun}()"
        for verb, noun in (
            ("add", "messages"), ("change", "message"), ("remove", "messages"),
            ("add", "sessions"), ("change", "session"), ("remove", "sessions"),
        )
    ),
    "DROP FUNCTION IF EXISTS chats_search_document(integer, text)",
    "DROP FUNCTION IF EXISTS chats_search_fold(text)",
    "DROP INDEX IF EXISTS chats_searchentry_document",
    "ALTER TABLE chats_searchentry DROP COLUMN IF EXISTS document",
]  # fmt: skip

# A session's title row always exists, so that the triggers on messages learn from it whose they are.
_SQLITE_ADD_MESSAGE = """
    INSERT INTO chats_searchentry (user_id, session_id, message_id, written_at)
    SELECT e.user_id, NEW.session_id, NEW.id, NEW.created_at
    FROM chats_searchentry e WHERE e.session_id = NEW.session_id AND e.message_id IS NULL
        AND NEW.role IN ('user', 'assistant') AND NEW.content <> '' AND NEW.deleted_at IS NULL;
    INSERT INTO chats_searchtext (rowid, owner, body)
    SELECT e.id, e.user_id, substr(NEW.content, 1, 100000) FROM chats_searchentry e WHERE e.message_id = NEW.id;
"""
_SQLITE_REMOVE_MESSAGE = """
    DELETE FROM chats_searchtext WHERE rowid = (SELECT e.id FROM chats_searchentry e WHERE e.message_id = OLD.id);
    DELETE FROM chats_searchentry WHERE message_id = OLD.id;
"""

SQLITE = [
    """
    CREATE VIRTUAL TABLE IF NOT EXISTS chats_searchtext
    USING fts5(owner, body, tokenize = "unicode61 remove_diacritics 2", prefix = '2 3')
    """,
    f"""
    CREATE TRIGGER IF NOT EXISTS chats_search_message_added AFTER INSERT ON chats_message BEGIN
        {_SQLITE_ADD_MESSAGE}
    END
    """,
    f"""
    CREATE TRIGGER IF NOT EXISTS chats_search_message_changed AFTER UPDATE ON chats_message
    WHEN OLD.content IS NOT NEW.content OR OLD.role IS NOT NEW.role OR OLD.deleted_at IS NOT NEW.deleted_at BEGIN
        {_SQLITE_REMOVE_MESSAGE}
        {_SQLITE_ADD_MESSAGE}
    END
    """,
    f"""
    CREATE TRIGGER IF NOT EXISTS chats_search_message_removed AFTER DELETE ON chats_message BEGIN
        {_SQLITE_REMOVE_MESSAGE}
    END
    """,
    # However an entry goes, by `flush` as well: a text left behind would be in the way of the next of that number.
    """
    CREATE TRIGGER IF NOT EXISTS chats_search_entry_removed AFTER DELETE ON chats_searchentry BEGIN
        DELETE FROM chats_searchtext WHERE rowid = OLD.id;
    END
    """,
    """
    CREATE TRIGGER IF NOT EXISTS chats_search_session_added AFTER INSERT ON chats_chatsession BEGIN
        INSERT INTO chats_searchentry (user_id, session_id, written_at) VALUES (NEW.user_id, NEW.id, NEW.created_at);
        INSERT INTO chats_searchtext (rowid, owner, body)
        SELECT e.id, e.user_id, NEW.title FROM chats_searchentry e
        WHERE e.session_id = NEW.id AND e.message_id IS NULL;
    END
    """,
    """
    CREATE TRIGGER IF NOT EXISTS chats_search_session_changed AFTER UPDATE ON chats_chatsession
    WHEN OLD.title IS NOT NEW.title OR OLD.user_id IS NOT NEW.user_id BEGIN
        UPDATE chats_searchtext SET body = NEW.title
        WHERE rowid = (SELECT e.id FROM chats_searchentry e WHERE e.session_id = NEW.id AND e.message_id IS NULL);
        UPDATE chats_searchtext SET owner = NEW.user_id
        WHERE OLD.user_id IS NOT NEW.user_id
            AND rowid IN (SELECT e.id FROM chats_searchentry e WHERE e.session_id = NEW.id);
        UPDATE chats_searchentry SET user_id = NEW.user_id
        WHERE OLD.user_id IS NOT NEW.user_id AND session_id = NEW.id;
    END
    """,
    """
    CREATE TRIGGER IF NOT EXISTS chats_search_session_removed AFTER DELETE ON chats_chatsession BEGIN
        DELETE FROM chats_searchtext
        WHERE rowid IN (SELECT e.id FROM chats_searchentry e WHERE e.session_id = OLD.id);
        DELETE FROM chats_searchentry WHERE session_id = OLD.id;
    END
    """,
    "DELETE FROM chats_searchtext",
    "DELETE FROM chats_searchentry",
    """
    INSERT INTO chats_searchentry (user_id, session_id, written_at) SELECT user_id, id, created_at FROM chats_chatsession
    """,
    """
    INSERT INTO chats_searchentry (user_id, session_id, message_id, written_at)
    SELECT s.user_id, m.session_id, m.id, m.created_at
    FROM chats_message m JOIN chats_chatsession s ON s.id = m.session_id
    WHERE m.role IN ('user', 'assistant') AND m.content <> '' AND m.deleted_at IS NULL ORDER BY m.id
    """,
    """
    INSERT INTO chats_searchtext (rowid, owner, body)
    SELECT e.id, e.user_id, substr(coalesce(m.content, s.title), 1, 100000)
    FROM chats_searchentry e JOIN chats_chatsession s ON s.id = e.session_id
    LEFT JOIN chats_message m ON m.id = e.message_id
    """,
]

SQLITE_AWAY = [
    "DROP TRIGGER IF EXISTS chats_search_entry_removed",
    *(
        f"DROP TRIGGER IF EXISTS chats_search_{noun}_{verb}"
        for noun in ("message", "session")
        for verb in ("added", "changed", "removed")
    ),
    "DROP TABLE IF EXISTS chats_searchtext",
]


def install(apps: Any, schema_editor: Any) -> None:
    """Make what is missing and index all that is there."""
    _run(schema_editor, POSTGRES if schema_editor.connection.vendor == "postgresql" else SQLITE)


def remove(apps: Any, schema_editor: Any) -> None:
    _run(schema_editor, POSTGRES_AWAY if schema_editor.connection.vendor == "postgresql" else SQLITE_AWAY)


def leave(apps: Any, schema_editor: Any) -> None:
    """Going back past a repair changes nothing."""


def _run(schema_editor: Any, statements: list[str]) -> None:

    with schema_editor.connection.cursor() as cursor:
        for statement in statements:
            cursor.execute(statement)
