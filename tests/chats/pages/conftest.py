"""Conversations of a given size, written straight into the tables."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.utils import timezone

from chats.models import ChatSession, Message
from courses.models import Course

MakeConversation = Callable[..., ChatSession]


@pytest.fixture
def make_conversation(student: User, course: Course) -> MakeConversation:
    """Makes a conversation of the student's with so many turns; `text` is what each of its messages begins with."""

    def make(turns: int, *, user: User = student, text: str = "", **fields: object) -> ChatSession:
        session = ChatSession.objects.create(user=user, course=course, title=fields.pop("title", "Gradients"), **fields)
        parent, messages = None, []
        for ordinal in range(1, 2 * turns + 1):
            role = "user" if ordinal % 2 else "assistant"
            parent = Message(
                session=session, parent=parent, role=role, ordinal=ordinal, content=f"{text}{role} message {ordinal}"
            )
            messages.append(parent)
        Message.objects.bulk_create(messages)
        if parent:
            ChatSession.objects.filter(pk=session.pk).update(head=parent)
            session.refresh_from_db()
        return session

    return make


@pytest.fixture
def make_sessions(student: User, course: Course) -> Callable[[int], None]:
    """Makes so many empty conversations of the student's, an hour apart."""

    def make(count: int) -> None:
        now = timezone.now()
        ChatSession.objects.bulk_create(
            ChatSession(
                user=student, course=course, title=f"Chat {number}", last_activity_at=now - timedelta(hours=number)
            )
            for number in range(count)
        )

    return make


@pytest.fixture
def as_student(client: Client, student: User) -> Client:
    client.force_login(student)
    return client


@pytest.fixture
def as_outsider(outsider: User) -> Client:
    client = Client()
    client.force_login(outsider)
    return client
