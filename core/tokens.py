"""Tokens with which programs act for a person: named, expiring, revocable, shown once."""

from datetime import datetime, timedelta
from hmac import compare_digest

from django.conf import settings
from django.contrib.auth.models import AnonymousUser, User
from django.db.models import Q, QuerySet
from django.utils import timezone
from knox.crypto import hash_token
from knox.settings import CONSTANTS

from core.errors import Invalid, NotFound
from core.models import ApiToken
from core.text import is_storable

NAME_LENGTH = 100
MOST_DAYS = 3650
# "Last used" is kept to the minute, so that a busy program costs one small write a minute.
LAST_USED_SECONDS = 60


def create(*, user: User, name: str = "", days: int | None = None) -> tuple[ApiToken, str]:
    """A new token of `user` that expires after `days` (default: the site's), and its secret, which is kept nowhere.

    Raises Invalid for a name or a lifetime that can't be.
    """
    name = name.strip()
    errors: dict[str, list[str]] = {}
    if len(name) > NAME_LENGTH or not is_storable(name):
        errors["name"] = [f"At most {NAME_LENGTH} characters of text."]
    if days is not None and not 1 <= days <= MOST_DAYS:
        errors["days"] = [f"Between 1 and {MOST_DAYS} days."]
    if errors:
        raise Invalid(errors=errors)
    lifetime = settings.REST_KNOX["TOKEN_TTL"] if days is None else timedelta(days=days)
    token, secret = ApiToken.objects.create(user=user, expiry=lifetime, name=name)
    return token, str(secret)


def listed(*, user: User | AnonymousUser) -> "QuerySet[ApiToken]":
    """The user's tokens that still work, newest first. Each is known by its `token_key`, how its secret begins."""
    return _alive(ApiToken.objects.filter(user_id=user.pk)).order_by("-created")


def revoke(*, user: User | AnonymousUser, token_key: str) -> None:
    """End one of the user's tokens at once. Raises NotFound."""
    known = is_storable(token_key)
    deleted, _ = listed(user=user).filter(token_key=token_key).delete() if known else (0, {})
    if not deleted:
        raise NotFound("There is no such token.")


def revoke_all(*, user: User | AnonymousUser) -> int:
    """End all of the user's tokens at once and return how many there were."""
    deleted, _ = ApiToken.objects.filter(user_id=user.pk).delete()
    return int(deleted)


def find(secret: str) -> ApiToken | None:
    """The living token of an active person with this secret, its user selected, or None. Remembers that it was used."""
    if not is_storable(secret) or not secret.isascii():
        return None
    digest = hash_token(secret)
    key = secret[: CONSTANTS.TOKEN_KEY_LENGTH]
    now = timezone.now()
    for token in _alive(ApiToken.objects.filter(token_key=key), now).select_related("user"):
        if compare_digest(digest, token.digest) and token.user.is_active:
            _used(token, now)
            return token
    return None


def _alive(tokens: "QuerySet[ApiToken]", now: datetime | None = None) -> "QuerySet[ApiToken]":
    return tokens.filter(Q(expiry__isnull=True) | Q(expiry__gt=now or timezone.now()))


def _used(token: ApiToken, now: datetime) -> None:
    before = now - timedelta(seconds=LAST_USED_SECONDS)
    if token.last_used_at is None or token.last_used_at < before:
        stale = Q(last_used_at__isnull=True) | Q(last_used_at__lt=before)
        ApiToken.objects.filter(stale, pk=token.pk).update(last_used_at=now)
