"""Statements that are put together once, for what happens with every turn.

For a turn of two messages the ORM spends several times what the database does, most of it on putting the same SQL
together again. Here it is put together once for a shape, and rows are read as what they are.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from functools import cache
from types import NoneType
from typing import Any, Generic, TypeVar
from uuid import UUID

from django.db import connection
from django.db.backends.utils import CursorWrapper
from django.db.models import (
    AutoField,
    BigIntegerField,
    CharField,
    Field,
    IntegerField,
    Model,
    PositiveIntegerField,
    QuerySet,
    TextField,
)
from django.db.models.query import ModelIterable, get_related_populators

R = TypeVar("R")

Compiled = tuple[str, list[Any]]
ID = UUID(int=1)
FEW = 8
SKIP_KNOWN = " ON CONFLICT DO NOTHING"
PLAIN = (CharField, TextField, IntegerField, BigIntegerField, PositiveIntegerField)
# Values that stand for others while a query is put together: no query has one of them for another reason.
MARKS: dict[type, Callable[[int], Any]] = {
    UUID: lambda number: UUID(int=number),
    int: lambda number: 2_000_000_000 + number,
    str: lambda number: f"mark {number}",
}


class Prepared(Generic[R]):
    """A query that is asked with other values each time, for models or, made with `values_list`, for tuples.

    `build` makes it from marks, one of each type in `kinds`, and must say the same for whatever stands in their place.
    `rows` and `first` take the values in the same order.
    """

    def __init__(self, build: Callable[..., "QuerySet[Any, R]"], *kinds: type) -> None:
        self._build = build
        self._marks = [MARKS[kind](number) for number, kind in enumerate(kinds, start=1)]
        self._shape: _Shape | None = None

    def rows(self, *values: Any) -> list[R]:
        return self.read(fetch(*self.query(*values)))

    def first(self, *values: Any) -> R | None:
        return next(iter(self.rows(*values)), None)

    def query(self, *values: Any) -> Compiled:
        """The SQL and its parameters, to be asked with others: `read` makes of its rows what `rows` gives."""
        return self._known().query(dict(zip(self._marks, values, strict=True)))

    def read(self, rows: Sequence[tuple[Any, ...]]) -> list[R]:
        return self._known().read(rows)

    def _known(self) -> "_Shape":
        if self._shape is None:
            self._shape = _Shape(self._build(*self._marks))
        return self._shape


class _Shape:
    """A query's SQL, and how its rows are read: what `ModelIterable` finds out anew for each query."""

    def __init__(self, rows: "QuerySet[Any, Any]") -> None:
        compiler = rows.query.get_compiler(connection=connection)
        self._sql, parameters = compiler.as_sql()
        self._parameters = list(parameters)
        select = compiler.select or []
        self._converters = compiler.get_converters([column[0] for column in select])
        self._model: type[Model] | None = None
        if rows._iterable_class is ModelIterable and (info := compiler.klass_info) is not None:  # noqa: SLF001
            fields = info["select_fields"]
            self._model = info["model"]
            self._fields = slice(fields[0], fields[-1] + 1)
            self._names = [column[0].target.attname for column in select[self._fields]]
            self._related = get_related_populators(info, select, connection.alias)  # type: ignore[call-arg]
            self._annotations = dict(compiler.annotation_col_map or {})

    def query(self, values: dict[Any, Any]) -> Compiled:
        return self._sql, filled(self._parameters, values)

    def read(self, given: Sequence[tuple[Any, ...]]) -> list[Any]:
        rows = [self._converted(list(row)) for row in given]
        return [tuple(row) for row in rows] if self._model is None else [self._made(self._model, row) for row in rows]

    def _converted(self, row: list[Any]) -> list[Any]:
        for place, (converters, expression) in self._converters.items():
            for converter in converters:
                row[place] = converter(row[place], expression, connection)
        return row

    def _made(self, model: type[Model], row: list[Any]) -> Any:
        made = model.from_db(connection.alias, self._names, row[self._fields])
        for related in self._related:
            related.populate(row, made)
        for name, place in self._annotations.items():
            setattr(made, name, row[place])
        return made


def compiled(rows: QuerySet[Any, Any]) -> Compiled:
    """The SQL of a query and its parameters, among which `filled` finds the marks that stand for values."""
    query, parameters = rows.query.sql_with_params()
    return query, list(parameters)


def filled(parameters: Sequence[Any], values: dict[Any, Any]) -> list[Any]:
    """The parameters with values in place of marks. Ids are marked by `ID`."""
    marks = {key(mark) if isinstance(mark, UUID) else mark: value for mark, value in values.items()}
    found = [marks.get(parameter, parameter) for parameter in parameters]
    return [key(value) if isinstance(value, UUID) else value for value in found]


def _cursor() -> CursorWrapper:
    """A cursor whose statements PostgreSQL plans once for a connection, as far as `prepare_threshold` allows."""
    if connection.vendor != "postgresql":
        return connection.cursor()
    from django.db.backends.postgresql.base import ServerBindingCursor

    database: Any = connection
    database.ensure_connection()
    with connection.wrap_database_errors:
        cursor: Any = ServerBindingCursor(connection.connection)  # type: ignore[call-arg]  # a psycopg cursor
    return connection.make_debug_cursor(cursor) if connection.queries_logged else connection.make_cursor(cursor)


def fetch(query: str, parameters: Sequence[Any]) -> list[tuple[Any, ...]]:
    with _cursor() as cursor:
        cursor.execute(query, parameters)
        rows: list[tuple[Any, ...]] = cursor.fetchall()
    return rows


def fetch_each(*queries: tuple[str, Sequence[Any]], last: bool = False) -> list[list[tuple[Any, ...]]]:
    """The rows of each of these queries, which are asked one after the other but waited for only once.

    One that gives no rows is an empty list. `last` as in `together`.
    """
    with ExitStack() as stack:
        with together(last=last):
            cursors = [stack.enter_context(_cursor()) for _ in queries]
            for cursor, (query, parameters) in zip(cursors, queries, strict=True):
                cursor.execute(query, parameters)
        return [cursor.fetchall() if cursor.description else [] for cursor in cursors]


def asked(query: str, parameters: Sequence[Any]) -> Callable[[], list[tuple[Any, ...]]]:
    """The rows of a query within `together`, to be had once that has ended."""
    if connection.vendor != "postgresql":
        found = fetch(query, parameters)
        return lambda: found
    cursor = _cursor()
    cursor.execute(query, parameters)

    def rows() -> list[tuple[Any, ...]]:
        with cursor:
            return list(cursor.fetchall())

    return rows


@contextmanager
def together(*, last: bool = False) -> Iterator[None]:
    """Send PostgreSQL what is said within in one go, where nobody asks for an answer: the block's end waits for all.

    A mistake in any of it is raised there at the latest. What it gives is known after it: `asked`.
    Where it is the `last` that a transaction says, COMMIT goes along; what is asked after it is refused, and an
    exception after it takes nothing back.
    """
    if connection.vendor != "postgresql":
        yield
        return
    database: Any = connection
    database.ensure_connection()
    try:
        with database.wrap_database_errors, database.connection.pipeline():
            yield
            if last:
                database.commit_along()
    except BaseException:
        # Whether caught or not: the server has ended the transaction, and nobody may take it for committed.
        database.needs_rollback = database.needs_rollback or (last and database.in_atomic_block)
        raise


def put(model: type[Model], where: str, parameters: Sequence[Any], /, **values: Any) -> None:
    """Set these fields in the rows of `model` for which `where` holds, within `together` or not."""
    send(*updating(model, where, parameters, **values))


def send(query: str, parameters: Sequence[Any]) -> None:
    """Change what the query says, within `together` or not."""
    with _cursor() as cursor:
        cursor.execute(query, parameters)


def updating(model: type[Model], where: str, parameters: Sequence[Any], /, **values: Any) -> Compiled:
    """The SQL of `put` and its parameters. Who must know whether it changed something lets it return the rows."""
    fields = _by_name(model)
    prepared = [_prepared(fields[name], value) for name, value in values.items()]
    places = ", ".join(f"{connection.ops.quote_name(str(fields[name].column))} = %s" for name in values)
    return f"UPDATE {model._meta.db_table} SET {places} WHERE {where}", [*prepared, *parameters]  # noqa: S608 - columns


def insert(rows: Sequence[Model], *, skip_known: bool = False) -> None:
    """Store new rows of one model, or those that are new. A key that the database makes is not read back."""
    if not rows:
        return
    if len(rows) > FEW:
        type(rows[0])._base_manager.bulk_create(rows, ignore_conflicts=skip_known)
        return
    fields = _fields(type(rows[0]))
    values = [_prepared(field, getattr(row, field.attname)) for row in rows for field in fields]
    with _cursor() as cursor:
        cursor.execute(_insertion(type(rows[0]), len(rows)) + (SKIP_KNOWN if skip_known else ""), values)
    for row in rows:
        row._state.adding, row._state.db = False, connection.alias  # noqa: SLF001 - as bulk_create does


def for_update() -> str:
    """What ends a SELECT whose rows nobody else may change until the transaction ends."""
    return connection.ops.for_update_sql(no_key=True) if connection.features.has_select_for_no_key_update else ""


def key(value: UUID) -> Any:
    """An id as this database keeps it."""
    return value if connection.features.has_native_uuid_field else value.hex


def uuid(value: Any) -> UUID:
    """An id as this database gave it."""
    return value if isinstance(value, UUID) else UUID(value)


def stored(value: datetime) -> Any:
    """A time as this database keeps it."""
    return connection.ops.adapt_datetimefield_value(value)


def moment(value: Any) -> datetime:
    """A time as this database gave it."""
    read = value if isinstance(value, datetime) else datetime.fromisoformat(value)
    return read if read.tzinfo else read.replace(tzinfo=UTC)


def _prepared(field: "Field[Any, Any]", value: Any) -> Any:
    """A value of a field as the database takes it. Most are texts and numbers, which are what they are."""
    if type(field) in PLAIN and type(value) in (str, int, NoneType):
        return value
    return field.get_db_prep_save(value, connection=connection)


@cache
def _by_name(model: type[Model]) -> "dict[str, Field[Any, Any]]":
    """Fields by their names; a foreign key also by that of its column."""
    return {name: field for field in model._meta.concrete_fields for name in (field.name, field.attname)}


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
