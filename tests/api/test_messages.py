"""Messages over REST: read in pages, append, replace, edit, rate, remove."""

from typing import Any

import pytest
from django.contrib.auth.models import User

from chats.models import ChatSession, Citation, Message, Usage
from chats.services import sessions, turns
from courses.models import Course
from tests.api.conftest import Program
from tests.api.test_errors import refused

pytestmark = pytest.mark.django_db


@pytest.fixture
def session(student: User, course: Course) -> ChatSession:
    return sessions.create(user=student, course_id=course.pk)[0]


def append(api: Program, session: ChatSession, *texts: str, **more: Any) -> Any:
    roles = ["user", "assistant"] * len(texts)
    rows = [{"role": role, "content": text} for role, text in zip(roles, texts, strict=False)]
    return api.post(f"/api/sessions/{session.pk}/messages", {"messages": rows, **more})


def contents(api: Program, session: ChatSession, query: str = "") -> list[str]:
    return [message["content"] for message in api.get(f"/api/sessions/{session.pk}/messages{query}").json()]


def test_messages_are_appended_in_order_with_what_they_carry(api: Program, session: ChatSession) -> None:
    rows = [
        {"role": "system", "content": "Be kind."},
        {"role": "user", "content": "Hello", "metadata": {"from": "app"}, "id": "ignored"},
        {"role": "assistant", "content": "Hi!", "model": "m", "tools_used": [{"name": "clock"}]},
    ]
    made = api.post(f"/api/sessions/{session.pk}/messages", {"messages": rows})
    assert made.status_code == 201
    assert [message["role"] for message in made.json()["messages"]] == ["system", "user", "assistant"]
    assert api.get(f"/api/sessions/{session.pk}/messages").json() == made.json()["messages"][1:]
    assert api.get(f"/api/sessions/{session.pk}/messages?roles=all").json() == made.json()["messages"]
    reply = made.json()["messages"][-1]
    assert (reply["model"], reply["tools_used"], reply["state"]) == ("m", [{"name": "clock"}], "complete")
    whole = api.get(f"/api/sessions/{session.pk}?include=messages").json()
    assert whole["messages"] == made.json()["messages"][1:]
    assert whole["message_count"] == 2


def test_a_retried_append_adds_nothing(api: Program, session: ChatSession) -> None:
    first = append(api, session, "One?", "One.", client_id="a1")
    assert append(api, session, "One?", "One.", client_id="a1").json() == first.json()
    assert contents(api, session) == ["One?", "One."]


def test_text_of_any_kind_is_kept_as_far_as_a_column_can(api: Program, session: ChatSession) -> None:
    append(api, session, "a\0b\ud800c 👩‍🔬 \n trailing ")
    assert contents(api, session) == ["a\ufffdb\ufffdc 👩‍🔬 \n trailing "]


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"messages": "x"},
        {"messages": []},
        {"messages": [{"role": "king", "content": "x"}]},
        {"messages": [{"role": "user"}]},
        {"messages": [{"role": "user", "content": ["x"]}]},
        {"messages": [{"role": "user", "content": "x", "metadata": {"a": "\0"}}]},
        {"messages": [{"role": "user", "content": "x", "tools_used": [{"a": "\ud800"}]}]},
        {"messages": [{"role": "user", "content": "x"}], "client_id": "\0"},
        {"messages": [{"role": "user", "content": "x"}], "colour": 1},
    ],
)
def test_messages_that_cannot_be_taken(api: Program, session: ChatSession, body: dict[str, Any]) -> None:
    refused(api.post(f"/api/sessions/{session.pk}/messages", body), 422, "validation_error")
    assert not Message.objects.exists()


def test_replacing_makes_a_branch_and_branch_brings_the_old_one_back(api: Program, session: ChatSession) -> None:
    old = append(api, session, "Old?", "Old.").json()["messages"]
    rows = [{"role": "user", "content": "New?"}]
    replaced = api.put(f"/api/sessions/{session.pk}/messages", {"messages": rows})
    assert replaced.status_code == 200
    assert contents(api, session) == ["New?"]
    assert len(replaced.json()["messages"][0]["siblings"]) == 2
    shown = api.post(f"/api/sessions/{session.pk}/branch", {"message_id": old[0]["id"]})
    assert shown.json()["message_count"] == 2
    assert contents(api, session) == ["Old?", "Old."]
    assert api.put(f"/api/sessions/{session.pk}/messages", {"messages": []}).json() == {"messages": []}
    assert contents(api, session) == []


def test_a_long_conversation_is_read_from_its_end(api: Program, session: ChatSession) -> None:
    append(api, session, *(str(number) for number in range(10)))
    response = api.get(f"/api/sessions/{session.pk}/messages?limit=4")
    assert [message["content"] for message in response.json()] == ["6", "7", "8", "9"]
    assert response["x-has-more"] == "true"
    url, rel = response["link"].split("; ")
    assert rel == 'rel="prev"'
    older = api.get(url.strip("<>"))
    assert [message["content"] for message in older.json()] == ["2", "3", "4", "5"]
    oldest = api.get(older["link"].split("; ")[0].strip("<>"))
    assert [message["content"] for message in oldest.json()] == ["0", "1"]
    assert oldest["x-has-more"] == "false"
    assert "link" not in oldest
    for bad in ("limit=0", "limit=1001", "roles=x"):
        refused(api.get(f"/api/sessions/{session.pk}/messages?{bad}"), 422, "validation_error")


@pytest.mark.parametrize("count", [2, 60])
def test_reading_costs_the_same_however_long(
    api: Program, session: ChatSession, count: int, django_assert_num_queries: Any
) -> None:
    append(api, session, *(str(number) for number in range(count)))
    api.get("/api/usage")
    with django_assert_num_queries(6):
        api.get(f"/api/sessions/{session.pk}/messages")


def test_a_question_in_other_words_is_a_sibling_that_gets_an_answer(api: Program, session: ChatSession) -> None:
    question, _ = append(api, session, "Old?", "Old.").json()["messages"]
    edited = api.patch(f"/api/messages/{question['id']}", {"content": "New?", "client_id": "e1"})
    assert edited.status_code == 202
    body = edited.json()
    assert set(body) == {"session_id", "user_message", "assistant_message"}
    assert body["user_message"]["siblings"] == [question["id"], body["user_message"]["id"]]
    assert body["assistant_message"]["state"] == "queued"
    assert api.patch(f"/api/messages/{question['id']}", {"content": "x", "client_id": "e1"}).json() == body
    for method, path, data in (
        ("patch", f"/api/messages/{question['id']}", {"content": "x"}),
        ("delete", f"/api/messages/{question['id']}", {}),
        ("post", f"/api/sessions/{session.pk}/messages", {"messages": [{"role": "user", "content": "x"}]}),
        ("put", f"/api/sessions/{session.pk}/messages", {"messages": []}),
        ("post", f"/api/sessions/{session.pk}/regenerate", {}),
        ("post", f"/api/sessions/{session.pk}/branch", {"message_id": question["id"]}),
    ):
        refused(getattr(api, method)(path, data), 409, "reply_running")
    running = api.get(f"/api/sessions/{session.pk}").json()["running_reply_id"]
    assert running == body["assistant_message"]["id"]
    assert api.post(f"/api/sessions/{session.pk}/stop", {"reply_id": "other"}).json() == {"status": "idle"}
    assert api.post(f"/api/sessions/{session.pk}/stop", {"reply_id": running}).json() == {"status": "stopping"}
    assert api.get(f"/api/messages/{running}").json()["state"] == "stopped"
    assert api.post(f"/api/sessions/{session.pk}/stop").json() == {"status": "idle"}


@pytest.mark.parametrize("where", ["body", "query"])
def test_a_question_may_be_edited_without_an_answer(api: Program, session: ChatSession, where: str) -> None:
    question = append(api, session, "Old?").json()["messages"][0]
    path = f"/api/messages/{question['id']}"
    in_body = where == "body"
    edited = api.patch(
        path if in_body else f"{path}?reply=false", {"content": "N", **({"reply": False} if in_body else {})}
    )
    assert edited.status_code == 200
    assert edited.json()["assistant_message"] is None
    assert contents(api, session) == ["N"]


def test_only_questions_are_edited_and_only_content(api: Program, session: ChatSession, settings: Any) -> None:
    question, reply = append(api, session, "Q?", "A.").json()["messages"]
    refused(api.patch(f"/api/messages/{reply['id']}", {"content": "x"}), 422, "validation_error")
    path = f"/api/messages/{question['id']}"
    assert "role" in refused(api.patch(path, {"content": "x", "role": "user"}), 422, "validation_error")["errors"]
    refused(api.patch(path, {"content": " "}), 422, "validation_error")
    refused(api.patch(path, {}), 422, "validation_error")
    settings.MESSAGE_MAX_CHARS = 10
    refused(api.patch(path, {"content": "x" * 11}), 422, "message_too_long")


def test_an_answer_is_given_anew_beside_the_first(api: Program, session: ChatSession) -> None:
    refused(api.post(f"/api/sessions/{session.pk}/regenerate"), 422, "validation_error")
    _, reply = append(api, session, "Q?", "A.").json()["messages"]
    again = api.post(f"/api/sessions/{session.pk}/regenerate", {"message_id": reply["id"], "client_id": "r1"})
    assert again.status_code == 202
    assert again.json()["assistant_message"]["siblings"][0] == reply["id"]
    retried = api.post(f"/api/sessions/{session.pk}/regenerate", {"client_id": "r1"})
    assert retried.json() == again.json()


def test_a_removed_message_takes_what_follows_along(api: Program, session: ChatSession) -> None:
    rows = append(api, session, "1", "2", "3", "4").json()["messages"]
    assert api.delete(f"/api/messages/{rows[2]['id']}").json() == {"status": "deleted"}
    assert contents(api, session) == ["1", "2"]
    for gone in rows[2:]:
        refused(api.get(f"/api/messages/{gone['id']}"), 404, "not_found")
        refused(api.delete(f"/api/messages/{gone['id']}"), 404, "not_found")


def test_replies_are_rated(api: Program, session: ChatSession) -> None:
    question, reply = append(api, session, "Q?", "A.").json()["messages"]
    path = f"/api/messages/{reply['id']}/feedback"
    rated = api.post(path, {"rating": 1, "comment": "Clear."})
    assert rated.status_code == 200
    assert rated.json()["feedback"] == {"rating": 1, "comment": "Clear."}
    assert api.post(path, {"rating": -1}).json()["feedback"] == {"rating": -1, "comment": ""}
    assert api.post(path, {"rating": 0}).json()["feedback"] is None
    for bad in ({"rating": 2}, {"rating": "x"}, {}, {"rating": 1, "comment": "\0"}):
        refused(api.post(path, bad), 422, "validation_error")
    refused(api.post(f"/api/messages/{question['id']}/feedback", {"rating": 1}), 422, "validation_error")


def test_sources_stand_with_the_reply(api: Program, session: ChatSession) -> None:
    reply = append(api, session, "Q?", "A [1].").json()["messages"][1]
    Citation.objects.create(message_id=reply["id"], marker=1, quote="q", document_title="Notes", page=3, cited=True)
    (source,) = api.get(f"/api/messages/{reply['id']}").json()["sources"]
    assert source == {
        "marker": 1,
        "document_id": None,
        "passage_id": None,
        "title": "Notes",
        "locator": {"page": 3},
        "quote": "q",
        "url": None,
        "cited": True,
    }


def test_sending_is_throttled_by_itself(api: Program, session: ChatSession, settings: Any) -> None:
    append(api, session, "Q?", "A.")
    settings.THROTTLE_SEND = "1/min"
    assert api.post(f"/api/sessions/{session.pk}/regenerate").status_code == 202
    response = api.post(f"/api/sessions/{session.pk}/regenerate")
    refused(response, 429, "throttled")
    assert int(response["retry-after"]) >= 1
    assert api.get("/api/sessions").status_code == 200


def test_usage_and_a_spent_quota(api: Program, student: User, session: ChatSession, settings: Any) -> None:
    assert api.get("/api/usage").json()["quota"] is None
    settings.DAILY_TOKEN_QUOTA = 5000
    append(api, session, "Q?", "A.")
    assert api.post(f"/api/sessions/{session.pk}/regenerate").status_code == 202
    usage = api.get("/api/usage").json()
    assert (usage["quota"], usage["reserved_tokens"], usage["remaining"]) == (5000, 2000, 3000)
    assert usage["resets_at"].endswith("T00:00:00Z")
    Message.objects.running().update(state="complete")
    Usage.objects.filter(user=student).update(prompt_tokens=5000, reserved_tokens=0)
    response = api.post(f"/api/sessions/{session.pk}/regenerate")
    refused(response, 429, "quota_exceeded")
    assert 0 < int(response["retry-after"]) <= 86400


def test_a_course_with_a_quota_of_its_own_is_counted_by_itself(api: Program, course: Course) -> None:
    Course.objects.filter(pk=course.pk).update(daily_token_quota=100)
    (own,) = api.get("/api/usage").json()["courses"]
    assert (own["course_id"], own["quota"], own["remaining"]) == (str(course.pk), 100, 100)


def test_turns_of_other_doors_are_shown_alike(api: Program, student: User, session: ChatSession) -> None:
    turn = turns.ask(user=student, session_id=session.pk, text="From the page", client_id="p1")
    rows = api.get(f"/api/sessions/{session.pk}/messages").json()
    assert [(row["id"], row["state"]) for row in rows] == [
        (str(turn.user_message.pk), "complete"),
        (str(turn.reply.pk), "queued"),  # type: ignore[union-attr]
    ]
