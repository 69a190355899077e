"""HTTP: callbacks of partners, and what their service must do, under /v1/remote."""

from __future__ import annotations

from typing import Annotated, Any

from litestar import Request, get, post
from litestar.params import QueryParameter, RawBody

from marketplace.api import Host, Routes, access
from marketplace_remote import callbacks
from marketplace_remote.openapi import document
from marketplace_remote.protocol import Noted

MOST_BYTES = 131_072


def make_routes(host: Host) -> Routes:
    """The handlers over a host."""

    @post(
        "/callbacks",
        opt=access(public=True),
        status_code=202,
        sync_to_thread=True,
        request_max_body_size=MOST_BYTES,
        summary="Report that orders have a new outcome",
        tags=["remote partners"],
    )
    def report(
        request: Request[Any, Any, Any],
        body: RawBody,
        member: Annotated[str, QueryParameter(max_length=100, description="Slug of your member.")],
    ) -> Noted:
        """Have orders looked up at once. Signed with your key, as your answers are.

        The body is `{"references": [...]}`. The same message again does nothing.
        """
        return callbacks.take(host, member, dict(request.headers), body)

    @get(
        "/openapi.json",
        opt=access(public=True),
        sync_to_thread=False,
        summary="What a remote partner's service must do",
        tags=["remote partners"],
    )
    def describe() -> dict[str, Any]:
        """The OpenAPI document to implement."""
        return document()

    return [report, describe]
