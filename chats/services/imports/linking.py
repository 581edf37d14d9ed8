"""The courses and the material that a conversation from a file speaks of, where they are here."""

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from chats.models import Citation
from chats.querysets import Person
from chats.services.imports.conversation import Said
from core.ids import parse_uuid
from courses.models import Course, Document, Passage

LINKED = {"passage_id": Passage, "document_id": Document, "course_id": Course}


class Links:
    """What may be linked: all that there is, or what the person sees."""

    def __init__(self, user: Person, *, sees_all: bool) -> None:
        self._user = user
        self._sees_all = sees_all

    def course(self, wanted: dict[str, Any] | None) -> Course | None:
        """The course of that id, else of that code."""
        if wanted is None:
            return None
        courses = self._rows(Course)
        uuid = parse_uuid(wanted.get("course_id"))
        found: Course | None = courses.filter(pk=uuid).first() if uuid else None
        code = wanted.get("code")
        return found or (courses.filter(code=code).first() if isinstance(code, str) else None)

    def citations(self, messages: Sequence[Said], ids: Mapping[str, UUID]) -> list[Citation]:
        """The sources of the messages, linked to what is here of passage, document and course."""
        sources = [(ids[one.key], source) for one in messages for source in one.sources]
        known = {name: self._known(model, name, sources) for name, model in LINKED.items()}
        return [self._citation(message_id, source, known) for message_id, source in sources]

    def _known(self, model: Any, name: str, sources: Sequence[tuple[UUID, dict[str, Any]]]) -> set[UUID]:
        wanted = {uuid for _, source in sources if (uuid := parse_uuid(source[name]))}
        return set(self._rows(model).filter(pk__in=wanted).values_list("pk", flat=True)) if wanted else set()

    @staticmethod
    def _citation(message_id: UUID, source: dict[str, Any], known: Mapping[str, set[UUID]]) -> Citation:
        values = {name: value for name, value in source.items() if name not in LINKED}
        links = {name: uuid for name in LINKED if (uuid := parse_uuid(source[name])) in known[name]}
        return Citation(message_id=message_id, **values, **links)

    def _rows(self, model: Any) -> Any:
        return model.objects.all() if self._sees_all else model.objects.for_user(self._user)
