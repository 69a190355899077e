"""Reads a problem+json answer."""

from __future__ import annotations

from typing import Any

import httpx

from marketplace.errors import PROBLEM_MEDIA_TYPE


def problem(answer: httpx.Response, status: int, code: str) -> dict[str, Any]:
    """The problem in `answer`, which must have this status and code and be whole."""
    body: dict[str, Any] = answer.json()
    assert (answer.status_code, body["code"]) == (status, code), body
    assert answer.headers["content-type"] == PROBLEM_MEDIA_TYPE
    assert body["status"] == status
    assert body["type"].endswith(f"#{code}")
    assert body["title"]
    assert body["detail"]
    return body
