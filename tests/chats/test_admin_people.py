"""An operator answers a person's request: a file of everything held, or erasure with a receipt."""

import json

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Permission, User
from django.test import Client
from django.urls import reverse

from chats.models import AccessLog, ChatSession, Message

pytestmark = pytest.mark.django_db
SAID = "unmistakable-words"


@pytest.fixture
def admin(client: Client, operator: User) -> Client:
    client.force_login(operator)
    return client


@pytest.fixture
def session(student: User) -> ChatSession:
    session = ChatSession.objects.create(user=student, title="t")
    Message.objects.create(session=session, role="user", content=SAID, ordinal=1)
    return session


def delete_url(person: User) -> str:
    return reverse("admin:auth_user_delete", args=[person.pk])


def export_url(person: User) -> str:
    return reverse("admin:auth_user_export", args=[person.pk])


def test_a_person_is_removed_with_a_receipt_after_seeing_what_goes(
    admin: Client, session: ChatSession, student: User
) -> None:
    page = admin.get(delete_url(student)).content.decode()
    assert "<li>1 messages</li>" in page
    assert User.objects.filter(pk=student.pk).exists()
    done = admin.post(delete_url(student), follow=True).content.decode()
    assert "Removed for good:" in done
    assert "1 messages" in done
    assert not User.objects.filter(pk=student.pk).exists()
    assert not ChatSession.objects.exists()
    assert LogEntry.objects.get().object_repr == "(erased)"


def test_nobody_is_removed_by_the_dozen_or_by_oneself(admin: Client, operator: User, student: User) -> None:
    chosen = {"action": "delete_selected", "_selected_action": [student.pk], "post": "yes"}
    admin.post(reverse("admin:auth_user_changelist"), chosen)
    admin.post(delete_url(operator))
    assert User.objects.count() == 2


def test_everything_held_is_exported_and_that_is_noted(admin: Client, session: ChatSession, student: User) -> None:
    answer = admin.post(export_url(student))
    assert answer["content-disposition"] == f'attachment; filename="person-{student.pk}.json"'
    assert json.loads(answer.content)["conversations"][0]["messages"][0]["content"] == SAID
    noted = AccessLog.objects.get()
    assert (noted.action, noted.owner, noted.session) == ("exported", student, session.pk)


def test_who_may_not_read_text_exports_none(client: Client, outsider: User, student: User, settings: object) -> None:
    outsider.is_staff = True
    outsider.save()
    client.force_login(outsider)
    assert client.post(export_url(student)).status_code == 403
    outsider.user_permissions.set(Permission.objects.filter(codename__in=["view_user", "view_chatsession"]))
    settings.HIDE_MESSAGE_TEXT = True  # type: ignore[attr-defined]
    assert client.post(export_url(student)).status_code == 403
    settings.HIDE_MESSAGE_TEXT = False  # type: ignore[attr-defined]
    assert client.post(export_url(student)).status_code == 200
    assert client.get(export_url(student)).status_code == 403
    assert client.post(delete_url(student)).status_code == 403
