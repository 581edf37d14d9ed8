"""What operators are given fits the site: the example of settings, the image, the composition."""

import re
from pathlib import Path

import pytest
import yaml
from django.core.management import get_commands

ROOT = Path(__file__).resolve().parent.parent.parent
CALLS = re.compile(r'env\.(?:text|flag|number|names|origins|choice|url|json|database)\(\s*"([A-Z_]+)"')
READ = set(CALLS.findall((ROOT / "studybuddy" / "settings.py").read_text()))
EXAMPLE = (ROOT / ".env.example").read_text()
DOCUMENTED = re.findall(r"^#([A-Z_]+)=(.*)$", EXAMPLE, re.MULTILINE)


def test_the_example_has_each_setting_once_and_no_other() -> None:
    throttles = {"THROTTLE_SEND", "THROTTLE_UPLOAD", "THROTTLE_SIGNIN", "THROTTLE_OTHER"}
    assert throttles <= READ
    names = [name for name, _ in DOCUMENTED]
    assert sorted(names) == sorted(READ)


@pytest.mark.parametrize(
    ("name", "value"), [(n, v) for n, v in DOCUMENTED if v and re.fullmatch(r"\d+|\d+/\w+|gpt.*|true|false", v)]
)
def test_the_defaults_in_the_example_are_the_sites(name: str, value: str) -> None:
    source = (ROOT / "studybuddy" / "settings.py").read_text()
    call = re.search(rf'env\.(text|flag|number)\("{name}"(?:, (?:default=)?"?([^",)]*)"?)?', source)
    assert call, name
    default = call[2] or "false"
    assert default.lower() in (value, "debug"), name


def test_each_setting_of_the_example_is_explained() -> None:
    for block in EXAMPLE.split("\n\n"):
        if re.search(r"^#[A-Z_]+=", block, re.MULTILINE):
            assert re.search(r"^# ", block, re.MULTILINE) or "THROTTLE" in block, block


def test_the_image_runs_as_nobody_in_particular_and_checks_its_health() -> None:
    lines = (ROOT / "Dockerfile").read_text().splitlines()
    last_user = [line for line in lines if line.startswith("USER ")][-1]
    assert last_user != "USER root"
    assert any(line.startswith("HEALTHCHECK") for line in lines)
    copied = {line.split()[1] for line in lines if line.startswith("COPY ") and "--from" not in line}
    assert copied == {"requirements.txt", "manage.py", "core", "courses", "chats", "studybuddy", "templates", "static"}
    assert all((ROOT / name).exists() for name in copied)


def test_the_operations_page_names_commands_and_settings_that_exist() -> None:
    page = (ROOT / "docs" / "operations.md").read_text()
    commands = set(re.findall(r"manage\.py ([a-z_]+)", page))
    assert commands <= set(get_commands()), commands - set(get_commands())
    composed = set(re.findall(r"\$\{([A-Z_]+)", (ROOT / "compose.yaml").read_text()))
    named = set(re.findall(r"`([A-Z]+_[A-Z_]+)`", page))
    assert named <= READ | composed, named - READ - composed
    figures = set(re.findall(r"`(studybuddy_[a-z_]+)", page))
    sources = (ROOT / "core" / "metrics.py").read_text() + (ROOT / "studybuddy" / "health.py").read_text()
    assert all(f'"{figure.removesuffix("_total")}"' in sources for figure in figures), figures


def test_the_composition_is_whole() -> None:
    composition = yaml.safe_load((ROOT / "compose.yaml").read_text())
    services = composition["services"]
    assert set(services) == {"web", "worker", "migrate", "proxy", "db", "redis"}
    assert services["web"]["deploy"]["replicas"] >= 2
    for name in ("web", "worker", "migrate"):
        service = services[name]
        assert service["read_only"] is True
        command = service["command"].split()
        assert command[:2] == ["python", "manage.py"]
        assert command[2] in get_commands(), command
        unknown = set(service["environment"]) - READ
        assert not unknown, unknown
    for volume in (entry.partition(":")[0] for one in services.values() for entry in one.get("volumes", [])):
        assert volume.startswith("./") or volume in composition["volumes"]
    for one in services.values():
        assert set(one.get("depends_on", {})) <= set(services)
