"""The one family of errors a user can meet, and how each becomes RFC 9457 problem+json."""

from __future__ import annotations

from typing import Any, ClassVar

import msgspec

PROBLEM_MEDIA_TYPE = "application/problem+json"
DOCS_ERRORS = "https://coalition-rewards.example/errors#"


class MarketplaceError(Exception):
    """Base of every business error; `code` is stable, `detail` says what to do.

    Attributes: `code` (snake_case, documented in docs/errors.md), `title` (constant per code),
    `status` (HTTP), `detail` (this occurrence), `extra` (further members of the problem object).
    """

    code: ClassVar[str] = "internal_error"
    title: ClassVar[str] = "Something went wrong on our side"
    status: ClassVar[int] = 500

    def __init__(self, detail: str = "", **extra: Any) -> None:
        super().__init__(detail or self.title)
        self.detail = detail or self.title
        self.extra = extra
        self.headers: dict[str, str] = {}

    def problem(self) -> dict[str, Any]:
        """The problem+json object of this error."""
        return {
            "type": f"{DOCS_ERRORS}{self.code}",
            "title": self.title,
            "status": self.status,
            "code": self.code,
            "detail": self.detail,
            **self.extra,
        }

    def problem_json(self) -> bytes:
        """The encoded problem+json body."""
        return msgspec.json.encode(self.problem())


class InternalError(MarketplaceError):
    """Anything unhandled. The detail never holds internals; the log does."""


class InvalidRequest(MarketplaceError):
    code = "invalid_request"
    title = "The request is not well formed"
    status = 400


class NotAuthenticated(MarketplaceError):
    code = "not_authenticated"
    title = "Sign in or send a valid API key"
    status = 401

    def __init__(self, detail: str = "", **extra: Any) -> None:
        super().__init__(detail, **extra)
        self.headers["WWW-Authenticate"] = "Bearer"


class NotAllowed(MarketplaceError):
    code = "not_allowed"
    title = "You may not do this"
    status = 403


class NotFound(MarketplaceError):
    code = "not_found"
    title = "There is nothing here, or it is not yours to see"
    status = 404


class MethodNotAllowed(MarketplaceError):
    code = "method_not_allowed"
    title = "This address does not take this method"
    status = 405


class Conflict(MarketplaceError):
    code = "conflict"
    title = "The request does not fit the present state"
    status = 409


class NotConfigured(MarketplaceError):
    code = "not_configured"
    title = "The plugin lacks settings that it needs"
    status = 409


class TooLarge(MarketplaceError):
    code = "too_large"
    title = "The request is larger than the limit"
    status = 413


class IdempotencyKeyReused(MarketplaceError):
    code = "idempotency_key_reused"
    title = "This Idempotency-Key was used for a different request"
    status = 422


class TooManyRequests(MarketplaceError):
    code = "too_many_requests"
    title = "Slow down"
    status = 429


class HeadTooLarge(MarketplaceError):
    code = "head_too_large"
    title = "The address and headers of the request are larger than the limit"
    status = 431


class Busy(MarketplaceError):
    code = "busy"
    title = "The exchange is busy; retry with the same Idempotency-Key"
    status = 503

    def __init__(self, detail: str = "", *, retry_after_s: int = 1, **extra: Any) -> None:
        super().__init__(detail, **extra)
        self.headers["Retry-After"] = str(retry_after_s)


class SecretUnreadable(MarketplaceError):
    code = "secret_unreadable"
    title = "What was encrypted cannot be read with the keys this server has"
    status = 500


class UsageError(MarketplaceError):
    """A command was given something it cannot use: printed without a traceback, exit status 2."""

    code = "usage"
    title = "The command cannot run like this"
    status = 400


def all_errors() -> list[type[MarketplaceError]]:
    """Every error class loaded so far, by code (docs and tests walk this)."""
    found: dict[str, type[MarketplaceError]] = {}
    todo: list[type[MarketplaceError]] = [MarketplaceError]
    while todo:
        cls = todo.pop()
        todo.extend(cls.__subclasses__())
        if "code" in cls.__dict__:
            found.setdefault(cls.code, cls)
    return [found[code] for code in sorted(found)]
