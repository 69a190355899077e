"""One id per request: in every answer's X-Request-Id, in the log and in problem bodies of 5xx."""

from __future__ import annotations

import itertools
import re
import secrets
from collections.abc import Iterable, MutableMapping
from typing import Any, cast

from litestar.types import Scope

HEADER = b"x-request-id"
_KEY = "marketplace.request_id"
# Cheaper than randomness for each request: random once per process, then counted.
_PROCESS = secrets.token_hex(5).encode()
_COUNT = itertools.count(1)
_ACCEPTED = re.compile(rb"[A-Za-z0-9._-]{8,64}")


def request_id(scope: Scope) -> str:
    """The id of this request: the caller's own where it sent a plain one, else a new one."""
    known = cast("MutableMapping[str, Any]", scope)
    found = known.get(_KEY)
    if found is None:
        found = known[_KEY] = new_request_id(scope["headers"]).decode()
    return str(found)


def new_request_id(headers: Iterable[tuple[bytes, bytes]]) -> bytes:
    """The caller's own id where these headers hold a plain one, else a new one."""
    for name, value in headers:
        if name == HEADER and _ACCEPTED.fullmatch(value):
            return value
    return b"%b-%06x" % (_PROCESS, next(_COUNT))
