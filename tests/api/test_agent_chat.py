"""`/api/agent/chat` by hand: the frames, the refusals, and what a retry finds."""

import json
from typing import Any

import httpx
import pytest
from django.contrib.auth.models import User

from chats.models import ChatSession, Citation, Message
from chats.services import sessions
from core import tokens
from courses.models import Course, Document, Passage
from tests.api.conftest import _fresh_throttles  # noqa: F401 - a fixture
from tests.fakes.fixtures import ModelServer
from tests.servers import GATED, Site, cookies, until

pytestmark = pytest.mark.django_db(transaction=True)
CHAT = "/api/agent/chat"


def client(site: Site, user: User | None = None, **headers: str) -> httpx.Client:
    if user is not None:
        headers["authorization"] = f"Bearer {tokens.create(user=user)[1]}"
    return httpx.Client(base_url=site.url, headers=headers, timeout=30)


def frames(text: str) -> list[Any]:
    """The data frames of an event stream, parsed, `[DONE]` last."""
    lines = [line.removeprefix("data: ") for line in text.split("\n\n") if line.startswith("data: ")]
    assert lines[-1] == "[DONE]"
    return [json.loads(line) for line in lines[:-1]]


def kinds(parts: list[Any]) -> list[str]:
    """The types in order, repeated deltas once."""
    found: list[str] = []
    for part in parts:
        if not found or found[-1] != part["type"] or not part["type"].endswith("-delta"):
            found.append(part["type"])
    return found


def refused(response: httpx.Response, status: int, code: str) -> None:
    assert (response.status_code, response.json()["code"]) == (status, code), response.text
    assert response.headers["content-type"] == "application/json"


def test_the_stream_has_its_frames_in_order(model_site: Site, student: User, course: Course) -> None:
    document = Document.objects.create(course=course, title="Lecture 3", file_name="l", sha256="1", state="ready")
    text = "Gradient descent takes steps against the gradient."
    passage = Passage.objects.create(document=document, position=0, text=text, page=3)
    body = {"message": "What is gradient descent?", "course_id": str(course.pk), "model": "cite"}
    with client(model_site, student) as api:
        response = api.post(CHAT, json=body)
    assert response.status_code == 200
    assert response.headers["content-type"] == "text/event-stream"
    assert response.headers["x-vercel-ai-ui-message-stream"] == "v1"
    assert response.headers["cache-control"] == "no-cache"
    assert response.headers["x-accel-buffering"] == "no"
    parts = frames(response.text)
    assert kinds(parts) == [
        "start",
        "start-step",
        "source-document",
        "data-sources",
        "text-start",
        "text-delta",
        "text-end",
        "data-sources",
        "finish-step",
        "finish",
    ]
    session = ChatSession.objects.get()
    reply = Message.objects.get(role="assistant")
    assert response.headers["x-session-id"] == str(session.pk)
    assert parts[0] == {
        "type": "start",
        "messageId": str(reply.pk),
        "messageMetadata": {"session_id": str(session.pk), "attempt": 1},
    }
    assert parts[2]["sourceId"] == str(passage.pk)
    early, late = (part["data"][0] for part in parts if part["type"] == "data-sources")
    assert (early["cited"], late["cited"]) == (None, True)
    assert "".join(part["delta"] for part in parts if part["type"] == "text-delta") == reply.content
    assert parts[-1]["finishReason"] == "stop"
    assert parts[-1]["messageMetadata"]["state"] == "complete"
    assert set(parts[-1]["messageMetadata"]["usage"]) == {"prompt_tokens", "completion_tokens"}
    assert "null" not in response.text.replace('"cited":null', "").replace('_id":null', "").replace('"url":null', "")


def test_without_streaming_the_whole_turn_is_the_answer(model_site: Site, student: User) -> None:
    with client(model_site, student) as api:
        response = api.post(CHAT, json={"message": "Hello?", "stream": False})
        assert response.status_code == 200
        body = response.json()
        assert set(body) == {"session_id", "user_message", "assistant_message"}
        assert body["user_message"]["content"] == "Hello?"
        assert body["assistant_message"]["state"] == "complete"
        assert body["assistant_message"]["content"]
        failed = api.post(CHAT, json={"message": "x", "stream": False, "model": "wrong-key"}).json()
        assert failed["assistant_message"]["state"] == "failed"
        assert failed["assistant_message"]["has_error"]
        wants = {"accept": "text/event-stream"}
        streamed = api.post(CHAT, json={"message": "Hello?", "stream": False}, headers=wants)
        assert streamed.headers["content-type"] == "text/event-stream"


@pytest.mark.parametrize(("model", "reason"), [("length", "length"), ("content-filter", "content-filter")])
def test_how_a_reply_ended_is_said(model_site: Site, student: User, model: str, reason: str) -> None:
    with client(model_site, student) as api:
        parts = frames(api.post(CHAT, json={"message": "x", "model": model}).text)
    assert parts[-1]["finishReason"] == reason


def test_a_failed_reply_ends_with_an_error_that_people_can_read(model_site: Site, student: User) -> None:
    with client(model_site, student) as api:
        parts = frames(api.post(CHAT, json={"message": "x", "model": "stream-error:2"}).text)
    assert kinds(parts)[-2:] == ["text-end", "error"]
    assert "Traceback" not in parts[-1]["errorText"]
    assert parts[-1]["errorText"] == Message.objects.get(role="assistant").error_message != ""


def test_a_retried_first_request_finds_its_session_and_turn(model_site: Site, student: User) -> None:
    body = {"message": "Once?", "client_id": "first"}
    with client(model_site, student) as api:
        first, again = (frames(api.post(CHAT, json=body).text) for _ in range(2))
        assert api.post(CHAT, json={**body, "stream": False}).json()["assistant_message"]["id"] == first[0]["messageId"]
    assert first[0]["messageId"] == again[0]["messageId"]
    assert kinds(first) == kinds(again)
    assert ChatSession.objects.count() == 1
    assert Message.objects.count() == 2


def test_the_clients_name_of_a_session_goes_on_to_mean_it(model_site: Site, student: User, teammate: User) -> None:
    def body(text: str, message_id: str) -> dict[str, Any]:
        parts = [{"type": "text", "text": text}]
        return {"id": "abc", "messages": [{"id": message_id, "role": "user", "parts": parts}], "stream": False}

    with client(model_site, student) as api, client(model_site, teammate) as other:
        one = api.post(CHAT, json=body("One?", "m1")).json()
        two = api.post(CHAT, json=body("Two?", "m2")).json()
        theirs = other.post(CHAT, json=body("One?", "m1")).json()
        assert one["session_id"] == two["session_id"] != theirs["session_id"]
        assert api.get("/api/sessions/abc").json()["external_id"] == "abc"
        by_id = {**body("Three?", "m3"), "id": one["session_id"]}
        assert api.post(CHAT, json=by_id).json()["session_id"] == one["session_id"]
        api.delete("/api/sessions/abc")
        refused(api.post(CHAT, json=body("Four?", "m4")), 404, "not_found")


def test_rejoining_replays_from_the_first_part(gated_site: Site, student: User, model_server: ModelServer) -> None:
    with client(gated_site, student) as api:
        with api.stream("POST", CHAT, json={"message": "Tell me.", "model": GATED}) as response:
            session_id = response.headers["x-session-id"]
            lines = response.iter_lines()
            until(lambda: "text-delta" in next(lines))
        reply = Message.objects.get(role="assistant")
        refused(api.post(CHAT, json={"message": "Me too", "session_id": session_id}), 409, "reply_running")
        with api.stream("GET", f"{CHAT}/{session_id}/stream") as response:
            assert response.headers["x-session-id"] == session_id
            until(lambda: model_server.release(GATED))
            parts = frames(response.read().decode())
        reply.refresh_from_db()
        assert parts[0]["messageId"] == str(reply.pk)
        assert "".join(part["delta"] for part in parts if part["type"] == "text-delta") == reply.content
        assert parts[-1]["type"] == "finish"
        gone = api.get(f"{CHAT}/{session_id}/stream")
        assert (gone.status_code, gone.content) == (204, b"")


def test_a_stopped_stream_ends_with_abort(gated_site: Site, student: User) -> None:
    with client(gated_site, student) as api, client(gated_site, student) as another:
        with api.stream("POST", CHAT, json={"message": "Tell me.", "model": GATED}) as response:
            lines = response.iter_lines()
            until(lambda: "text-delta" in next(lines))
            path = f"/api/sessions/{response.headers['x-session-id']}/stop"
            assert another.post(path, json={}).json() == {"status": "stopping"}
            rest = "\n".join(lines)
        assert '"type":"abort"' in rest
        assert rest.strip().endswith("data: [DONE]")
        assert '"type":"finish"' not in rest


def test_who_may_ask(site: Site, student: User, outsider: User, course: Course) -> None:
    session, _ = sessions.create(user=student, course_id=course.pk, external_id="mine")
    with client(site) as nobody, client(site, outsider) as stranger:
        for path in (f"{CHAT}/{session.pk}/stream", CHAT):
            response = nobody.request("POST" if path == CHAT else "GET", path, json={"message": "x"})
            refused(response, 401, "not_authenticated")
            assert response.headers["www-authenticate"].startswith("Bearer")
        for session_id in (str(session.pk), "mine", "nothing", "a\0b"):
            status = 422 if "\0" in session_id else 404
            assert stranger.post(CHAT, json={"message": "x", "session_id": session_id}).status_code == status
        refused(stranger.get(f"{CHAT}/{session.pk}/stream"), 404, "not_found")
        refused(stranger.post(CHAT, json={"message": "x", "course_id": str(course.pk)}), 404, "not_found")
        refused(stranger.post(CHAT, json={"trigger": "regenerate-message", "id": "mine"}), 404, "not_found")
        refused(stranger.get(CHAT), 405, "method_not_allowed")
        assert stranger.get(CHAT).headers["allow"] == "POST"
        refused(stranger.get("/api/agent/nothing"), 404, "not_found")
    assert not Message.objects.exists()
    assert ChatSession.objects.count() == 1


def test_a_browser_asks_with_its_cookie_and_csrf_token(site: Site, student: User) -> None:
    with client(site, cookie=cookies(student)) as browser:
        refused(browser.post(CHAT, json={"message": "x"}), 403, "csrf_failed")
        token = "a" * 32
        with_token = {"cookie": f"{browser.headers['cookie']}; csrftoken={token}", "x-csrftoken": token}
        assert browser.post(CHAT, json={"message": "x"}, headers=with_token).status_code == 200


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"message": ""},
        {"message": "  \n"},
        {"message": 5},
        {"messages": []},
        {"messages": [{"role": "assistant", "parts": []}]},
        {"messages": [{"role": "user", "parts": [{"type": "file"}]}]},
        {"messages": [{"role": "user", "id": "x" * 300, "parts": [{"type": "text", "text": "x"}]}]},
        {"message": "x", "client_id": "a\0"},
        {"message": "x", "stream": "maybe"},
        {"message": "x", "trigger": "dance"},
        [],
    ],
)
def test_what_is_no_question_is_422_and_leaves_nothing(site: Site, student: User, body: Any) -> None:
    with client(site, student) as api:
        refused(api.post(CHAT, json=body), 422, "validation_error")
    assert not ChatSession.objects.exists()


def test_bodies_that_cannot_be_read(site: Site, student: User) -> None:
    with client(site, student) as api:
        refused(api.post(CHAT, content=b"{", headers={"content-type": "application/json"}), 400, "parse_error")
        refused(api.post(CHAT, content=b"a=b", headers={"content-type": "text/plain"}), 415, "unsupported_media_type")


def test_both_addresses_answer(site: Site, student: User) -> None:
    with client(site, student) as api:
        assert api.post(f"{CHAT}/", json={"message": "x", "stream": False}).status_code == 200
    assert Citation.objects.count() == 0


def test_a_silent_stream_is_kept_open_by_comments(gated_site: Site, student: User, model_server: ModelServer) -> None:
    """Every 15 s where nobody says otherwise; this site says 0.2 s."""
    with client(gated_site, student) as api, api.stream("POST", CHAT, json={"message": "x"}) as response:
        text, comments = "", 0
        for piece in response.iter_text():
            text += piece
            comments = text.count(": still thinking\n\n")
            if comments >= 2:
                model_server.release(GATED)
    assert comments >= 2
    said = "".join(part["delta"] for part in frames(text) if part["type"] == "text-delta")
    assert said == Message.objects.get(role="assistant").content
    assert len(said.split()) > 5, "what came after the silence is there"
