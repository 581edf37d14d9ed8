"""Sessions over REST: mine alone, addressed by either id, changed without overwriting each other."""

from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.utils import timezone

from chats.models import ChatSession, Message
from chats.services import sessions, turns
from courses.models import Course, Enrollment
from tests.api.conftest import Program
from tests.api.test_errors import refused

pytestmark = pytest.mark.django_db
FIELDS = {
    "session_id",
    "session_name",
    "course_id",
    "description",
    "context_data",
    "metadata",
    "pinned",
    "archived",
    "is_active",
    "message_count",
    "created_at",
    "updated_at",
    "last_activity_at",
    "running_reply_id",
    "external_id",
}
ANSWERS = [{"role": "user", "content": "What is bias?"}, {"role": "assistant", "content": "A systematic error."}]


@pytest.fixture
def session(student: User, course: Course) -> ChatSession:
    made, _ = sessions.create(user=student, course_id=course.pk, title="Bias", external_id="my-chat 1")
    turns.append(user=student, session_id=made.pk, messages=ANSWERS)
    return made


def test_a_session_is_made_read_and_listed(api: Program, course: Course) -> None:
    body = {
        "course_id": str(course.pk),
        "session_name": " Exam ",
        "description": "d",
        "context_data": {"a": [1, None]},
        "metadata": {"b": "é"},
    }
    made = api.post("/api/sessions", body)
    assert made.status_code == 201
    data = made.json()
    assert set(data) == FIELDS
    assert data["session_name"] == "Exam"
    assert data["context_data"] == {"a": [1, None]}
    assert (data["message_count"], data["pinned"], data["is_active"]) == (0, False, True)
    assert data["created_at"].endswith("Z")
    assert api.get(f"/api/sessions/{data['session_id']}").json() == data
    assert api.get("/api/sessions").json() == {"sessions": [data], "total": 1, "page": 1, "limit": 20}


def test_a_retried_creation_is_the_same_session(api: Program, teammate: User) -> None:
    first = api.post("/api/sessions", {"client_id": "c1"})
    again = api.post("/api/sessions", {"client_id": "c1", "session_name": "other"})
    assert first.json() == again.json()
    assert first.status_code == again.status_code == 201
    assert (
        Program(teammate).post("/api/sessions", {"client_id": "c1"}).json()["session_id"] != first.json()["session_id"]
    )


def test_blank_optional_names_are_absent(api: Program) -> None:
    body = {"client_id": "", "external_id": " ", "course_id": "", "session_name": "", "metadata": None}
    for _ in range(2):
        made = api.post("/api/sessions", body)
        assert made.status_code == 201
        assert (made.json()["external_id"], made.json()["course_id"]) == (None, None)
    assert ChatSession.objects.filter(client_id__isnull=True, external_id__isnull=True).count() == 2


@pytest.mark.parametrize(
    "change",
    [
        {"session_name": "x" * 201},
        {"session_name": "a\0b"},
        {"session_name": "\ud800"},
        {"external_id": "a\0"},
        {"client_id": "\udfff"},
        {"metadata": []},
        {"metadata": "text"},
        {"metadata": {"deep": ["\0"]}},
        {"metadata": {"k\ud800": 1}},
        {"description": 5.5, "colour": 1},
        {"messages": []},
    ],
)
def test_values_that_cannot_be_taken_are_422(api: Program, session: ChatSession, change: dict[str, Any]) -> None:
    errors = refused(api.post("/api/sessions", change), 422, "validation_error")["errors"]
    assert set(errors) <= set(change)
    if set(change) & {"external_id", "client_id"}:
        return
    assert refused(api.patch(f"/api/sessions/{session.pk}", change), 422, "validation_error")["errors"]


def test_a_json_value_may_not_be_nested_too_deeply(api: Program) -> None:
    body = '{"metadata": {"a": ' + "[" * 150 + "]" * 150 + "}}"
    assert "metadata" in refused(api.post("/api/sessions", body), 422, "validation_error")["errors"]
    too_large = '{"metadata": {"a": [1e999]}}'
    assert "metadata" in refused(api.post("/api/sessions", too_large), 422, "validation_error")["errors"]


def test_an_external_id_addresses_the_session_everywhere(api: Program, session: ChatSession) -> None:
    for path in ("", "/messages", "?include=messages"):
        assert api.get(f"/api/sessions/my-chat%201{path}").status_code == 200
    assert api.post("/api/sessions/my-chat%201/stop").json() == {"status": "idle"}
    refused(api.post("/api/sessions", {"external_id": "my-chat 1"}), 409, "conflict")


def test_a_stranger_finds_none_of_it(teammate: User, outsider: User, operator: User, session: ChatSession) -> None:
    message = session.messages.get(role="assistant")
    for user in (teammate, outsider, operator):
        stranger = Program(user)
        for path in (f"/api/sessions/{session.pk}", "/api/sessions/my-chat%201"):
            refused(stranger.get(path), 404, "not_found")
            refused(stranger.get(f"{path}?state=all"), 404, "not_found")
            refused(stranger.patch(path, {"pinned": True}), 404, "not_found")
            refused(stranger.put(path, {"pinned": True}), 404, "not_found")
            refused(stranger.delete(path), 404, "not_found")
            refused(stranger.delete(f"{path}?permanent=true"), 404, "not_found")
            refused(stranger.get(f"{path}/messages"), 404, "not_found")
            refused(stranger.put(f"{path}/messages", {"messages": []}), 404, "not_found")
            for name in ("restore", "branch", "generate-title", "stop", "regenerate", "messages"):
                refused(stranger.post(f"{path}/{name}"), 404, "not_found")
        refused(stranger.get(f"/api/messages/{message.pk}"), 404, "not_found")
        refused(stranger.patch(f"/api/messages/{message.pk}", {"content": "x"}), 404, "not_found")
        refused(stranger.delete(f"/api/messages/{message.pk}"), 404, "not_found")
        refused(stranger.post(f"/api/messages/{message.pk}/feedback", {"rating": 1}), 404, "not_found")
        assert stranger.get("/api/sessions?state=all&search=bias").json()["sessions"] == []
        assert stranger.get("/api/sessions?state=all").json()["total"] == 0
        if user != teammate:
            refused(stranger.post("/api/sessions", {"course_id": str(session.course_id)}), 404, "not_found")


def test_leaving_the_course_closes_its_sessions(api: Program, student: User, session: ChatSession) -> None:
    Enrollment.objects.filter(user=student).delete()
    refused(api.get(f"/api/sessions/{session.pk}"), 404, "not_found")
    assert api.get("/api/sessions?search=bias").json()["total"] == 0


@pytest.mark.parametrize("session_id", ["1", "%00", "%ED%A0%80", "0198c0de-7e57-7000-8000-000000000001", "x" * 999])
def test_unknown_ids_of_any_shape_are_404(api: Program, session: ChatSession, session_id: str) -> None:
    for path in ("", "/messages"):
        refused(api.get(f"/api/sessions/{session_id}{path}"), 404, "not_found")
    refused(api.get(f"/api/messages/{session_id}"), 404, "not_found")
    if session_id != "%00":
        refused(api.get(f"/api/sessions/{session.pk}/messages?before={session_id}"), 404, "not_found")
    refused(api.post(f"/api/sessions/{session.pk}/branch", {"message_id": "nothing"}), 404, "not_found")


def test_what_is_named_changes_and_the_rest_stays(api: Program, session: ChatSession) -> None:
    path = f"/api/sessions/{session.pk}"
    for change in ({"session_name": "New"}, {"description": "d"}, {"metadata": {"a": 1}}, {"pinned": True}):
        assert api.patch(path, change).status_code == 200
    data = api.put(path, {"archived": True}).json()
    assert (data["session_name"], data["description"], data["metadata"]) == ("New", "d", {"a": 1})
    assert (data["pinned"], data["archived"], data["is_active"]) == (True, True, True)
    assert api.patch(path, {"archived": False, "pinned": False, "description": None}).json()["description"] == ""


def test_a_change_made_elsewhere_is_not_overwritten(api: Program, session: ChatSession) -> None:
    path = f"/api/sessions/{session.pk}"
    etag = api.get(path)["etag"]
    first = api.patch(path, {"session_name": "One"}, headers={"if-match": etag})
    assert first.status_code == 200
    refused(api.patch(path, {"session_name": "Two"}, headers={"if-match": etag}), 412, "precondition_failed")
    assert api.get(path).json()["session_name"] == "One"
    assert api.patch(path, {"session_name": "3"}, headers={"if-match": f'"x", {first["etag"]}'}).status_code == 200
    assert api.patch(path, {"session_name": "4"}, headers={"if-match": "*"}).status_code == 200
    refused(api.patch(path, {"session_name": "5"}, headers={"if-match": "nonsense"}), 412, "precondition_failed")


def test_deleted_sessions_are_away_until_restored_or_gone(api: Program, session: ChatSession) -> None:
    path = f"/api/sessions/{session.pk}"
    assert api.delete(path).json() == {"status": "deleted"}
    refused(api.get(path), 404, "not_found")
    refused(api.delete(path), 404, "not_found")
    refused(api.get(f"{path}/messages"), 404, "not_found")
    for state in ("deleted", "all"):
        assert api.get(f"{path}?state={state}").json()["is_active"] is False
    assert api.post(f"{path}/restore").json()["is_active"] is True
    assert api.get(path).status_code == 200
    assert api.delete(path).status_code == 200
    assert api.delete(f"{path}?permanent=true").json() == {"status": "deleted"}
    assert not Message.objects.exists()
    refused(api.post(f"{path}/restore"), 404, "not_found")


def test_lists_by_state_course_and_pin(api: Program, student: User, course: Course) -> None:
    names = ("active", "archived", "deleted", "pinned", "in the course")
    made = {name: sessions.create(user=student, title=name)[0].pk for name in names[:4]}
    sessions.create(user=student, title="in the course", course_id=course.pk)
    api.patch(f"/api/sessions/{made['archived']}", {"archived": True})
    api.patch(f"/api/sessions/{made['pinned']}", {"pinned": True})
    api.delete(f"/api/sessions/{made['deleted']}")

    def listed(query: str) -> list[str]:
        return sorted(session["session_name"] for session in api.get(f"/api/sessions?{query}").json()["sessions"])

    assert listed("") == ["active", "in the course", "pinned"]
    assert listed("state=archived") == ["archived"]
    assert listed("state=deleted") == ["deleted"]
    assert listed("state=all") == sorted(names)
    assert listed("pinned=true") == ["pinned"]
    assert listed("pinned=false") == ["active", "in the course"]
    assert listed(f"course_id={course.pk}") == ["in the course"]
    assert listed("course_id=nothing") == []
    assert listed("search=activ") == ["active"]
    assert listed("search=archiv&state=archived") == ["archived"]
    assert listed("search=activ&course_id=nothing") == []
    refused(api.get("/api/sessions?state=asleep"), 422, "validation_error")


def test_search_shows_where_it_matched(api: Program, session: ChatSession) -> None:
    found = api.get("/api/sessions?search=systematic").json()
    assert found["total"] == 1
    (hit,) = found["sessions"][0]["hits"]
    assert hit["message_id"] == str(session.messages.get(role="assistant").pk)
    assert hit["snippet"] == "A <mark>systematic</mark> error."


def test_newest_activity_first_in_linked_pages(api: Program, student: User) -> None:
    now = timezone.now()
    for number in range(5):
        session, _ = sessions.create(user=student, title=f"chat {number}")
        ChatSession.objects.filter(pk=session.pk).update(last_activity_at=now - timedelta(hours=number))
    response = api.get("/api/sessions?limit=2&page=2")
    assert [session["session_name"] for session in response.json()["sessions"]] == ["chat 2", "chat 3"]
    assert response.json()["total"] == 5
    assert 'rel="prev"' in response["link"]
    assert 'page=3>; rel="next"' in response["link"]
    assert api.get("/api/sessions?page=99").json()["sessions"] == []


@pytest.mark.parametrize("count", [1, 25])
def test_a_list_costs_the_same_however_long(
    api: Program, student: User, course: Course, count: int, django_assert_num_queries: Any
) -> None:
    for _ in range(count):
        session, _ = sessions.create(user=student, course_id=course.pk)
        turns.append(user=student, session_id=session.pk, messages=ANSWERS)
    api.get("/api/sessions")
    with django_assert_num_queries(3):
        api.get("/api/sessions")
    with django_assert_num_queries(5):
        api.get("/api/sessions?search=bias")


def test_people_can_browse_and_fill_in_forms(student: User, session: ChatSession) -> None:
    browser = Client(headers={"accept": "text/html"})
    browser.force_login(student, backend="django.contrib.auth.backends.ModelBackend")
    page = browser.get("/api/sessions").content.decode()
    assert 'name="session_name"' in page
    assert "Framework" not in page.partition("</title>")[0]
    made = browser.post("/api/sessions", {"session_name": "From a form", "metadata": '{"a": 1}'})
    assert made.status_code == 201
    assert ChatSession.objects.get(title="From a form").metadata == {"a": 1}
    for path in ("", "/messages", "/branch"):
        assert browser.get(f"/api/sessions/{session.pk}{path}").status_code in (200, 405)
    assert Client(headers={"accept": "text/html"}).get("/api/sessions").status_code == 401
