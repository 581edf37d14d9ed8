"""Search by meaning: beside the words' search, never instead of it, and never in a course that is not the asker's."""

import uuid
from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.management import call_command
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from courses.models import Course, Document, Enrollment, PassageVector
from courses.retrieval import search
from courses.services import documents
from tests.courses.material import NOTES, read, upload, work
from tests.fakes.fixtures import ModelServer
from tests.services import free_port

pytestmark = pytest.mark.django_db(transaction=True)

DOCTORS = "# Surgeries\n\nEvery doctor sees patients in the morning, and none in the afternoon.\n"
BREAD = "# Bread\n\nDough rises for an hour in a warm place before it goes into the oven.\n"
ASKED = "physician"

Model = Callable[..., str]


@pytest.fixture
def model(settings: Any, model_server: ModelServer) -> Model:
    """Gives the site an embedding model with a name that no other test uses, and returns the name."""

    def given(scenario: str = "plain") -> str:
        settings.OPENAI_BASE_URL = model_server.base_url
        settings.EMBEDDING_MODEL = f"{scenario}#{uuid.uuid4().hex}"
        return str(settings.EMBEDDING_MODEL)

    return given


@pytest.fixture
def unreachable(settings: Any) -> None:
    settings.OPENAI_BASE_URL = f"http://127.0.0.1:{free_port()}/v1"
    settings.EMBEDDING_MODEL = "nobody"


def embedded(model_server: ModelServer, name: str) -> list[str]:
    """The texts that were sent to the model."""
    return [text for request in model_server.requests(name) for text in request["body"]["input"]]


def test_a_passage_that_has_only_a_synonym_is_found(
    model: Model, instructor: User, student: User, course: Course
) -> None:
    surgery, bread = read(instructor, course, DOCTORS, "surgery.md"), read(instructor, course, BREAD, "bread.md")
    assert search(user=student, course=course, query=ASKED) == []
    name = model()
    work()
    [hit] = search(user=student, course=course, query=ASKED)
    assert (hit.document_id, hit.locator) == (surgery.pk, {"heading": "Surgeries"})
    assert {document.embedded_with for document in Document.objects.all()} == {name}
    # Both searches speak: the words' answer is there too, and of it the one that means the question comes first.
    both = search(user=student, course=course, query="When does a physician's dough rise?")
    assert {hit.document_id for hit in both} == {surgery.pk, bread.pk}
    only = search(user=student, course=course, query="physician dough", document=bread)
    assert [hit.document_id for hit in only] == [bread.pk]


def test_each_text_is_sent_once(
    model: Model, model_server: ModelServer, instructor: User, student: User, course: Course
) -> None:
    name = model()
    document = read(instructor, course, NOTES)
    other = Course.objects.create(code="ML102", title="Another")
    Enrollment.objects.create(course=other, user=instructor, role="instructor")
    assert read(instructor, other, NOTES).embedded_with == name
    documents.reingest(user=instructor, document_id=document.pk)
    work()
    document.refresh_from_db()
    assert document.embedded_with == name
    assert len(embedded(model_server, name)) == 1
    for _ in range(3):
        assert search(user=student, course=course, query="boiling")
    assert embedded(model_server, name)[1:] == ["boiling"]


def test_a_passage_that_moved_keeps_its_vector(
    model: Model, model_server: ModelServer, instructor: User, course: Course
) -> None:
    name = model()
    document = read(instructor, course, srt(5), "talk.srt")
    with document.file.storage.open(document.file.name, "wb") as file:
        file.write(srt(9).encode())
    documents.reingest(user=instructor, document_id=document.pk)
    work()
    document.refresh_from_db()
    assert (document.embedded_with, document.passages.get().start_seconds) == (name, 9)
    assert len(embedded(model_server, name)) == 1


def srt(second: int) -> str:
    return f"1\n00:00:0{second},000 --> 00:00:0{second},900\nWater boils early on a mountain.\n"


def test_an_endpoint_that_is_down_leaves_the_search_by_words_and_a_note(
    unreachable: None, settings: Any, model: Model, instructor: User, student: User, course: Course
) -> None:
    document = read(instructor, course)
    assert (document.state, document.embedded_with) == ("ready", "")
    assert search(user=student, course=course, query="zanzibar")
    page = Client()
    page.force_login(instructor, backend="django.contrib.auth.backends.ModelBackend")
    told = "the embedding server can&#x27;t be reached"
    assert told in page.get(f"/courses/{course.pk}").content.decode()
    assert "can't be reached" in page.get(f"/api/documents/{document.pk}").json()["error"]
    model()
    work()
    assert told not in page.get(f"/courses/{course.pk}").content.decode()
    assert page.get(f"/api/documents/{document.pk}").json()["error"] is None
    # And when it goes away again, what was found by meaning yesterday is found by words today.
    settings.OPENAI_BASE_URL = f"http://127.0.0.1:{free_port()}/v1"
    assert search(user=student, course=course, query="zanzibar")


@pytest.mark.parametrize(
    ("scenario", "reason"),
    [
        ("wrong-key", "does not accept this site's key"),
        ("unknown-model", "does not know the model"),
        ("insufficient-quota", "used up"),
        ("bad-request", "refused the text"),
        ("server-error", "has a problem"),
    ],
)
def test_what_an_endpoint_refuses_is_told_in_words(
    model: Model, scenario: str, reason: str, instructor: User, course: Course
) -> None:
    model(scenario)
    document = read(instructor, course)
    assert document.state == "ready"
    assert reason in document.notice


def test_what_was_there_before_the_model_and_what_another_model_has_seen_is_embedded_by_the_worker(
    model: Model, instructor: User, student: User, course: Course
) -> None:
    document = read(instructor, course, DOCTORS)
    for _ in range(2):
        name = model()
        assert search(user=student, course=course, query=ASKED) == []
        work()
        document.refresh_from_db()
        assert document.embedded_with == name
        assert search(user=student, course=course, query=ASKED)
    assert PassageVector.objects.count() == document.passage_count


def test_changed_and_removed_passages_are_never_found_from_memory(
    model: Model, instructor: User, student: User, course: Course
) -> None:
    model()
    document = read(instructor, course, DOCTORS)
    bread = read(instructor, course, BREAD, "bread.md")
    assert len(search(user=student, course=course, query=ASKED)) == 1
    with document.file.storage.open(document.file.name, "wb") as file:
        file.write(b"# Cars\n\nA car goes from one place to another by road.\n")
    documents.reingest(user=instructor, document_id=document.pk)
    work()
    assert search(user=student, course=course, query=ASKED) == []
    [hit] = search(user=student, course=course, query="automobile")
    assert hit.heading == "Cars"
    documents.remove(user=instructor, document_id=document.pk)
    assert search(user=student, course=course, query="automobile") == []
    assert PassageVector.objects.get().passage.document_id == bread.pk


def test_meaning_never_finds_what_is_in_another_course(
    model: Model, instructor: User, student: User, outsider: User, operator: User, course: Course
) -> None:
    model()
    secret = Course.objects.create(code="SECRET", title="Not for everybody")
    Enrollment.objects.create(course=secret, user=instructor, role="instructor")
    hidden = read(instructor, secret, DOCTORS)
    read(instructor, course, BREAD, "bread.md")
    assert search(user=instructor, course=secret, query=ASKED)
    for user in (student, outsider, operator):
        for more in ({}, {"document": hidden}):
            assert search(user=user, course=secret, query=ASKED, **more) == []
    assert search(user=student, course=course, query=ASKED) == []
    assert search(user=student, course=course, query=ASKED, document=hidden) == []


def test_a_question_that_leans_on_another_is_embedded_with_it(
    model: Model, instructor: User, student: User, course: Course
) -> None:
    model()
    surgery = read(instructor, course, DOCTORS)
    read(instructor, course, BREAD, "bread.md")
    hits = search(user=student, course=course, query="And when?", context=["Where do I find a physician?"])
    assert [hit.document_id for hit in hits] == [surgery.pk]


def test_a_search_by_meaning_takes_no_more_queries_once_a_process_knows_the_course(
    model: Model, instructor: User, student: User, course: Course
) -> None:
    upload(instructor, course, DOCTORS)
    upload(instructor, course, BREAD, "bread.md")
    work()
    first_by_words, by_words = queries(student, course), queries(student, course)
    model()
    work()
    first, then = queries(student, course), queries(student, course)
    assert first == first_by_words + 1
    assert then == by_words


def queries(user: User, course: Course) -> int:
    with CaptureQueriesContext(connection) as captured:
        search(user=user, course=course, query="doctor bread")
    return len(captured)


def test_a_site_without_a_model_queues_nothing(instructor: User, course: Course) -> None:
    read(instructor, course)
    with CaptureQueriesContext(connection) as captured:
        call_command("db_worker", batch=True, interval=0, startup_delay=False, verbosity=0)
    assert not any("passagevector" in query["sql"] for query in captured)
