"""Whose the conversations of a backup become."""

from uuid import UUID

from django.contrib.auth.models import User
from django.db.models import Q

from chats.services.imports.conversation import Conversation
from chats.services.imports.reading import Unreadable
from chats.services.imports.storing import Shelf
from core.ids import parse_uuid
from courses.models import Course, Enrollment


class People:
    """One person, or without `user` the owners that the file names."""

    def __init__(self, user: User | None, *, makes_missing: bool) -> None:
        self._user = user
        self._makes_missing = makes_missing
        self._shelves: dict[str, Shelf] = {}
        self._made: set[UUID] = set()

    def shelf(self, conversation: Conversation) -> Shelf:
        """Where the conversation belongs. Raises Unreadable when its owner isn't here and is not to be made."""
        owner = self._user or self._owner(conversation)
        if self._makes_missing:
            self._make_course(conversation, owner)
        return self._shelves.setdefault(owner.username, Shelf(owner, is_trusted=True))

    def _owner(self, conversation: Conversation) -> User:
        name = str(conversation.owner.get("username") or "")
        if not name:
            raise Unreadable("A conversation does not say whose it is: name somebody with --user.")
        found = User.objects.filter(username=name).first()
        if found is not None:
            return found
        if not self._makes_missing:
            raise Unreadable(f"There is no account called {name!r}: make it first, or use --create-missing.")
        made = User(username=name, is_active=bool(conversation.owner.get("is_active")))
        made.set_unusable_password()
        made.save()
        return made

    def _make_course(self, conversation: Conversation, owner: User) -> None:
        """Make the conversation's course if it isn't here; everybody whose conversation is in it is in it again."""
        wanted = conversation.course or {}
        uuid, code = parse_uuid(wanted.get("course_id")), wanted.get("code")
        if uuid is None or not isinstance(code, str):
            return
        if uuid not in self._made:
            if Course.objects.filter(Q(pk=uuid) | Q(code=code)).exists():
                return
            Course.objects.create(id=uuid, code=code[:40], title=str(wanted.get("title") or code)[:200])
            self._made.add(uuid)
        Enrollment.objects.get_or_create(course_id=uuid, user=owner)
