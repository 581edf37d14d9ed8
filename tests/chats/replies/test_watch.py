"""When a process counts as dead, by its heartbeats: clocks that jump and outages take no lease."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from django.db import connection

from chats.replies.lease import Watch
from core.ids import uuid7

pytestmark = [
    pytest.mark.django_db,
    pytest.mark.skipif(connection.vendor == "sqlite", reason="on SQLite the file lock is the lease, not the heartbeat"),
]
LEASE = 10.0


class World:
    """A watch, its clock, and one other process on another machine."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.runner_id: UUID = uuid7()
        self.heartbeat_at = datetime(2030, 1, 1, tzinfo=UTC)
        self.watch = Watch(clock=lambda: self.now)

    def beat(self, jump: timedelta = timedelta()) -> None:
        self.heartbeat_at += timedelta(seconds=1) + jump

    def looks_dead(self, age: float) -> bool:
        self.watch.look()
        return self.watch.is_dead(self.runner_id, "elsewhere", self.heartbeat_at, age)

    def pass_time(self, seconds: int, *, age: float = 0.0) -> bool:
        """Look every second; whether it looked dead in the end."""
        dead = False
        for _ in range(seconds):
            self.now += 1
            dead = self.looks_dead(age)
        return dead


@pytest.fixture
def world(settings: Any) -> World:
    settings.RUNNER_LEASE_SECONDS = LEASE
    return World()


def test_a_heartbeat_that_goes_on_is_alive(world: World) -> None:
    for _ in range(20):
        world.beat()
        assert not world.pass_time(3)


def test_one_that_stands_still_for_a_lease_is_dead(world: World) -> None:
    assert not world.pass_time(10)
    assert world.pass_time(1)


def test_half_a_lease_is_enough_where_the_database_knows_it_to_be_old(world: World) -> None:
    assert not world.pass_time(5, age=60)
    assert world.pass_time(1, age=60)


def test_the_database_clock_jumping_ahead_takes_no_lease(world: World) -> None:
    world.beat()
    assert not world.looks_dead(age=0)
    assert not world.pass_time(2, age=3600)
    world.beat(timedelta(hours=1))
    assert not world.pass_time(3, age=0)


def test_the_database_clock_jumping_back_takes_no_lease_and_hides_no_death(world: World) -> None:
    world.beat(timedelta(hours=-1))
    assert not world.pass_time(3, age=-3600)
    assert world.pass_time(12, age=-3600)


def test_time_in_which_nobody_could_look_does_not_count(world: World) -> None:
    assert not world.pass_time(3)
    world.now += 300
    assert not world.looks_dead(age=300)
    assert not world.pass_time(4, age=304)
    world.beat()
    assert not world.pass_time(2)


def test_after_an_outage_one_that_stays_silent_is_dead_all_the_same(world: World) -> None:
    assert not world.pass_time(3)
    world.now += 300
    assert not world.looks_dead(age=300)
    assert world.pass_time(6, age=306)
