"""Statements that are put together once, for what every call of an agent framework does.

For a turn of two messages the ORM spends several times what the database does, most of it on putting the same SQL
together again. Here it is put together once for a shape, and rows are read as what they are.
"""

from collections.abc import Sequence
from datetime import UTC, datetime
from functools import cache
from typing import Any
from uuid import UUID

from django.db import connection
from django.db.models import AutoField, Field, Model, QuerySet

Compiled = tuple[str, list[Any]]
ID = UUID(int=1)
FEW = 8
# Whether a reply of a session is being made. With parameters for the states SQLite would not use the small index of
# such replies, but look at every message of the session.
ANSWERING = (
    "EXISTS (SELECT 1 FROM chats_message r WHERE r.session_id = {session} AND r.state IN ('queued', 'streaming'))"
)


def compiled(rows: QuerySet[Any, Any]) -> Compiled:
    """The SQL of a query and its parameters, among which `filled` finds the marks that stand for values."""
    query, parameters = rows.query.sql_with_params()
    return query, list(parameters)


def filled(parameters: Sequence[Any], values: dict[Any, Any]) -> list[Any]:
    """The parameters with values in place of marks. Ids are marked by `ID`."""
    marks = {key(mark) if isinstance(mark, UUID) else mark: value for mark, value in values.items()}
    found = [marks.get(parameter, parameter) for parameter in parameters]
    return [key(value) if isinstance(value, UUID) else value for value in found]


def fetch(query: str, parameters: Sequence[Any]) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(query, parameters)
        rows: list[tuple[Any, ...]] = cursor.fetchall()
    return rows


def insert(rows: Sequence[Model]) -> None:
    """Store new rows of one model. A key that the database makes is not read back."""
    if len(rows) > FEW:
        type(rows[0])._base_manager.bulk_create(rows)
        return
    fields = _fields(type(rows[0]))
    values = [
        field.get_db_prep_save(getattr(row, field.attname), connection=connection) for row in rows for field in fields
    ]
    with connection.cursor() as cursor:
        cursor.execute(_insertion(type(rows[0]), len(rows)), values)


def key(value: UUID) -> Any:
    """An id as this database keeps it."""
    return value if connection.features.has_native_uuid_field else value.hex


def uuid(value: Any) -> UUID:
    """An id as this database gave it."""
    return value if isinstance(value, UUID) else UUID(value)


def moment(value: Any) -> datetime:
    """A time as this database gave it."""
    read = value if isinstance(value, datetime) else datetime.fromisoformat(value)
    return read if read.tzinfo else read.replace(tzinfo=UTC)


@cache
def _fields(model: type[Model]) -> "list[Field[Any, Any]]":
    return [field for field in model._meta.concrete_fields if not isinstance(field, AutoField)]


@cache
def _insertion(model: type[Model], count: int) -> str:
    fields = _fields(model)
    quote = connection.ops.quote_name
    table, columns = quote(model._meta.db_table), ", ".join(quote(str(field.column)) for field in fields)
    row = f"({', '.join(['%s'] * len(fields))})"
    return f"INSERT INTO {table} ({columns}) VALUES {', '.join([row] * count)}"  # noqa: S608 - columns and marks
