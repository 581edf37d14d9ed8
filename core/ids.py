"""Identifiers that sort by the time they were made, and codes for people."""

import secrets
import uuid
from datetime import datetime

import uuid_utils.compat

from core.errors import Invalid
from core.text import is_storable

LONGEST_CLIENT_ID = 200


def uuid7() -> uuid.UUID:
    """A UUID version 7 (RFC 9562): its first 48 bits are Unix milliseconds, and ids made in one process only grow."""
    return uuid_utils.compat.uuid7()


# Without the letters and digits that look like each other on a blackboard.
JOIN_ALPHABET = "23456789ABCDEFGHJKMNPQRSTUVWXYZ"


def join_code() -> str:
    """Ten characters that can be read aloud and typed: about 49 bits, too many to guess."""
    return "".join(secrets.choice(JOIN_ALPHABET) for _ in range(10))


def first_uuid7(moment: datetime) -> uuid.UUID:
    """The smallest UUIDv7 of `moment`: ids made before it are smaller, so a range of ids is a span of time."""
    return uuid.UUID(int=(int(moment.timestamp() * 1000) << 80) | (7 << 76) | (2 << 62))


def checked_client_id(value: str | None) -> str | None:
    """The name that a client gave to what it asks for; None for none. Raises Invalid for one that can't be kept."""
    if not value:
        return None
    if len(value) > LONGEST_CLIENT_ID or not is_storable(value):
        raise Invalid(f"`client_id` must have at most {LONGEST_CLIENT_ID} characters, none of them NUL or half a pair.")
    return value


def parse_uuid(value: object) -> uuid.UUID | None:
    """The UUID that `value` spells, or None: an id of any other shape names nothing."""
    try:
        return uuid.UUID(str(value))
    except ValueError:
        return None
