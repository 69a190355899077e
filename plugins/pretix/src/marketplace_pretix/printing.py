"""Tickets as a PDF: pretix prints in the background, and answers 409 until it has."""

from __future__ import annotations

import time
from typing import Final

from marketplace import api
from marketplace_pretix import repository
from marketplace_pretix.client import order_path, status_of
from marketplace_pretix.servers import client_of

TRIES: Final = 30
WAIT_S: Final = 1.0


class NotYet(api.Conflict):
    """It is still being printed."""


def fetch(
    host: api.Host,
    reference: str,
    code: str | None = None,
    *,
    tries: int = TRIES,
    wait_s: float = WAIT_S,
) -> bytes:
    """The PDF of an order, or of one that was split from it. NotFound, NotYet, Conflict."""
    with host.transaction() as session:
        sent = repository.sent(session, [reference]).get(reference)
    if sent is None:
        raise api.NotFound("No order at a pretix has this reference.")
    client = client_of(host, sent.member_id)
    path = order_path(sent.event, code or sent.code, "download/pdf/")
    for number in range(tries):
        if number:
            time.sleep(wait_s)
        answer = client.call("GET", path)
        if answer.status == 200 and not answer.truncated:
            return answer.body
        if answer.status != 409:
            raise api.Conflict(f"Pretix gives no ticket: {status_of(answer)}.")
    raise NotYet("Pretix is still printing the ticket: try again in a moment.")
