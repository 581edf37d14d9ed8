"""Redis' errors, for a site that may do without Redis: its client is six megabytes of each process that imports it."""

import sys


def redis_errors() -> tuple[type[Exception], ...]:
    """What Redis' client raises. Nothing while nobody has imported it: then none of it was raised either."""
    error = getattr(sys.modules.get("redis.exceptions"), "RedisError", None)
    return () if error is None else (error,)
