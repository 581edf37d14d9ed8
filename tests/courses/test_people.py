"""Who is in a course: by hand, by list, by a link; and out again."""

from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from courses.models import Course, Enrollment, JoinLink


@pytest.fixture
def teacher(client: Client, instructor: User, course: Course) -> Client:
    client.force_login(instructor)
    return client


def test_a_list_is_shown_first_with_what_is_wrong_in_which_row(teacher: Client, course: Course, outsider: User) -> None:
    User.objects.create_user("twin-1", "twin@example.org")
    User.objects.create_user("twin-2", "twin@example.org")
    shown = upload(
        teacher,
        course,
        "username,role\noutsider\nstudent\nnobody\noutsider\ninstructor,dean\ntwin@example.org\n,\n,student\n",
    ).content.decode()
    for line, text in (
        (2, "will be enrolled"),
        (3, "is enrolled already"),
        (4, "no account has this user name"),
        (5, "the same person stands further up"),
        (6, "unknown role “dean”"),
        (7, "several accounts have this mail address"),
        (9, "no name in the first column"),
    ):
        assert text in shown.partition(f"<td>{line}</td>")[2].partition("</tr>")[0], line
    assert "Enrol 1 person" in shown
    assert not Enrollment.objects.filter(user=outsider).exists()


def test_a_confirmed_list_enrols_whom_it_can(teacher: Client, course: Course, outsider: User) -> None:
    teacher.post(people(course, "roster"), {"text": "OUTSIDER@example.org;instructor\nnobody\n", "confirmed": "yes"})
    assert Enrollment.objects.get(user=outsider).role == "instructor"


def test_what_was_previewed_is_what_is_confirmed(teacher: Client, course: Course, outsider: User) -> None:
    page = upload(teacher, course, "outsider")
    teacher.post(people(course, "roster"), {"text": page.context["text"], "confirmed": "yes"})
    assert Enrollment.objects.filter(user=outsider, course=course).exists()


def test_a_list_cannot_take_away_the_last_instructor(teacher: Client, course: Course, instructor: User) -> None:
    answer = teacher.post(people(course, "roster"), {"text": "instructor,student", "confirmed": "yes"}, follow=True)
    assert "0 enrolled or changed, 1 left out" in answer.content.decode()
    assert Enrollment.objects.get(user=instructor).role == "instructor"


@pytest.mark.parametrize(
    "content",
    [b"", b"\n\n", b"username\n", b"\xff\xfe\x00\x81\x8d", b'"' + b"x" * 200_000, b"x" * 1_100_000, b"x\n" * 5001],
)
def test_what_is_no_list_is_refused_in_words(teacher: Client, course: Course, content: bytes) -> None:
    assert upload(teacher, course, content).status_code in (200, 422)


def test_a_name_in_a_list_is_inert(teacher: Client, course: Course) -> None:
    shown = upload(teacher, course, "<script>alert(1)</script>,</textarea><b>\n\0x").content.decode()
    assert "<script>alert" not in shown
    assert "</textarea><b>" not in shown


def test_a_person_is_enrolled_and_removed(teacher: Client, course: Course, outsider: User) -> None:
    teacher.post(people(course, "enrol"), {"username": "outsider", "role": "student"})
    assert Enrollment.objects.filter(user=outsider).exists()
    teacher.post(people(course, "unenrol"), {"username": "outsider"})
    assert not Enrollment.objects.filter(user=outsider).exists()
    assert teacher.post(people(course, "unenrol"), {"username": "outsider"}).status_code == 422
    assert teacher.post(people(course, "enrol"), {"username": "nobody"}).status_code == 422


def test_who_has_a_link_joins_after_saying_so(teacher: Client, course: Course, outsider: User) -> None:
    teacher.post(people(course, "make-link"), {"days": "14"})
    url = reverse("courses:join", args=[JoinLink.objects.get().code])
    assert url in teacher.get(people(course, "people")).content.decode()
    teacher.force_login(outsider)
    assert "Join Introduction to Machine Learning?" in teacher.get(url).content.decode()
    assert not Enrollment.objects.filter(user=outsider).exists(), "opening it is not enough"
    teacher.post(url)
    assert Enrollment.objects.get(user=outsider).role == "student"


def test_joining_again_changes_nothing(teacher: Client, course: Course, instructor: User) -> None:
    link = JoinLink.objects.create(course=course)
    teacher.post(reverse("courses:join", args=[link.code]))
    assert Enrollment.objects.get(user=instructor).role == "instructor"


def test_a_link_that_ended_leads_nowhere(teacher: Client, course: Course, outsider: User) -> None:
    past = timezone.now() - timedelta(minutes=1)
    archived = Course.objects.create(code="OLD", title="Old", is_archived=True)
    codes = [
        JoinLink.objects.create(course=course, expires_at=past).code,
        JoinLink.objects.create(course=course, is_open=False).code,
        JoinLink.objects.create(course=archived).code,
        "NOSUCHCODE",
        "\0",
    ]
    teacher.force_login(outsider)
    for code in codes:
        url = reverse("courses:join", args=[code])
        assert teacher.get(url).status_code == 404, code
        assert teacher.post(url).status_code == 404, code
    assert not Enrollment.objects.filter(user=outsider).exists()


def test_a_link_can_be_taken_back(teacher: Client, course: Course) -> None:
    link = JoinLink.objects.create(course=course)
    teacher.post(reverse("courses:close-link", args=[course.pk, link.pk]))
    assert not JoinLink.objects.get().is_open


@pytest.mark.parametrize("days", ["0", "-1", "367", "x", "", "9" * 5000])
def test_a_link_lasts_a_sensible_time(teacher: Client, course: Course, days: str) -> None:
    assert teacher.post(people(course, "make-link"), {"days": days}).status_code == 422
    assert not JoinLink.objects.exists()


@pytest.mark.parametrize("name", ["people", "enrol", "unenrol", "roster", "make-link"])
def test_only_instructors_decide(client: Client, course: Course, student: User, outsider: User, name: str) -> None:
    call = client.get if name == "people" else client.post
    assert call(people(course, name)).status_code == 302
    client.force_login(student)
    assert call(people(course, name)).status_code == 403
    client.force_login(outsider)
    assert call(people(course, name)).status_code == 404


def test_a_link_of_another_course_cannot_be_closed(teacher: Client, course: Course) -> None:
    link = JoinLink.objects.create(course=Course.objects.create(code="X", title="X"))
    assert teacher.post(reverse("courses:close-link", args=[course.pk, link.pk])).status_code == 404
    assert JoinLink.objects.get().is_open


def people(course: Course, name: str) -> str:
    return reverse(f"courses:{name}", args=[course.pk])


def upload(client: Client, course: Course, content: str | bytes) -> Any:
    data = content.encode() if isinstance(content, str) else content
    return client.post(people(course, "roster"), {"file": SimpleUploadedFile("list.csv", data)})


@pytest.fixture
def operators(client: Client, operator: User) -> Client:
    client.force_login(operator)
    return client


ADMIN_LIST = "/admin/courses/enrollment/list/"


def test_an_operator_enrols_a_list_after_seeing_what_will_happen(
    operators: Client, course: Course, outsider: User
) -> None:
    assert ADMIN_LIST in operators.get("/admin/courses/enrollment/").content.decode()
    file = SimpleUploadedFile("list.csv", b"username,role\noutsider@example.org\nstudent\nnobody\noutsider,king\n")
    page = operators.post(ADMIN_LIST, {"course": course.pk, "file": file})
    text = page.content.decode()
    for outcome in ("will be enrolled", "is enrolled already", "no account has this", "unknown role"):
        assert outcome in text
    assert not Enrollment.objects.filter(user=outsider).exists()
    sent = {**page.context["confirmed"].initial, "confirmed": "Enrol 1 person"}
    done = operators.post(ADMIN_LIST, sent, follow=True).content.decode()
    assert "1 enrolled or changed in ML101." in done
    assert "2 left out. line 4, nobody: no account has this user name or mail address" in done
    assert Enrollment.objects.get(user=outsider).role == "student"


@pytest.mark.parametrize(
    "sent",
    [
        {},
        {"course": ""},
        {"file": b""},
        {"file": b"\n\n"},
        {"file": b"\x81\x8d\x00"},
        {"confirmed": "x", "text": "a\0"},
    ],
)
def test_a_list_that_is_none_leaves_an_operator_on_the_page(
    operators: Client, course: Course, sent: dict[str, Any]
) -> None:
    given = {"course": course.pk, **sent}
    if "file" in sent:
        given["file"] = SimpleUploadedFile("list.csv", sent["file"])
    answer = operators.post(ADMIN_LIST, given)
    assert answer.status_code == 200
    assert "Nothing was changed" in answer.content.decode()
    assert Enrollment.objects.count() == 3


def test_staff_who_may_not_enrol_have_no_list(client: Client, outsider: User) -> None:
    outsider.is_staff = True
    outsider.save()
    client.force_login(outsider)
    assert client.get(ADMIN_LIST).status_code == 403
