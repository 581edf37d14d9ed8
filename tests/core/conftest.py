from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.threads import ReleasingExecutor


@pytest.fixture
def threads() -> Iterator[ThreadPoolExecutor]:
    """Threads that give back their connections after each piece of work."""
    with ReleasingExecutor(max_workers=4) as pool:
        yield pool
