"""Enrolling a list of people from a CSV file: read, shown with what is wrong in which row, then done."""

import csv
import io
import uuid
from dataclasses import dataclass

from django.contrib.auth.models import User
from django.db import transaction
from django.db.models.functions import Lower

from core.errors import DomainError, Invalid
from courses.models import Course, Enrollment
from courses.querysets import Person
from courses.services import enrolments

ROWS_MOST = 5000
BYTES_MOST = 1_000_000
HEADINGS = ("username", "user", "email", "e-mail", "name")
ROLES = tuple(Enrollment.Role.values)


@dataclass(frozen=True)
class Row:
    """A line of the file. `problem` says what is wrong with it, or is empty; `person` is whom it names."""

    line: int
    name: str
    role: str
    person: User | None
    present_role: str  # in the course now; empty for who isn't
    problem: str

    @property
    def outcome(self) -> str:
        if self.problem:
            return self.problem
        if self.present_role == self.role:
            return "is enrolled already"
        return f"becomes {self.role}, was {self.present_role}" if self.present_role else "will be enrolled"

    @property
    def changes(self) -> bool:
        return not self.problem and self.present_role != self.role


def decode(content: bytes) -> str:
    """The text of an uploaded file. Raises Invalid for what is no text or too long."""
    if len(content) > BYTES_MOST:
        raise Invalid("The file is longer than a list of people can be.", errors={"file": ["At most 1 MB."]})
    for encoding in ("utf-8-sig", "cp1252"):
        try:
            return content.decode(encoding)
        except UnicodeDecodeError:
            continue
    raise Invalid("This is no text file.", errors={"file": ["Save the table as CSV, in UTF-8."]})


def read(*, user: Person | None, course_id: uuid.UUID | str, text: str) -> list[Row]:
    """What each line of the CSV means: a user name or mail address, then perhaps a role.

    Raises NotFound, Forbidden as `enrolments` does, Invalid for a file that is no list.
    """
    present = {row.user_id: row.role for row in enrolments.listed(user=user, course_id=course_id)}
    lines = _lines(text)
    people = _people({name for _, name, _ in lines})
    seen: set[str] = set()
    rows = []
    for number, name, role in lines:
        found = people.get(name.lower(), [])
        person = found[0] if len(found) == 1 else None
        problem = _problem(name, role, found, name.lower() in seen)
        seen.add(name.lower())
        rows.append(Row(number, name, role, person, present.get(person.pk, "") if person else "", problem))
    return rows


@transaction.atomic
def enrol(*, user: Person | None, course_id: uuid.UUID | str, text: str) -> tuple[int, list[Row]]:
    """Enrol everybody in the list without a problem. Returns how many changed, and the rows left out with theirs."""
    rows = read(user=user, course_id=course_id, text=text)
    refused = [row for row in rows if row.problem]
    count = 0
    for row in rows:
        if not row.changes or row.person is None:
            continue
        try:
            enrolments.enrol(user=user, course_id=course_id, username=row.person.get_username(), role=row.role)
        except Invalid as error:
            refused.append(Row(row.line, row.name, row.role, row.person, row.present_role, _said(error)))
        else:
            count += 1
    return count, refused


def may_manage(*, user: Person, course: Course) -> bool:
    """Whether `user` decides who is in the course."""
    return Course.objects.taught_by(user).filter(pk=course.pk).exists()


def _lines(text: str) -> list[tuple[int, str, str]]:
    """(line number, name, role) of each line that says something."""
    first = text.partition("\n")[0]
    delimiter = max(",;\t", key=first.count)
    found: list[tuple[int, str, str]] = []
    try:
        for cells in (
            reader := csv.reader(io.StringIO(text.replace("\0", "\N{REPLACEMENT CHARACTER}")), delimiter=delimiter)
        ):
            values = [cell.strip() for cell in cells]
            if not any(values) or (not found and values[0].lower() in HEADINGS):
                continue
            role = values[1].lower() if len(values) > 1 and values[1] else Enrollment.Role.STUDENT
            found.append((reader.line_num, values[0], str(role)))
    except csv.Error as error:
        raise Invalid("The file can't be read as CSV.", errors={"file": [f"{error}."]}) from None
    if not found:
        raise Invalid("There is nobody in the file.", errors={"file": ["One user name or mail address per line."]})
    if len(found) > ROWS_MOST:
        raise Invalid("The file is too long.", errors={"file": [f"At most {ROWS_MOST} people at once."]})
    return found


def _people(names: set[str]) -> dict[str, list[User]]:
    """Active accounts by user name and by mail address, in small letters. A mail address can be several people's."""
    lowered = [name.lower() for name in names]
    accounts = User.objects.filter(is_active=True).annotate(name=Lower("username"), mail=Lower("email"))
    found: dict[str, list[User]] = {}
    for account in accounts.filter(mail__in=lowered).exclude(email="").order_by("pk"):
        found.setdefault(account.mail, []).append(account)
    for account in accounts.filter(name__in=lowered).order_by("pk"):
        found[account.name] = [account]
    return found


def _problem(name: str, role: str, found: list[User], is_again: bool) -> str:
    if not name:
        return "no name in the first column"
    if role not in ROLES:
        return f"unknown role “{role[:40]}”: student or instructor"
    if is_again:
        return "the same person stands further up"
    if len(found) > 1:
        return "several accounts have this mail address: give the user name"
    return "" if found else "no account has this user name or mail address"


def _said(error: DomainError) -> str:
    return error.detail
