"""One id per request: in every answer's X-Request-Id, in the log and in problem bodies of 5xx."""

from __future__ import annotations

import itertools
import re
import secrets
from collections.abc import MutableMapping
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
        sent = next((value for name, value in scope["headers"] if name == HEADER), None)
        found = known[_KEY] = request_id_of(sent).decode()
    return str(found)


def request_id_of(sent: bytes | None) -> bytes:
    """What the caller sent for an id where it is a plain one, else a new id."""
    if sent is not None and _ACCEPTED.fullmatch(sent):
        return sent
    return b"%b-%06x" % (_PROCESS, next(_COUNT))
