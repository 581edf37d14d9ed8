"""From which pages a websocket is opened."""

from typing import Any

import pytest

from studybuddy.origins import welcome


@pytest.mark.parametrize(
    ("host", "origin", "expected"),
    [
        ("chat.example.org", "https://chat.example.org", True),
        ("chat.example.org:443", "https://chat.example.org", True),
        ("CHAT.example.org", "https://chat.example.org", True),
        ("chat.example.org", "https://chat.example.org:443", True),
        ("chat.example.org:8000", "http://chat.example.org:8000", True),
        ("[2001:db8::1]:8000", "http://[2001:db8::1]:8000", True),
        ("chat.example.org", "https://portal.example.org", True),  # trusted
        ("chat.example.org", "http://portal.example.org", False),
        ("chat.example.org", "https://blog.example.org", False),  # a neighbour
        ("chat.example.org", "https://chat.example.org:8443", False),
        ("chat.example.org", "https://chat.example.org.evil.example", False),
        ("evil.example", "https://evil.example", False),
        ("evil.example", "https://chat.example.org", False),
        ("chat.example.org", "", False),
        ("chat.example.org", "null", False),
        ("chat.example.org", "file://", False),
        ("chat.example.org", "https://chat.example.org:port", False),
        ("chat.example.org", "https://[", False),
        ("", "https://chat.example.org", False),
        ("chat.example.org/x", "https://chat.example.org/x", False),
    ],
)
def test_only_pages_of_the_site_and_of_trusted_ones(settings: Any, host: str, origin: str, expected: bool) -> None:
    settings.DEBUG = False
    settings.ALLOWED_HOSTS = [".example.org", "[2001:db8::1]"]
    settings.CSRF_TRUSTED_ORIGINS = ["https://portal.example.org"]
    assert welcome(host, origin) is expected


def test_on_one_s_own_machine_it_is_local(settings: Any) -> None:
    settings.DEBUG, settings.ALLOWED_HOSTS = True, []
    assert welcome("127.0.0.1:8000", "http://127.0.0.1:8000")
    assert not welcome("chat.example.org", "https://chat.example.org")
