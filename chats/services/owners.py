"""Whose conversations other programs mean, and which one they call by what name.

Other programs call a session by a name of their own and may keep one for people who have no account here. Those are
kept by name on the inactive account `integrations`, apart from all accounts.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any
from uuid import UUID

from django.contrib.auth import get_user_model
from django.contrib.auth.models import User
from django.db import connection
from django.db.models import Exists, OuterRef, Q
from django.db.models.expressions import RawSQL

from chats.models import ChatSession, Message
from chats.querysets import ChatSessionQuerySet, Person
from core import statements
from core.errors import Conflict, Invalid, NotFound
from core.ids import parse_uuid
from core.statements import ID, Compiled
from core.text import is_storable

ACCOUNT = "integrations"
ID_LENGTH = 255
PRIMARY_KEY_DIGITS = 10

# An account comes before what another program calls its people, a username before a primary key.
NAMED = """who (id, outside) AS (
    SELECT id, CASE WHEN username = 'integrations' THEN %s ELSE '' END FROM auth_user
    WHERE (username IN (%s, 'integrations') OR id = %s) AND (username <> 'integrations' OR NOT is_active)
    ORDER BY CASE WHEN username = 'integrations' THEN 2 WHEN username = %s THEN 0 ELSE 1 END LIMIT 1
)"""
KNOWN = "who (id, outside) AS (SELECT %s, %s)"
HOLDER = """who (id, outside) AS (
    SELECT user_id, external_user_id FROM (
        SELECT user_id, external_user_id, 0 AS place FROM chats_chatsession WHERE id = %s AND deleted_at IS NULL
        UNION ALL SELECT id, '', 1 FROM auth_user WHERE username = 'integrations' AND NOT is_active
    ) holders ORDER BY place LIMIT 1
)"""
NEEDED = (
    "id",
    "user_id",
    "external_id",
    "external_user_id",
    "title",
    "title_source",
    "head_id",
    "created_at",
    "last_activity_at",
)


@dataclass(frozen=True, slots=True)
class Owner:
    """Whose sessions are meant: an account, and for people without one what another program calls them."""

    user: Person
    external_user_id: str = ""


@dataclass(frozen=True, slots=True)
class Called:
    """The same by a username, a primary key or another program's name, to be looked up with what is asked for."""

    name: str

    def __post_init__(self) -> None:
        if len(self.name) > ID_LENGTH or not is_storable(self.name):
            raise Invalid(f"A user's id has at most {ID_LENGTH} characters, none of them NUL or half a surrogate pair.")

    @property
    def outside(self) -> str:
        """What the person is called if no account bears the name."""
        return "" if self.name == ACCOUNT else self.name

    @property
    def key(self) -> int:
        """The primary key that the name may spell; 0 is nobody's."""
        short = len(self.name) < PRIMARY_KEY_DIGITS
        return int(self.name) if short and self.name.isascii() and self.name.isdecimal() else 0


@dataclass(frozen=True, slots=True)
class Holder:
    """Whoever has the session of that very id; if nobody has, programs that name no user."""

    session_id: UUID


Whose = Owner | Called | Holder


def owner_of(whose: Whose) -> Owner:
    """The owner that is meant. The account for people without one is made when it is first needed."""
    if isinstance(whose, Owner):
        return whose
    if isinstance(whose, Holder):
        session = ChatSession.objects.select_related("user").present().filter(pk=whose.session_id).first()
        return owner_of(Called("")) if session is None else Owner(session.user, session.external_user_id)
    found = get_user_model().objects.filter(Q(username__in={whose.name, ACCOUNT}) | Q(pk=whose.key))
    accounts = {account.username: account for account in found}
    shared = accounts.pop(ACCOUNT, None)
    named = accounts.get(whose.name) or next(iter(accounts.values()), None)
    return Owner(named) if named is not None else Owner(_shared_account(shared), whose.outside)


def _shared_account(account: User | None) -> User:
    if account is None:
        account, created = get_user_model().objects.get_or_create(username=ACCOUNT, defaults={"is_active": False})
        if created:
            account.set_unusable_password()
            account.save(update_fields=["password"])
    if account.is_active:
        raise Invalid(f"The account {ACCOUNT!r} belongs to a person. Rename it: other programs' conversations need it.")
    return account


def find(whose: Whose, session_id: str) -> ChatSession | None:
    """The owner's session of that id or external id, or None. Deleted ones are not there.

    What `NEEDED` names is loaded of it; the rest is deferred.
    """
    return _session(statement(_query, whose, session_id, locked=False), session_id)


def lock(whose: Whose, session_id: str) -> ChatSession | None:
    """The same with its row locked until the transaction ends."""
    return _session(locking(whose, session_id), session_id)


def locking(whose: Whose, session_id: str) -> tuple[str, list[Any]]:
    """The SQL and its parameters that `lock` asks."""
    return statement(_query, whose, session_id, locked=True)


def lock_by_id(session_id: UUID) -> ChatSession | None:
    """The session of that very id, whosever it is, locked until the transaction ends."""
    session: ChatSession | None = (
        ChatSession.objects.present().select_for_update(of=("self",)).filter(pk=session_id).first()
    )
    return session


def bears(session_id: str, prefix: str = "") -> Q:
    """The condition that a session, whosever it is, has that id or external id."""
    named = Q(**{f"{prefix}external_id": session_id if is_storable(session_id) else ""})
    uuid = parse_uuid(session_id)
    return named | Q(**{f"{prefix}id": uuid}) if uuid else named


def head_of(whose: Whose, session_id: str) -> tuple[str, str, list[Any], list[Any]]:
    """SQL for the end of that session's shown branch: common table expressions, an expression, parameters of each."""
    query, marked = _heads(connection.vendor, _is_id(session_id))
    who, parameters = _who(whose)
    # One of ours comes before another program's session that bears the same name.
    head = "(SELECT head_id FROM named ORDER BY CASE WHEN id = %s THEN 0 ELSE 1 END LIMIT 1)"
    parameters += statements.filled(marked, _values(session_id))
    return f"{who}, named (id, head_id) AS ({query})", head, parameters, [statements.key(_id(session_id))]


def message_of(whose: Whose, message_id: UUID) -> tuple[str, str, list[Any], list[Any]]:
    """The same for a message that is not deleted, in any of the owner's sessions."""
    query, marked = _messages(connection.vendor)
    who, parameters = _who(whose)
    parameters += statements.filled(marked, {ID: message_id})
    return f"{who}, named (id) AS ({query})", "(SELECT id FROM named)", parameters, []


def lock_or_create(whose: Whose, session_id: str, **fields: Any) -> tuple[ChatSession, bool]:
    """The locked session of that name and False, or a new one that bears it as its external id and True.

    Raises NotFound for a session in a course that the owner left, and for one of ours that was deleted; a deleted
    session that only another program named gives the name up. Raises Invalid for names that can't be stored.
    """
    if found := lock(whose, session_id):
        return found, False
    if not session_id or len(session_id) > ID_LENGTH or not is_storable(session_id):
        raise Invalid(f"A session's id has 1 to {ID_LENGTH} characters, none of them NUL or half a surrogate pair.")
    owner = owner_of(whose)
    uuid = parse_uuid(session_id)
    if uuid and ChatSession.objects.filter(pk=uuid, user_id=owner.user.pk).exists():  # type: ignore[misc]
        raise NotFound
    name = {"user_id": owner.user.pk, "external_user_id": owner.external_user_id, "external_id": session_id}
    ChatSession.objects.filter(**name, deleted_at__isnull=False).update(external_id=None)
    session, created = ChatSession.objects.get_or_create(**name, defaults=fields)
    if created:
        return session, True
    # Somebody else was faster, or the session is in a course that its owner has left.
    if locked := lock(owner, session_id):
        return locked, False
    raise NotFound


def create(whose: Whose, external_id: str | None) -> ChatSession:
    """A new session under that name, if any. Raises Conflict when the owner has one of that name, Invalid as above."""
    if external_id is None:
        owner = owner_of(whose)
        return ChatSession.objects.create(user_id=owner.user.pk, external_user_id=owner.external_user_id)  # type: ignore[misc]
    session, created = lock_or_create(whose, external_id)
    if not created:
        raise Conflict("There is a session with this external id already.")
    return session


NAME, FRAMEWORK = "\1name", "\1framework"


def named(*, by_id: bool) -> ChatSessionQuerySet:
    """For a statement: the sessions that `for_user` allows to whom it is about, by external id or by id as well.

    What can't be an id is not looked for among ids, so that the databases need one index alone.
    """
    known = Q(external_id=NAME)
    return _theirs().filter(known | Q(pk=ID) if by_id else known)


def statement(
    compile_for: Callable[..., Compiled], whose: Whose, session_id: str, *, framework: str = "", **variant: bool
) -> tuple[str, list[Any]]:
    """The SQL and its parameters of what was put together from `named`, about that owner and that session."""
    query, marked = compile_for(connection.vendor, _is_id(session_id), **variant)
    who, parameters = _who(whose)
    return f"WITH {who} {query}", [*parameters, *statements.filled(marked, _values(session_id, framework))]


def chosen(rows: list[tuple[Any, ...]], session_id: str) -> tuple[Any, ...] | None:
    """The row that is meant, each beginning with its session's id: one of ours comes before another program's."""
    if len(rows) > 1:
        return next((row for row in rows if statements.uuid(row[0]) == _id(session_id)), rows[0])
    return rows[0] if rows else None


def session_from(values: Sequence[Any]) -> ChatSession:
    """The session of which `values` are what `NEEDED` names."""
    pk, user_id, external_id, external_user_id, title, source, head_id, created_at, active_at = values
    uuid, moment = statements.uuid, statements.moment
    head = None if head_id is None else uuid(head_id)
    read = [
        uuid(pk),
        user_id,
        external_id,
        external_user_id,
        title,
        source,
        head,
        moment(created_at),
        moment(active_at),
    ]
    return ChatSession.from_db(connection.alias, NEEDED, read)


def _session(query: tuple[str, list[Any]], session_id: str) -> ChatSession | None:
    row = chosen(statements.fetch(*query), session_id)
    return None if row is None else session_from(row)


def _theirs() -> ChatSessionQuerySet:
    owner = User(pk=RawSQL("(SELECT id FROM who)", []))
    sessions = ChatSession.objects.for_user(owner).present().order_by()
    return sessions.filter(external_user_id=RawSQL("(SELECT outside FROM who)", []))


@cache
def _query(vendor: str, by_id: bool, *, locked: bool) -> Compiled:
    sessions = named(by_id=by_id).values_list(*NEEDED)
    return statements.compiled(sessions.select_for_update() if locked else sessions)


@cache
def _heads(vendor: str, by_id: bool) -> Compiled:
    return statements.compiled(named(by_id=by_id).values_list("id", "head_id"))


@cache
def _messages(vendor: str) -> Compiled:
    allowed = _theirs().filter(pk=OuterRef("session_id"))
    messages = Message.objects.filter(Exists(allowed), pk=ID, deleted_at__isnull=True).order_by()
    return statements.compiled(messages.values_list("id"))


def _who(whose: Whose) -> tuple[str, list[Any]]:
    if isinstance(whose, Owner):
        return KNOWN, [whose.user.pk, whose.external_user_id]
    if isinstance(whose, Holder):
        return HOLDER, [statements.key(whose.session_id)]
    return NAMED, [whose.outside, whose.name, whose.key, whose.name]


def _values(session_id: str, framework: str = "") -> dict[Any, Any]:
    name = session_id if is_storable(session_id) else ""
    return {NAME: name, ID: _id(session_id), FRAMEWORK: framework}


def _is_id(session_id: str) -> bool:
    return parse_uuid(session_id) is not None


def _id(session_id: str) -> UUID:
    return parse_uuid(session_id) or UUID(int=0)
