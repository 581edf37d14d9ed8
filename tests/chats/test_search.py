"""Search finds one's own messages and titles, at once, on both databases."""

from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.utils import timezone

from chats.models import ChatSession, Message, SearchEntry
from chats.search import SearchPage, Term, highlight, parse, search
from chats.services import branches, sessions, turns
from courses.models import Course, Enrollment

pytestmark = pytest.mark.django_db


def conversation(user: User, *texts: str, title: str = "", course: Course | None = None) -> ChatSession:
    session, _ = sessions.create(user=user, title=title, course_id=None if course is None else course.pk)
    roles = ["user", "assistant"] * len(texts)
    rows = [{"role": role, "content": text} for role, text in zip(roles, texts, strict=False)]
    turns.append(user=user, session_id=session.pk, messages=rows)
    return session


def names(page: SearchPage) -> list[str]:
    return [hit.session.title for hit in page.hits]


def test_words_phrases_prefixes_and_accents(student: User) -> None:
    conversation(student, "Où est le café près de la gare?", "Right beside gradient descent.", title="travel")
    for query in ("cafe", "CAFÉ", "caf", "gare cafe", '"gradient descent"', "grad* beside", 'ou "le cafe"'):
        assert names(search(user=student, query=query)) == ["travel"], query
    for query in ("gar cafe", '"descent gradient"', "cafes", "", "   ", '""', "…", "a&b | !c", "'", "\\", "x" * 5000):
        assert names(search(user=student, query=query)) == [], query


def test_titles_are_found_and_come_first(student: User) -> None:
    conversation(student, "What does entropy mean here?", "Entropy measures surprise.", title="in the text")
    conversation(student, "Something else", "Yes.", title="Entropy and trees")
    page = search(user=student, query="entropy")
    assert names(page) == ["Entropy and trees", "in the text"]
    assert page.hits[0].title.html == "<mark>Entropy</mark> and trees"
    assert page.hits[0].messages == []
    assert {hit.role for hit in page.hits[1].messages} == {"user", "assistant"}


def test_a_recent_conversation_comes_before_an_old_one(student: User) -> None:
    old = conversation(student, "What is regularisation?", title="old")
    conversation(student, "What is regularisation?", title="new")
    long_ago = timezone.now() - timedelta(days=400)
    ChatSession.objects.filter(pk=old.pk).update(last_activity_at=long_ago)
    assert names(search(user=student, query="regularisation")) == ["new", "old"]


def test_nobody_else_finds_it(student: User, teammate: User, outsider: User, instructor: User, course: Course) -> None:
    conversation(student, "my private question about variance", title="mine", course=course)
    for stranger in (teammate, outsider, instructor):
        assert search(user=stranger, query="variance").hits == []
        assert search(user=stranger, query="variance", within=ChatSession.objects.all()).hits == []
    Enrollment.objects.filter(user=student).delete()
    assert search(user=student, query="variance").hits == []


def test_changes_are_searchable_at_once(student: User) -> None:
    session = conversation(student, "alpha", "", title="first name")
    reply = session.messages.get(role="assistant")
    assert search(user=student, query="omega").hits == []
    Message.objects.filter(pk=reply.pk).update(content="omega")
    assert [hit.message_id for hit in search(user=student, query="omega").hits[0].messages] == [reply.pk]
    branches.remove(user=student, message_id=reply.pk)
    assert search(user=student, query="omega").hits == []
    sessions.update(user=student, session_id=session.pk, title="second name")
    assert search(user=student, query="first").hits == []
    assert names(search(user=student, query="second")) == ["second name"]
    sessions.delete(user=student, session_id=session.pk)
    assert search(user=student, query="alpha").hits == []
    deleted = sessions.visible(user=student, state="deleted")
    assert names(search(user=student, query="alpha", within=deleted)) == ["second name"]
    sessions.delete(user=student, session_id=session.pk, permanent=True)
    assert SearchEntry.objects.count() == 0
    if connection.vendor == "sqlite":
        with connection.cursor() as cursor:
            assert cursor.execute("SELECT count(*) FROM chats_searchtext").fetchone() == (0,)


def test_a_conversation_that_changes_hands_is_found_by_its_new_owner(student: User, teammate: User) -> None:
    session = conversation(student, "the handed over text", title="handed")
    ChatSession.objects.filter(pk=session.pk).update(user=teammate)
    assert search(user=student, query="handed").hits == []
    assert names(search(user=teammate, query='"handed over"')) == ["handed"]


def test_system_and_tool_messages_are_not_searched(student: User) -> None:
    session, _ = sessions.create(user=student, title="quiet")
    rows = [{"role": "system", "content": "secret instruction"}, {"role": "tool", "content": "secret output"}]
    turns.append(user=student, session_id=session.pk, messages=rows)
    assert search(user=student, query="secret").hits == []


def test_pages_follow_each_other(student: User) -> None:
    for number in range(7):
        conversation(student, "about kernels", title=f"chat {number}")
    first = search(user=student, query="kernels", limit=3)
    rest = search(user=student, query="kernels", limit=10, offset=3)
    assert first.total == rest.total == 7
    assert sorted(names(first) + names(rest)) == [f"chat {number}" for number in range(7)]


def test_a_very_long_text_is_kept_and_its_start_is_found(student: User) -> None:
    text = "beginning " + " ".join(f"word{number}\ufdfa" for number in range(150_000))
    conversation(student, text, title="long")
    assert names(search(user=student, query="beginning word17")) == ["long"]


@pytest.mark.parametrize("texts", [1, 40])
def test_the_number_of_queries_does_not_depend_on_the_hits(
    student: User, texts: int, django_assert_max_num_queries: Any
) -> None:
    for number in range(texts):
        conversation(student, "kernel trick", "kernel methods", title=f"kernel {number}")
    with django_assert_max_num_queries(4):
        search(user=student, query="kernel", within=sessions.listed(sessions.visible(user=student)))


def test_a_snippet_shows_where_it_matched_and_is_no_markup() -> None:
    text = "filler " * 200 + "<script>alert('Gradient & Co')</script> descends" + " filler" * 200
    snippet = highlight(text, parse("gradient"), 200)
    assert "&lt;script&gt;alert(&#x27;<mark>Gradient</mark> &amp; Co&#x27;)" in snippet.html
    assert len(snippet.text) < 220
    assert snippet.text.startswith("… ")
    assert snippet.text.endswith(" …")


def test_a_phrase_is_marked_only_where_it_stands_as_one() -> None:
    snippet = highlight("loss and a log loss, then Log-Loss again", parse('"log loss"'))
    assert (
        snippet.html == "loss and a <mark>log</mark> <mark>loss</mark>, then <mark>Log</mark>-<mark>Loss</mark> again"
    )


def test_how_a_query_is_read() -> None:
    assert parse('Bias "Élan  vital" tree* a') == [
        Term(("bias",), is_prefix=False),
        Term(("elan", "vital"), is_prefix=False),
        Term(("tree",), is_prefix=True),
        Term(("a",), is_prefix=False),
    ]
    assert parse("log-loss") == [Term(("log", "loss"), is_prefix=True)]
    assert parse('"never closed') == [Term(("never", "closed"), is_prefix=False)]
