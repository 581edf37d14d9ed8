"""Sending costs the same however long the conversation is."""

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from chats.models import ChatSession, Message

pytestmark = pytest.mark.django_db


def conversation(user: User, count: int) -> ChatSession:
    session = ChatSession.objects.create(user=user, title="Long")
    parent, messages = None, []
    for ordinal in range(1, count + 1):
        role = "user" if ordinal % 2 else "assistant"
        parent = Message(session=session, parent=parent, role=role, ordinal=ordinal, content=f"message {ordinal}")
        messages.append(parent)
    Message.objects.bulk_create(messages)
    ChatSession.objects.filter(pk=session.pk).update(head=parent)
    return session


def test_sending_message_ten_thousand_takes_the_queries_of_message_ten(client: Client, student: User) -> None:
    client.force_login(student)
    costs = []
    for count in (10, 10_000):
        session = conversation(student, count)
        with CaptureQueriesContext(connection) as queries:
            assert client.post(f"/chats/{session.pk}/ask", {"text": "And then?"}).status_code == 302
        costs.append(len(queries))
        assert session.messages.count() == count + 2
    assert costs[0] == costs[1]
