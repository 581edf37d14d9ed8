"""`manage.py quickstart`: from nothing to a site that one can sign in to, and one line where that can't be."""

import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import psutil
import pytest

from tests.servers import ROOT, free_port, until

START_SECONDS = 240  # with migrations and the demo's material, beside other tests
NO_PORT = 0  # for what never comes to listen: a port that is free now may be taken a moment later
pytestmark = pytest.mark.once_with_postgres  # it makes a SQLite file of its own


class Started:
    """A running quickstart, its output so far, and a browser before it."""

    def __init__(self, folder: Path, *arguments: str, **settings: str) -> None:
        self.port = free_port()
        self.output = folder / "output.log"
        with self.output.open("wb") as output:
            self.process = subprocess.Popen(
                command(*arguments, port=self.port),
                cwd=ROOT,
                env=environment(folder, **settings),
                stdout=output,
                stderr=subprocess.STDOUT,
            )
        self.browser = httpx.Client(base_url=f"http://127.0.0.1:{self.port}", timeout=30)

    def said(self) -> str:
        return self.output.read_text()

    def answers(self) -> bool:
        assert self.process.poll() is None, self.said()
        try:
            return self.browser.get("/health").status_code == 200
        except httpx.TransportError:
            return False

    def sign_in(self, username: str, password: str = "studybuddy") -> httpx.Response:
        page = self.browser.get("/accounts/login/")
        given = {"login": username, "password": password, "csrfmiddlewaretoken": token(page)}
        return self.browser.post("/accounts/login/", data=given)

    def stop(self, number: int = signal.SIGINT) -> int:
        """Send the signal; return the exit code, once all its processes have gone."""
        parts = psutil.Process(self.process.pid).children(recursive=True)
        assert len(parts) >= 2, parts
        self.process.send_signal(number)
        code = self.process.wait(30)
        assert psutil.wait_procs(parts, timeout=10)[1] == []
        return code


def token(page: httpx.Response) -> str:
    found = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', page.text)
    assert found
    return found[1]


def command(*arguments: str, port: int) -> list[str]:
    return [sys.executable, "manage.py", "quickstart", "--port", str(port), *arguments]


def environment(folder: Path, **settings: str) -> dict[str, str]:
    return {
        "PATH": os.environ["PATH"],
        "ENV_FILE": os.devnull,
        "DATABASE_URL": f"sqlite:///{folder}/data/studybuddy.sqlite3",
        "MEDIA_ROOT": str(folder / "media"),
        "STATIC_ROOT": str(folder / "static"),
        "SHUTDOWN_GRACE_SECONDS": "1",
        **settings,
    }


Quickstart = Callable[..., Started]


@pytest.fixture
def quickstart(tmp_path: Path) -> Iterator[Quickstart]:
    """Starts one on this test's own folder; what still runs at the end is stopped."""
    started: list[Started] = []

    def start(*arguments: str, **settings: str) -> Started:
        one = Started(tmp_path, *arguments, **settings)
        started.append(one)
        until(one.answers, START_SECONDS, what="the site to start")
        return one

    yield start
    for one in started:
        one.browser.close()
        if one.process.poll() is None:
            one.process.terminate()
            one.process.wait(30)


def refused(folder: Path, *arguments: str, **settings: str) -> str:
    """The one line with which it refuses to start."""
    done = subprocess.run(
        command(*arguments, port=int(settings.pop("at", NO_PORT))),
        cwd=ROOT,
        env=environment(folder, **settings),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 1, done
    lines = done.stderr.strip().splitlines()
    assert len(lines) == 1, done.stderr
    return lines[0]


def test_it_brings_a_site_to_sign_in_to_and_keeps_what_was_said(quickstart: Quickstart) -> None:
    first = quickstart()
    assert first.sign_in("student").headers["Location"] == "/"
    courses = first.browser.get("/courses").text
    assert courses.count("Introduction to Machine Learning") >= 1
    course_id = re.search(r"/courses/([0-9a-f-]{36})", courses)
    assert course_id
    assert f"http://127.0.0.1:{first.port}" in first.said()
    assert "student, other, instructor or admin; the password is studybuddy" in first.said()
    assert "No language model is configured" in first.said()
    page = first.browser.get("/chats")
    asked = first.browser.post(
        "/chats",
        data={"course": course_id[1], "text": "What is gradient descent?", "csrfmiddlewaretoken": token(page)},
    )
    chat = asked.headers["Location"]
    assert until(lambda: "Gradient descent" in first.browser.get(chat).text, what="the answer")
    material = documents(first)
    assert first.stop() == 0

    second = quickstart()
    assert "Loading the demo course" not in second.said()
    second.sign_in("student")
    assert "What is gradient descent?" in second.browser.get(chat).text
    assert documents(second) == material


def documents(site: Started) -> list[str]:
    """The ids of the demo's documents, as the course's page lists them."""
    course = re.search(r"/courses/[0-9a-f-]{36}", site.browser.get("/courses").text)
    assert course
    found = sorted(set(re.findall(r"/documents/([0-9a-f-]{36})", site.browser.get(course[0]).text)))
    assert len(found) >= 6
    return found


def test_sigterm_stops_the_web_process_and_the_worker(quickstart: Quickstart) -> None:
    assert quickstart("--no-demo").stop(signal.SIGTERM) == 0


def test_when_a_part_ends_all_end_with_a_failure(quickstart: Quickstart) -> None:
    started = quickstart("--no-demo")
    web, worker = psutil.Process(started.process.pid).children()
    assert "db_worker" in " ".join(worker.cmdline())
    worker.kill()
    assert started.process.wait(30) == 1
    assert psutil.wait_procs([web], timeout=10)[1] == []
    assert "db_worker ended" in started.said()


def test_without_the_demo_there_is_no_course_and_nobody_with_a_known_password(quickstart: Quickstart) -> None:
    started = quickstart("--no-demo")
    assert started.sign_in("admin").status_code == 200  # the form again
    assert "Sign in as" not in started.said()
    assert "Loading the demo course" not in started.said()


def test_without_debug_it_makes_no_demo_accounts(quickstart: Quickstart) -> None:
    started = quickstart(DEBUG="false", SECRET_KEY="k" * 60)
    headers = {"X-Forwarded-Proto": "https"}
    assert started.browser.get("/accounts/login/", headers=headers).status_code == 301
    assert "Sign in as" not in started.said()
    started.stop()
    shell = "from django.contrib.auth.models import User; from courses.models import Course;"
    shell += "print(User.objects.count(), Course.objects.count())"
    done = subprocess.run(
        [sys.executable, "manage.py", "shell", "--no-imports", "-c", shell],
        cwd=ROOT,
        env=environment(started.output.parent, DEBUG="true"),
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.split() == ["0", "1"]


def test_an_occupied_port_gives_one_line(tmp_path: Path) -> None:
    with socket.socket() as occupied:
        occupied.bind(("127.0.0.1", 0))
        occupied.listen()
        port = occupied.getsockname()[1]
        line = refused(tmp_path, at=str(port))
    assert f"Can't listen on 127.0.0.1:{port}" in line
    assert f"PORT={port + 1}" in line


@pytest.mark.parametrize(
    ("host", "says"), [("203.0.113.1", "Can't listen on 203.0.113.1"), ("no such host", "Can't listen on no such host")]
)
def test_a_host_that_is_not_this_machines_gives_one_line(tmp_path: Path, host: str, says: str) -> None:
    assert says in refused(tmp_path, "--host", host)


def test_a_file_where_a_folder_should_be_gives_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    line = refused(tmp_path, MEDIA_ROOT=str(tmp_path / "file" / "media"))
    assert str(tmp_path / "file" / "media") in line
    assert "MEDIA_ROOT" in line


@pytest.mark.parametrize("setting", ["MEDIA_ROOT", "DATABASE_URL"])
def test_an_unwritable_folder_gives_one_line(tmp_path: Path, setting: str) -> None:
    locked = tmp_path / "locked"
    locked.mkdir()
    locked.chmod(0o555)
    value = {"MEDIA_ROOT": str(locked), "DATABASE_URL": f"sqlite:///{locked}/studybuddy.sqlite3"}[setting]
    done = subprocess.run(
        [*without_roots_rights(), *command("--no-demo", port=NO_PORT)],
        cwd=ROOT,
        env=environment(tmp_path, **{setting: value}),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 1
    line = done.stderr.strip()
    assert "\n" not in line, line
    assert f"Can't write to the folder {locked}" in line
    assert setting in line


def without_roots_rights() -> list[str]:
    """What makes root heed the rights of files; containers often test as root."""
    return ["setpriv", "--bounding-set=-dac_override,-dac_read_search"] if os.geteuid() == 0 else []


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"CHAT_HISTORY_TURNS": "many"}, "CHAT_HISTORY_TURNS must be a whole number"),
        ({"RUNNER_LEASE_SECONDS": "1", "REPLY_JOURNAL_MS": "900"}, "RUNNER_LEASE_SECONDS"),
        ({"DATABASE_URL": "postgres://nobody@127.0.0.1:1/none"}, "Can't use the database of DATABASE_URL"),
        ({"DATABASE_URL": "postgres://u:p@127.0.0.1:notaport/none"}, "DATABASE_URL can't be read"),
        ({"DEBUG": "false"}, "SECRET_KEY is required without DEBUG"),
    ],
)
def test_a_wrong_setting_gives_one_line(tmp_path: Path, settings: dict[str, str], says: str) -> None:
    assert says in refused(tmp_path, **settings)


def test_a_database_file_that_is_none_gives_one_line(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "studybuddy.sqlite3").write_text("My diary. " * 1000)
    assert "Can't use the database of DATABASE_URL: file is not a database" in refused(tmp_path)


def test_ctrl_c_while_it_prepares_ends_without_a_traceback(tmp_path: Path) -> None:
    with subprocess.Popen(
        command(port=NO_PORT), cwd=ROOT, env=environment(tmp_path), stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        assert b"Loading the demo course" in process.stdout.readline()
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=30)
    assert process.returncode == 130
    assert b"Traceback" not in errors
