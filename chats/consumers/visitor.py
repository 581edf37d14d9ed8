"""Who opened a socket, and whether they may read the conversation: then, and at any time after."""

from dataclasses import replace
from importlib import import_module
from types import SimpleNamespace
from typing import Any
from uuid import UUID

from django.conf import settings
from django.contrib.auth import get_user
from django.contrib.sessions.backends.base import SessionBase

from chats.models import ChatSession
from chats.services import sessions
from chats.services.access import Standing, session_digest, standing
from core.errors import NotFound

NOT_SIGNED_IN, NOT_YOURS, NO_LONGER_YOURS = 4401, 4404, 4403


class Visitor:
    """One person at one conversation. Those methods that say so read the database: not on the event loop."""

    user: Any
    session: ChatSession
    standing: Standing

    def __init__(self, scope: dict[str, Any]) -> None:
        self._cookie = _stored(scope["cookies"].get(settings.SESSION_COOKIE_NAME))
        self._session_id: str = scope["url_route"]["kwargs"]["session_id"]

    def enter(self) -> int | None:
        """Find out who it is and read their conversation; or return the code to close with. Reads the database."""
        self.user = get_user(SimpleNamespace(session=self._cookie, META={}))  # type: ignore[arg-type]
        if not self.user.is_authenticated:
            return NOT_SIGNED_IN
        try:
            self._hold(sessions.find(user=self.user, session_id=self._session_id))
        except NotFound:
            return NOT_YOURS
        return None

    def read_again(self) -> None:
        """Read the conversation as it stands now. Raises NotFound. Reads the database."""
        self._hold(sessions.find(user=self.user, session_id=self.session.pk))

    def foresee(self, reply_id: UUID) -> None:
        """A turn was committed: what the conversation stands at is known without reading it."""
        self.standing = replace(self.standing, head_id=reply_id, running_reply_id=reply_id)

    def enter_again(self) -> int | None:
        """The same as `enter` for one who was in: gone, or no longer theirs to see. Reads the database."""
        session_id = self.session.pk
        self._cookie = _stored(self.session_key)  # read anew: what is held here is as of then
        refused = self.enter()
        if refused == NOT_YOURS and ChatSession.objects.present().filter(pk=session_id).exists():
            return NO_LONGER_YOURS
        return NO_LONGER_YOURS if refused == NOT_SIGNED_IN else refused

    @property
    def session_key(self) -> str | None:
        key: str | None = self._cookie.session_key
        return key

    def signed_out_by(self, digest: str) -> bool:
        return digest == session_digest(self.session_key)

    def _hold(self, session: ChatSession) -> None:
        self.session = session
        self.standing = standing(session, self.user)


def _stored(session_key: str | None) -> SessionBase:
    """The browser's session, read when it is first asked for something."""
    store: SessionBase = import_module(settings.SESSION_ENGINE).SessionStore(session_key)
    return store
