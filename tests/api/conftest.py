"""Programs at the API's door, with a token or a cookie."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.cache import cache
from django.test import Client

from core import tokens


class Program(Client):
    """A client that speaks JSON and, if it has one, sends its token."""

    def __init__(self, user: User | None = None, **options: Any) -> None:
        self.secret = None if user is None else tokens.create(user=user, name="test")[1]
        headers = {} if self.secret is None else {"authorization": f"Bearer {self.secret}"}
        super().__init__(headers={"accept": "application/json", **headers}, **options)

    def generic(self, method: str, path: str, data: Any = "", content_type: str = "", **extra: Any) -> Any:
        return super().generic(method, path, data, content_type or "application/json", **extra)

    def put(self, path: str, data: Any = None, content_type: str = "application/json", **extra: Any) -> Any:
        return super().put(path, data, content_type=content_type, **extra)

    def patch(self, path: str, data: Any = None, content_type: str = "application/json", **extra: Any) -> Any:
        return super().patch(path, data, content_type=content_type, **extra)

    def post(self, path: str, data: Any = None, content_type: str = "application/json", **extra: Any) -> Any:
        return super().post(path, {} if data is None else data, content_type=content_type, **extra)


@pytest.fixture(autouse=True)
def _fresh_throttles() -> Iterator[None]:
    cache.clear()
    yield
    cache.clear()


@pytest.fixture
def program() -> Callable[[User | None], Program]:
    """`program(user)` is a client with a token of that person's."""
    return Program


@pytest.fixture
def api(student: User) -> Program:
    return Program(student)


@pytest.fixture
def stranger(outsider: User) -> Program:
    return Program(outsider)
