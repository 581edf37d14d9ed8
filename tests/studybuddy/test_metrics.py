"""What a process counts while it makes replies, as Prometheus reads it."""

import asyncio
import urllib.request
from collections import Counter

import pytest
from django.contrib.auth.models import User

from chats.services import sessions
from tests.servers import Fleet, Site, cookies, until
from tests.sockets import open_page

pytestmark = pytest.mark.django_db(transaction=True)


async def test_a_reply_is_counted_once_and_timed(site: Site, fleet: Fleet, student: User, operator: User) -> None:
    chat, _ = await asyncio.to_thread(sessions.create, user=student)
    before = await asyncio.to_thread(figures, fleet, operator)
    async with open_page(site, student, chat.pk) as page:
        await page.ask("What is gradient descent?")
        await page.until("reply.finished")
    ended = 'studybuddy_reply_seconds_count{outcome="complete"}'
    after = await asyncio.to_thread(
        until, lambda: (found := figures(fleet, operator)).get(ended, 0) > before.get(ended, 0) and found
    )
    assert after[ended] == before.get(ended, 0) + 1
    for name in ("studybuddy_reply_first_token_seconds_count", "studybuddy_reply_first_token_seconds_sum"):
        assert after[name] > before[name], name
    assert after["studybuddy_replies_running"] == 0


def figures(fleet: Fleet, person: User) -> Counter[str]:
    """The sums over all processes: each counts the replies that it makes."""
    total: Counter[str] = Counter()
    for site in fleet.sites:
        request = urllib.request.Request(f"{site.url}/metrics", headers={"Cookie": cookies(person)})
        with urllib.request.urlopen(request, timeout=10) as response:
            lines = response.read().decode().splitlines()
        for line in lines:
            if line and not line.startswith("#"):
                name, value = line.rsplit(" ", 1)
                total[name] += float(value)  # type: ignore[assignment]
    return total
