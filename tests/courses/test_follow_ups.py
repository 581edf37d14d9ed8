"""Questions that lean on what was said before are searched with its words, others are not."""

import pytest
from django.contrib.auth.models import User

from courses.models import Course
from courses.retrieval import search
from tests.courses.material import upload, work

pytestmark = pytest.mark.django_db(transaction=True)

DESCENT = "# Gradient descent\n\n## Step size\n\nGradient descent may diverge when its steps are too large.\n"
SERIES = "# Series\n\n## Harmonic\n\nThe harmonic series is known to diverge, although its terms vanish.\n"
TREES = "# Trees\n\n## Pruning\n\nA tree is pruned so that it does not learn the noise.\n"


@pytest.fixture
def course_of_three(instructor: User, course: Course) -> Course:
    for number, text in enumerate((DESCENT, SERIES, TREES)):
        upload(instructor, course, text, f"{number}.md")
    work()
    return course


@pytest.mark.parametrize(
    ("before", "question", "first"),
    [
        (["What is gradient descent?"], "And why does it diverge?", "Gradient descent › Step size"),
        (["What is the harmonic series?"], "And why does it diverge?", "Series › Harmonic"),
        (["What is the harmonic series?"], "Why?", "Series › Harmonic"),
        (["How is a tree pruned?", "What is gradient descent?"], "When does that diverge?",
         "Gradient descent › Step size"),
        # Who asks about something else is not held to what was said.
        (["What is gradient descent?"], "How is a tree pruned against noise?", "Trees › Pruning"),
        (["What is gradient descent?"], "And how is a tree pruned?", "Trees › Pruning"),
    ],
)  # fmt: skip
def test_a_follow_up_is_searched_in_its_context(
    course_of_three: Course, student: User, before: list[str], question: str, first: str
) -> None:
    hits = search(user=student, course=course_of_three, query=question, context=before)
    assert hits[0].heading == first


def test_without_anything_said_before_a_bare_why_finds_nothing(course_of_three: Course, student: User) -> None:
    assert search(user=student, course=course_of_three, query="Why?") == []
