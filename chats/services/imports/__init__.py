"""Bringing conversations in: our own files without loss, and those of ChatGPT and Open WebUI with their branches.

A file is read as a stream, one conversation in memory at a time; all of it is stored, or nothing.
"""

from collections.abc import Callable
from typing import IO, Any, Protocol

from django.contrib.auth.models import User
from django.db import DataError, IntegrityError, transaction

from chats.models import ChatSession
from chats.querysets import Person
from chats.services.imports import chatgpt, openwebui, own
from chats.services.imports.conversation import Conversation
from chats.services.imports.owners import People
from chats.services.imports.reading import Unreadable, conversations
from chats.services.imports.storing import Shelf
from core.errors import Invalid


class Reader(Protocol):
    """A module that knows a format."""

    def recognises(self, value: dict[str, Any]) -> bool: ...

    def read(self, value: dict[str, Any]) -> Conversation: ...


FORMATS = ("auto", "studybuddy", "chatgpt", "openwebui")
READERS: dict[str, Reader] = {"studybuddy": own, "chatgpt": chatgpt, "openwebui": openwebui}


def run(*, user: Person, file: IO[bytes], kind: str = "auto") -> list[ChatSession]:
    """Store every conversation of `file` (binary, JSON or JSON Lines) as the user's. Returns the new sessions.

    Raises Invalid, with the number of the conversation that can't be taken; then nothing is stored.
    """
    shelf = Shelf(user)
    return _stored(file, kind, lambda conversation: shelf)


def restore(
    *, file: IO[bytes], user: User | None = None, kind: str = "auto", makes_missing: bool = False
) -> list[ChatSession]:
    """The same for an operator's backup: as `user`'s, or without one each conversation as its owner's.

    With `makes_missing` accounts and courses that are not here are made: accounts that nobody can sign in to yet, and
    courses of that code and title with the owner in them. Raises Invalid, then nothing is stored or made.
    """
    people = People(user, makes_missing=makes_missing)
    return _stored(file, kind, people.shelf)


def _stored(file: IO[bytes], kind: str, shelf_for: Callable[[Conversation], Shelf]) -> list[ChatSession]:
    if kind not in FORMATS:
        raise Invalid(errors={"format": [f"Must be one of: {', '.join(FORMATS)}."]})
    made: list[ChatSession] = []
    try:
        with transaction.atomic():
            for number, value in enumerate(conversations(file), 1):
                conversation = _understood(value, kind, number)
                made.append(shelf_for(conversation).store(conversation))
    except (IntegrityError, DataError):
        raise Invalid(
            f"Conversation {len(made) + 1} contradicts itself: an id or a marker is there twice.",
            errors={"file": ["It contradicts itself."]},
        ) from None
    except Unreadable as error:
        raise Invalid(str(error), errors={"file": [str(error)]}) from None
    if not made:
        raise Invalid("There is no conversation in this file.", errors={"file": ["There is no conversation in it."]})
    return made


def _understood(value: Any, kind: str, number: int) -> Conversation:
    for name, reader in READERS.items():
        if kind in ("auto", name) and isinstance(value, dict) and reader.recognises(value):
            try:
                return reader.read(value)
            except Unreadable as error:
                raise Unreadable(f"Conversation {number}: {error}") from None
            except (KeyError, TypeError, ValueError, AttributeError) as error:
                raise Unreadable(f"Conversation {number} is not as {name} writes them ({error!r}).") from None
    what = "any of the known formats" if kind == "auto" else f"the {kind} format"
    raise Unreadable(f"Conversation {number} is not in {what}.")
