"""Every failure becomes one RFC 9457 problem+json answer, wherever it was raised; or a page."""

from __future__ import annotations

import logging
from http import HTTPStatus
from typing import Any

import asyncpg
import sqlalchemy as sa
from litestar import Request, Response
from litestar.exceptions import ClientException, HTTPException
from litestar.types import ExceptionHandlersMap

from marketplace.errors import (
    PROBLEM_MEDIA_TYPE,
    Busy,
    InternalError,
    InvalidRequest,
    MarketplaceError,
    MethodNotAllowed,
    NotAllowed,
    NotAuthenticated,
    NotFound,
    TooLarge,
    TooManyRequests,
)
from marketplace.passing import NO_CONNECTION, is_database_away, is_out_of_room, sqlstate
from marketplace.web.error_pages import error_page, wants_page
from marketplace.web.request_id import request_id

log = logging.getLogger(__name__)

AnyRequest = Request[Any, Any, Any]

BY_STATUS: dict[int, type[MarketplaceError]] = {
    HTTPStatus.BAD_REQUEST: InvalidRequest,
    HTTPStatus.UNAUTHORIZED: NotAuthenticated,
    HTTPStatus.FORBIDDEN: NotAllowed,
    HTTPStatus.NOT_FOUND: NotFound,
    HTTPStatus.METHOD_NOT_ALLOWED: MethodNotAllowed,
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: TooLarge,
    HTTPStatus.TOO_MANY_REQUESTS: TooManyRequests,
}
FULL_S = 10
"""Seconds until another try, where a disk is full: somebody has to make room."""
CALLER_GONE = "client disconnected prematurely"
"""What the framework calls a fault of the server; nobody is there any more to be answered."""
# Details of these come from the framework and say nothing a caller needs.
OWN_WORDS = (HTTPStatus.NOT_FOUND, HTTPStatus.METHOD_NOT_ALLOWED)


def problem_response(request: AnyRequest, error: MarketplaceError) -> Response[bytes]:
    """The answer for a business error."""
    if error.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        error.extra.setdefault("request_id", request_id(request.scope))
    if wants_page(request):
        try:
            return error_page(request, error)
        except Exception:
            log.exception("request %s: its error page crashed", request_id(request.scope))
    return Response(
        error.problem_json(),
        status_code=error.status,
        media_type=PROBLEM_MEDIA_TYPE,
        headers=error.headers,
    )


def on_http_exception(request: AnyRequest, error: HTTPException) -> Response[bytes]:
    """What the framework itself refuses: routes, methods, sizes, JSON and parameters."""
    if error.detail == CALLER_GONE:
        error = ClientException("The connection ended before the body did.")
    kind = BY_STATUS.get(error.status_code)
    if kind is None:
        return on_crash(request, error)
    detail = "" if error.status_code in OWN_WORDS else error.detail
    problem = kind(detail)
    if isinstance(error.extra, list):
        problem.detail = "Some of what was sent does not fit; `errors` says what."
        problem.extra["errors"] = [_field_error(each) for each in error.extra]
    for name, value in (error.headers or {}).items():
        problem.headers[name.title()] = value
    return problem_response(request, problem)


def _field_error(message: dict[str, str]) -> dict[str, str]:
    """`{"field": "points", "message": "...", "in": "body"}`."""
    field = message.get("key", "")
    place = str(getattr(message.get("source"), "value", message.get("source") or "request"))
    if field == "data":  # the framework's name for a body that is missing or of another kind
        field = place = "body"
    return {"field": field or place, "message": message["message"], "in": place}


def on_database_error(
    request: AnyRequest, error: sa.exc.DBAPIError | asyncpg.PostgresError
) -> Response[bytes]:
    """What PostgreSQL refused: values it cannot hold, a lost race, a lost connection."""
    if sqlstate(error).startswith(
        "22"
    ):  # data exception: e.g. a NUL character, a number out of range
        return problem_response(request, InvalidRequest("A value cannot be stored."))
    if is_database_away(error):
        return on_database_away(request, error)
    return on_crash(request, error)


def on_database_away(request: AnyRequest, error: Exception) -> Response[bytes]:
    """No connection to be had: refused, broken, or all in use for too long."""
    log.warning("request %s: database: %s", request_id(request.scope), error)
    return problem_response(request, Busy("The database is busy or away; try again."))


def on_shortage(
    request: AnyRequest, error: OSError | MemoryError | RuntimeError
) -> Response[bytes]:
    """No room is left on this machine, if that is what it is."""
    if not is_out_of_room(error):
        return on_crash(request, error)
    log.error("request %s: no room on this machine: %r", request_id(request.scope), error)
    told = "This server has no disk, memory, threads or files left; try again."
    return problem_response(request, Busy(told, retry_after_s=FULL_S))


def on_system_error(request: AnyRequest, error: OSError) -> Response[bytes]:
    """No room is left here, or no socket or answer of the database where its driver was asked."""
    if is_out_of_room(error):
        return on_shortage(request, error)
    frame = error.__traceback__
    while frame is not None:
        if str(frame.tb_frame.f_globals.get("__name__")).startswith("asyncpg."):
            return on_database_away(request, error)
        frame = frame.tb_next
    return on_crash(request, error)


def on_group(request: AnyRequest, group: ExceptionGroup[Exception]) -> Response[bytes]:
    """Cleaning up failed too, as it must where the connection broke: answer what came first."""
    first = group.__cause__
    for kind in type(first).__mro__:
        if kind in HANDLERS and kind is not ExceptionGroup:
            return HANDLERS[kind](request, first)
    return on_crash(request, group)


def on_crash(request: AnyRequest, error: Exception) -> Response[bytes]:
    """Anything unforeseen: the log gets the traceback, the caller an id to quote."""
    log.error(
        "request %s: %s %s crashed",
        request_id(request.scope),
        request.scope.get("method"),
        request.scope.get("path"),
        exc_info=error,
    )
    return problem_response(request, InternalError("Quote request_id when you report this."))


def on_unreadable(
    request: AnyRequest, error: UnicodeDecodeError | RecursionError
) -> Response[bytes]:
    """A body that is no UTF-8, or is nested without end; anywhere else it is a crash of ours."""
    frame = error.__traceback__
    while frame is not None:
        if frame.tb_frame.f_code.co_name == "decode_json":
            return problem_response(
                request, InvalidRequest("The body is no JSON that can be read.")
            )
        frame = frame.tb_next
    return on_crash(request, error)


HANDLERS: ExceptionHandlersMap = {
    MarketplaceError: problem_response,
    HTTPException: on_http_exception,
    sa.exc.DBAPIError: on_database_error,
    asyncpg.PostgresError: on_database_error,
    **dict.fromkeys(NO_CONNECTION, on_database_away),
    OSError: on_system_error,
    MemoryError: on_shortage,
    RuntimeError: on_shortage,
    ExceptionGroup: on_group,
    UnicodeDecodeError: on_unreadable,
    RecursionError: on_unreadable,
    Exception: on_crash,
}
