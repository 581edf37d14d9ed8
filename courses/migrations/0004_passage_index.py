"""Full text over passages, kept in step by the database itself: a tsvector on PostgreSQL, an FTS5 table on SQLite.

A later migration that makes SQLite rebuild `courses_passage` (Django does so for most changes of a column) drops its
triggers: it has to make them again.
"""

from django.db import migrations

LANGUAGES = (
    "danish", "dutch", "english", "finnish", "french", "german", "italian", "norwegian", "portuguese", "russian",
    "spanish", "swedish",
)  # fmt: skip

POSTGRES = [
    f"""
    CREATE FUNCTION courses_search_configuration(language text) RETURNS regconfig LANGUAGE sql IMMUTABLE AS $$
        SELECT CASE WHEN language IN ({", ".join(f"'{name}'" for name in LANGUAGES)})
               THEN language::regconfig ELSE 'pg_catalog.simple'::regconfig END
    $$
    """,
    "ALTER TABLE courses_passage ADD COLUMN search tsvector",
    """
    CREATE FUNCTION courses_passage_index() RETURNS trigger LANGUAGE plpgsql AS $$
    DECLARE
        configuration regconfig;
    BEGIN
        SELECT courses_search_configuration(document.language) INTO configuration
        FROM courses_document document WHERE document.id = NEW.document_id;
        NEW.search := setweight(to_tsvector(configuration, NEW.search_heading), 'A')
                   || setweight(to_tsvector(configuration, NEW.search_text), 'D')
                   || array_to_tsvector(string_to_array(NEW.search_scope, ' '));
        RETURN NEW;
    END $$
    """,
    """
    CREATE TRIGGER courses_passage_index BEFORE INSERT OR UPDATE OF search_scope, search_heading, search_text
    ON courses_passage FOR EACH ROW EXECUTE FUNCTION courses_passage_index()
    """,
    "UPDATE courses_passage SET search_text = search_text",
    "CREATE INDEX courses_passage_search ON courses_passage USING gin (search)",
]
POSTGRES_BACK = [
    "DROP TRIGGER courses_passage_index ON courses_passage",
    "DROP FUNCTION courses_passage_index()",
    "ALTER TABLE courses_passage DROP COLUMN search",
    "DROP FUNCTION courses_search_configuration(text)",
]

# A table's implicit row numbers may change when it is vacuumed, so the index has numbers of its own. What an entry was
# made of must be told again to take it out: the FTS5 table keeps no text. The triggers read no other table, so that
# SQLite can rebuild those.
TAKE_OUT = """
    INSERT INTO courses_passage_index (courses_passage_index, rowid, scope, heading, body)
    SELECT 'delete', id, OLD.search_scope, OLD.search_heading, OLD.search_text
    FROM courses_passage_entry WHERE passage_id = OLD.id;
"""
PUT_IN = """
    INSERT INTO courses_passage_index (rowid, scope, heading, body)
    SELECT id, NEW.search_scope, NEW.search_heading, NEW.search_text
    FROM courses_passage_entry WHERE passage_id = NEW.id;
"""
SQLITE = [
    "CREATE TABLE courses_passage_entry (id integer PRIMARY KEY AUTOINCREMENT, passage_id char(32) NOT NULL UNIQUE)",
    """
    CREATE VIRTUAL TABLE courses_passage_index
    USING fts5(scope, heading, body, content='', tokenize='porter unicode61 remove_diacritics 2')
    """,
    f"""
    CREATE TRIGGER courses_passage_inserted AFTER INSERT ON courses_passage BEGIN
        INSERT INTO courses_passage_entry (passage_id) VALUES (NEW.id);
        {PUT_IN}
    END
    """,  # noqa: S608 - no values in it
    f"""
    CREATE TRIGGER courses_passage_changed AFTER UPDATE OF search_scope, search_heading, search_text ON courses_passage
    WHEN OLD.search_scope IS NOT NEW.search_scope OR OLD.search_heading IS NOT NEW.search_heading
      OR OLD.search_text IS NOT NEW.search_text BEGIN
        {TAKE_OUT}
        {PUT_IN}
    END
    """,
    f"""
    CREATE TRIGGER courses_passage_deleted AFTER DELETE ON courses_passage BEGIN
        {TAKE_OUT}
        DELETE FROM courses_passage_entry WHERE passage_id = OLD.id;
    END
    """,  # noqa: S608 - no values in it
    "INSERT INTO courses_passage_entry (passage_id) SELECT id FROM courses_passage",
    """
    INSERT INTO courses_passage_index (rowid, scope, heading, body)
    SELECT entry.id, passage.search_scope, passage.search_heading, passage.search_text
    FROM courses_passage_entry entry JOIN courses_passage passage ON passage.id = entry.passage_id
    """,
]
SQLITE_BACK = [
    "DROP TRIGGER courses_passage_inserted",
    "DROP TRIGGER courses_passage_changed",
    "DROP TRIGGER courses_passage_deleted",
    "DROP TABLE courses_passage_index",
    "DROP TABLE courses_passage_entry",
]


def make_index(apps, schema_editor):
    run(schema_editor, {"postgresql": POSTGRES, "sqlite": SQLITE})


def drop_index(apps, schema_editor):
    run(schema_editor, {"postgresql": POSTGRES_BACK, "sqlite": SQLITE_BACK})


def run(schema_editor, statements):
    for statement in statements[schema_editor.connection.vendor]:
        # No parameters at all: a percent sign would else be taken for one.
        schema_editor.execute(statement, params=None)


class Migration(migrations.Migration):
    dependencies = [("courses", "0003_passages_for_search")]

    operations = [migrations.RunPython(make_index, drop_index)]
