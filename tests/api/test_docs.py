"""What docs/api.md tells people to type works, in the order in which it stands there."""

import json
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from django.contrib.auth.hashers import PBKDF2PasswordHasher
from django.contrib.auth.models import User

from chats.models import ChatSession, Feedback, Message
from courses.models import Course, Document, Enrollment, Lecture, Passage
from tests.servers import Site

pytestmark = pytest.mark.django_db(transaction=True)
PAGE = Path(__file__).resolve().parents[2] / "docs" / "api.md"


def test_the_commands_of_the_page_work(site: Site, tmp_path: Path) -> None:
    curl = shutil.which("curl")
    if curl is None:
        assert not os.environ.get("CI"), "With CI set, curl has to be there."
        pytest.skip("no curl: the commands of docs/api.md were not tried")
    # Hashed as the running site does it, not as tests do for speed.
    user = User.objects.create(username="student", password=PBKDF2PasswordHasher().encode("studybuddy", "salt" * 6))
    course = Course.objects.create(code="ML101", title="Introduction to Machine Learning")
    Enrollment.objects.create(course=course, user=user, role="student")
    lecture = Lecture.objects.create(course=course, number=3, title="Gradient descent")
    document = Document.objects.create(
        course=course, lecture=lecture, title="Notes", file_name="n.md", sha256="1", state="ready"
    )
    Passage.objects.create(document=document, position=0, text="The learning rate says how far a step goes.", page=1)

    blocks = re.findall(r"^```bash\n(.*?)^```", PAGE.read_text(), re.DOTALL | re.MULTILINE)
    assert len(blocks) >= 7
    script = "\n".join(blocks).replace("http://127.0.0.1:8000", site.url)
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", script],
        cwd=tmp_path,
        env={"PATH": os.environ["PATH"]},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, f"{done.stdout[-3000:]}\n{done.stderr}"
    for expected in (
        "Gradient descent",
        '"text-delta"',
        "<mark>",
        "not_authenticated",
        "There is no such field",
        "[DONE]",
    ):
        assert expected in done.stdout, expected
    assert (tmp_path / "chat.md").read_text().startswith("# Learning rates")
    assert json.loads((tmp_path / "chat.json").read_text())["title"] == "Learning rates"
    assert ChatSession.objects.count() == 2
    assert Feedback.objects.count() == 2
    assert Message.objects.filter(content="What is a step size?").exists()


def test_the_page_names_every_code_that_the_api_knows() -> None:
    sources = [*Path("core/api").glob("*.py"), *Path("core").glob("errors.py"), Path("chats/exceptions.py")]
    known = {
        code
        for source in sources
        for code in re.findall(r'(?:default_code|code) = "(\w+)"', (PAGE.parents[1] / source).read_text())
    }
    page = PAGE.read_text()
    missing = {code for code in known if f"`{code}`" not in page}
    # The first is what the others are told by, the second is spelt validation_error outside.
    assert missing <= {"error", "invalid"}
