"""The package stands without Django, and the tutor without the openai client."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]


def loaded_by(statement: str) -> set[str]:
    program = f"{statement}\nimport sys\nprint(*(name.split('.')[0] for name in sys.modules))"
    result = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, env={}, check=True, capture_output=True, text=True
    )
    return set(result.stdout.split())


def test_neither_models_nor_prompts_need_django() -> None:
    loaded = loaded_by("import chats.llm.openai_compatible, chats.llm.tutor, chats.prompts")
    assert "openai" in loaded
    assert not loaded & {"django", "channels", "studybuddy"}


def test_the_tutor_needs_no_client() -> None:
    assert "openai" not in loaded_by("from chats.llm import *; provider_from(ProviderConfig())")
