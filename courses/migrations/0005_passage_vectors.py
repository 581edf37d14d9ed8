"""Vectors move from the passage to a table of their own: writing one no longer writes its passage's text and index."""

import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("courses", "0004_passage_index")]

    operations = [
        migrations.CreateModel(
            name="PassageVector",
            fields=[
                (
                    "passage",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.CASCADE,
                        primary_key=True,
                        related_name="vector",
                        serialize=False,
                        to="courses.passage",
                    ),
                ),
                ("model", models.CharField(max_length=100)),
                ("text_hash", models.CharField(help_text="Of the text that the model was given.", max_length=64)),
                (
                    "values",
                    models.BinaryField(help_text="Of length one, as 32-bit floats, the least significant byte first."),
                ),
            ],
            options={"indexes": [models.Index(fields=["text_hash", "model"], name="vector_of_text")]},
        ),
        migrations.AddField(
            model_name="document",
            name="embedded_with",
            field=models.CharField(
                blank=True,
                default="",
                help_text="The embedding model by which all its passages can be found.",
                max_length=100,
            ),
            preserve_default=False,
        ),
        migrations.AddField(
            model_name="document",
            name="embedding_note",
            field=models.TextField(blank=True, default="", help_text="Why it can't be found by meaning yet."),
            preserve_default=False,
        ),
        # In SQL of its own: to add a column that can't be empty, Django has SQLite rebuild the table, and the triggers
        # that keep the full-text index would be gone.
        migrations.SeparateDatabaseAndState(
            database_operations=[
                migrations.RunSQL(
                    "ALTER TABLE courses_passage DROP COLUMN embedding_model",
                    "ALTER TABLE courses_passage ADD COLUMN embedding_model varchar(100) NOT NULL DEFAULT ''",
                ),
            ],
            state_operations=[migrations.RemoveField(model_name="passage", name="embedding_model")],
        ),
        migrations.RemoveField(model_name="passage", name="embedding"),
    ]
