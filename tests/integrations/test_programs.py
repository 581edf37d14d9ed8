"""The programs of the documentation and the examples run as they stand, against a model server of the tests' own."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from django.contrib.auth.models import User

from chats.models import ChatSession
from chats.services import history
from tests.fakes.fixtures import ModelServer
from tests.servers import database_url

ROOT = Path(__file__).resolve().parents[2]
PAGES = {"openai-agents": "agents", "pydantic-ai": "pydantic_ai", "agno": "agno"}
EXAMPLES = {"openai_agents_tutor": "agents", "pydantic_ai_tutor": "pydantic_ai", "agno_tutor": "agno"}


@pytest.mark.django_db(transaction=True)
@pytest.mark.once_with_postgres
@pytest.mark.parametrize("page", PAGES)
def test_the_program_on_each_page_runs(page: str, student: User, model_server: ModelServer) -> None:
    pytest.importorskip(PAGES[page], reason=f"{PAGES[page]} is not installed")
    text = (ROOT / "docs" / "integrations" / f"{page}.md").read_text()
    (program,) = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    environment = {
        **os.environ,
        "DATABASE_URL": database_url(),
        "OPENAI_BASE_URL": model_server.base_url,
        "OPENAI_API_KEY": "test",
        "CHAT_MODEL": "plain:3",
    }
    command = [sys.executable, "-c", program]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "Tutor: Gradient descent takes" in done.stdout
    session = ChatSession.objects.for_user(student).get()
    spoken = [(message.role, message.content) for message in history.page(session=session).messages]
    assert [role for role, _ in spoken] == ["user", "assistant"] * 2
    assert [text for role, text in spoken if role == "user"] == ["What is overfitting?", "And underfitting?"]


def test_the_three_examples_continue_one_conversation(model_server: ModelServer, tmp_path: Path) -> None:
    for module in EXAMPLES.values():
        pytest.importorskip(module, reason=f"{module} is not installed")
    environment = {
        **os.environ,
        "DATABASE_URL": f"sqlite:///{tmp_path}/examples.sqlite3",
        "OPENAI_BASE_URL": model_server.base_url,
        "OPENAI_API_KEY": "test",
        "CHAT_MODEL": "echo#examples",
        "PYTHONWARNINGS": "default",
    }
    for name in EXAMPLES:
        command = [sys.executable, f"examples/{name}.py", f"Asked by {name}"]
        done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        assert f"Asked by {name}" in done.stdout
    last = model_server.requests("echo#examples")[-1]["body"]["messages"]
    asked = [message["content"] for message in last if message["role"] == "user"]
    assert asked == [f"Asked by {name}" for name in EXAMPLES]


def test_an_example_without_a_model_says_what_to_name(tmp_path: Path) -> None:
    environment = {**os.environ, "DATABASE_URL": f"sqlite:///{tmp_path}/examples.sqlite3"}
    command = [sys.executable, "examples/agno_tutor.py", "x"]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr.strip().splitlines()[-1].startswith("Name a model to ask: OPENAI_API_KEY=")


@pytest.mark.parametrize(
    ("module", "package", "distribution"),
    [
        ("openai_agents", "agents", "openai-agents"),
        ("pydantic_ai", "pydantic_ai", "pydantic-ai-slim"),
        ("agno", "agno", "agno"),
    ],
)
def test_without_the_package_the_import_says_in_one_line_what_to_install(
    module: str, package: str, distribution: str
) -> None:
    code = f"import sys; sys.modules[{package!r}] = None\nimport django; django.setup()\n"
    code += f"try:\n    import chats.integrations.{module}\nexcept ImportError as error:\n    print(error)"
    environment = {**os.environ, "DJANGO_SETTINGS_MODULE": "studybuddy.settings"}
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=True)
    (line,) = done.stdout.strip().splitlines()
    assert distribution in line
    assert "pip install -r requirements-integrations.txt" in line
