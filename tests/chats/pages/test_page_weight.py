"""Everything of our own that a page can load stays small, comes from here, and leaves the policy whole."""

import re
from pathlib import Path

import pytest
from django.conf import settings
from django.test import Client

from .conftest import MakeConversation

MOST_BYTES = 60_000


def test_all_own_styles_and_scripts_stay_under_60_kb() -> None:
    found = Path(settings.BASE_DIR, "static").rglob("*")
    # The admin's sheet lies on top of Django's own and on no page of the site.
    files = [path for path in found if path.suffix in (".css", ".js") and path.name != "admin.css"]
    assert len(files) > 5
    assert sum(path.stat().st_size for path in files) < MOST_BYTES


@pytest.mark.django_db
def test_pages_hold_no_inline_script_or_style_and_nothing_from_other_hosts(
    as_student: Client, make_conversation: MakeConversation
) -> None:
    session = make_conversation(2)
    paths = [
        "/chats",
        f"/chats/{session.pk}",
        "/courses",
        f"/courses/{session.course_id}",
        "/account",
        "/accounts/login/",
        "/accounts/email/",
        "/accounts/2fa/",
        "/accounts/password/change/",
    ]
    for path in paths:
        response = as_student.get(path, follow=True)
        html = response.content.decode()
        assert response.status_code == 200, path
        policy = response["Content-Security-Policy"]
        assert "script-src 'self'" in policy
        assert "unsafe" not in policy
        assert not re.search(r"<style|\sstyle=|\son[a-z]+=\"|javascript:", html), path
        for tag in re.findall(r"<script[^>]*>", html):
            assert "src=" in tag or 'type="application/json"' in tag, (path, tag)
        assert not re.findall(r"""(?:src|href|action)=["'](?:https?:)?//""", html), path


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("cookie", "theme"), [("dark", "dark"), ("light", "light"), ("", "system"), ('"><x', "system")]
)
def test_the_chosen_theme_is_there_before_anything_is_painted(client: Client, cookie: str, theme: str) -> None:
    client.cookies["theme"] = cookie
    assert f'data-theme="{theme}"' in client.get("/accounts/login/").content.decode()
