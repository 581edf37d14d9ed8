"""What can go wrong in a use case, in words that every door can pass on."""


class DomainError(Exception):
    """A use case refused. `code` is for programs, `detail` for people; `retryable` says whether waiting may help."""

    code = "error"
    default_detail = "That did not work."
    retryable = False

    def __init__(self, detail: str | None = None, *, retry_after: float | None = None) -> None:
        self.detail = detail or self.default_detail
        self.retry_after = retry_after  # seconds
        super().__init__(self.detail)


class NotFound(DomainError):
    """It is not there, or not yours: nobody can tell which."""

    code = "not_found"
    default_detail = "There is nothing here, or it is not yours."


class Forbidden(DomainError):
    """You may see it, but not do this."""

    code = "forbidden"
    default_detail = "You may not do this."


class Conflict(DomainError):
    code = "conflict"
    default_detail = "Something else changed this at the same time. Load it again."


class Invalid(DomainError):
    """A value can't be taken. `errors` maps field names to what is wrong with them."""

    code = "invalid"
    default_detail = "Some values can't be taken."

    def __init__(self, detail: str | None = None, *, errors: dict[str, list[str]] | None = None) -> None:
        super().__init__(detail)
        self.errors = errors or {}


class Unavailable(DomainError):
    code = "unavailable"
    default_detail = "The site can't do this right now. Try again in a moment."
    retryable = True
