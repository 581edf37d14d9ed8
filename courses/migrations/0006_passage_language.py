"""On PostgreSQL a document whose language isn't known is indexed in its course's, which it is searched in too; and what
is indexed stands in the row itself, where ranking a thousand passages is several times as quick.
"""

from django.db import migrations

INDEX = """
    CREATE OR REPLACE FUNCTION courses_passage_index() RETURNS trigger LANGUAGE plpgsql AS $$
    DECLARE
        configuration regconfig;
    BEGIN
        SELECT courses_search_configuration({language}) INTO configuration
        FROM courses_document document JOIN courses_course course ON course.id = document.course_id
        WHERE document.id = NEW.document_id;
        NEW.search := setweight(to_tsvector(configuration, NEW.search_heading), 'A')
                   || setweight(to_tsvector(configuration, NEW.search_text), 'D')
                   || array_to_tsvector(string_to_array(NEW.search_scope, ' '));
        RETURN NEW;
    END $$
"""
AGAIN = "UPDATE courses_passage SET search_text = search_text"


def index_in_course_language(apps, schema_editor):
    index(schema_editor, "coalesce(nullif(document.language, ''), course.language)", "MAIN")


def index_in_document_language(apps, schema_editor):
    index(schema_editor, "document.language", "EXTENDED")


def index(schema_editor, language, storage):
    if schema_editor.connection.vendor == "postgresql":
        schema_editor.execute(INDEX.format(language=language), params=None)
        schema_editor.execute(f"ALTER TABLE courses_passage ALTER COLUMN search SET STORAGE {storage}", params=None)
        schema_editor.execute(AGAIN, params=None)


class Migration(migrations.Migration):
    dependencies = [("courses", "0005_passage_vectors")]

    operations = [migrations.RunPython(index_in_course_language, index_in_document_language)]
