"""`manage.py serve` as operators run it: without DEBUG, behind a proxy with TLS, ended by SIGTERM."""

import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urljoin

import httpx
import pytest
from django.contrib.auth.hashers import PBKDF2PasswordHasher
from django.contrib.auth.models import User

from tests.servers import ROOT, SERVERS, Site, running_site, start_site

pytestmark = pytest.mark.django_db(transaction=True)

HOST = "chat.example.org"
POLICY = {
    "default-src 'none'",
    "script-src 'self'",
    "style-src 'self'",
    "img-src 'self'",
    "font-src 'self'",
    "connect-src 'self'",
    "manifest-src 'self'",
    "form-action 'self'",
    "base-uri 'none'",
    "frame-ancestors 'none'",
}


@pytest.fixture(params=SERVERS)
def production(request: pytest.FixtureRequest, transactional_db: Any, tmp_path: Path) -> Iterator[Site]:
    """A web process with the settings of production, on this test's database."""
    with running_site(
        tmp_path,
        ASGI_SERVER=request.param,
        DEBUG="false",
        ALLOWED_HOSTS=f"{HOST},127.0.0.1",
        TRUSTED_PROXY_TLS="true",
        STATIC_ROOT=str(tmp_path / "static"),
    ) as site:
        yield site


def proxied(site: Site) -> httpx.Client:
    """A browser behind the proxy that ends TLS."""
    return httpx.Client(base_url=site.url, headers={"Host": HOST, "X-Forwarded-Proto": "https"}, timeout=60)


def test_without_debug_pages_are_sealed_and_whole(production: Site) -> None:
    with proxied(production) as browser:
        page = browser.get("/accounts/login/")
        assert page.status_code == 200
        assert set(page.headers["Content-Security-Policy"].split("; ")) == POLICY
        assert page.headers["Strict-Transport-Security"] == "max-age=31536000; includeSubDomains; preload"
        assert page.headers["X-Frame-Options"] == "DENY"
        assert page.headers["X-Content-Type-Options"] == "nosniff"
        assert page.headers["Referrer-Policy"] == "same-origin"
        assert "Secure" in page.headers["Set-Cookie"]
        check_that_every_file_comes(browser, page)
        missing = browser.get("/courses/nothing-like-it")
        assert missing.status_code == 404
        assert "Traceback" not in missing.text
        assert "DEBUG" not in missing.text


def check_that_every_file_comes(browser: httpx.Client, page: httpx.Response) -> None:
    """What the page names, and what that imports, comes under a name with its hash, to be kept for ever."""
    waiting = re.findall(r'(?:href|src)="(/static/[^"#]+)', page.text)
    assert len(waiting) >= 3
    seen: set[str] = set()
    while waiting:
        address = waiting.pop()
        if address in seen:
            continue
        seen.add(address)
        file = browser.get(address)
        assert file.status_code == 200, address
        assert re.search(r"\.[0-9a-f]{12}\.\w+$", address), address
        assert "immutable" in file.headers["Cache-Control"]
        waiting += [urljoin(address, name) for name in re.findall(r'from "(\.[^"]+)"', file.text)]


def test_without_debug_the_session_is_only_sent_over_tls(production: Site, student: User) -> None:
    # Tests hash passwords in a quick way that no real site takes.
    User.objects.update(password=PBKDF2PasswordHasher().encode("pass-word-1", "salt"))
    with proxied(production) as browser:
        page = browser.get("/accounts/login/")
        token = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', page.text)
        assert token
        answer = browser.post(
            "/accounts/login/",
            data={"login": "student", "password": "pass-word-1", "csrfmiddlewaretoken": token[1]},
            # By hand: to this client the address is plain http, and it keeps secure cookies to itself.
            headers={
                "Referer": f"https://{HOST}/accounts/login/",
                "Cookie": page.headers["Set-Cookie"].split(";")[0],
            },
        )
        assert answer.status_code == 302
        cookies = answer.headers.get_list("Set-Cookie")
        assert any(cookie.startswith("sessionid=") for cookie in cookies)
        for cookie in cookies:
            assert "Secure" in cookie
            assert "SameSite=Lax" in cookie
        assert all("HttpOnly" in cookie for cookie in cookies if cookie.startswith("sessionid"))


def test_plain_http_is_sent_to_tls_and_foreign_hosts_are_refused(production: Site) -> None:
    with httpx.Client(base_url=production.url, headers={"Host": HOST}) as browser:
        assert browser.get("/chats").headers["Location"] == f"https://{HOST}/chats"
        assert browser.get("/health").status_code == 200
    with proxied(production) as browser:
        refused = browser.get("/chats", headers={"Host": "evil.example"})
    assert refused.status_code == 400


@pytest.mark.parametrize("server", SERVERS)
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_in_good_order(
    transactional_db: Any, tmp_path: Path, server: str, number: signal.Signals
) -> None:
    site = start_site(tmp_path, ASGI_SERVER=server)
    site.kill(number)
    assert site.process.wait(30) == 0
    assert "Traceback" not in site.log.read_text()


def test_an_occupied_port_gives_one_line() -> None:
    with socket.socket() as occupied:
        occupied.bind(("127.0.0.1", 0))
        occupied.listen()
        done = serve("--port", str(occupied.getsockname()[1]))
    assert done.returncode == 1
    assert len(done.stderr.strip().splitlines()) == 1
    assert "Can't listen on 127.0.0.1" in done.stderr


def test_a_database_that_was_not_migrated_is_said_in_one_line(tmp_path: Path) -> None:
    environment = {**surroundings(), "DATABASE_URL": f"sqlite:///{tmp_path / 'empty.sqlite3'}"}
    command = [sys.executable, "manage.py", "serve", "--port", "0"]
    with subprocess.Popen(command, cwd=ROOT, env=environment, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        try:
            assert re.fullmatch(
                r"The database lacks \d+ migrations: run manage\.py migrate\.\n", process.stderr.readline()
            )
        finally:
            process.kill()


def test_without_debug_a_folder_for_static_files_that_it_may_not_write_gives_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    done = serve("--port", "0", DEBUG="false", SECRET_KEY="k" * 60, STATIC_ROOT=str(tmp_path / "file" / "static"))
    assert done.returncode == 1
    assert len(done.stderr.strip().splitlines()) == 1
    assert "STATIC_ROOT" in done.stderr


def surroundings(**settings: str) -> dict[str, str]:
    return {"PATH": os.environ["PATH"], "ENV_FILE": os.devnull, "DEBUG": "true", **settings}


def serve(*arguments: str, **settings: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "manage.py", "serve", *arguments],
        cwd=ROOT,
        env=surroundings(**settings),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
