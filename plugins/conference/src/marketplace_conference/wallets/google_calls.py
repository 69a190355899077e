"""Calls to Google Wallet: a ticket that was saved there shows what it should.

A session's class comes first, since a ticket that changed to it may be its first there. A ticket
that Google will not take over to another class is expired: it must not show a code that is void.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlencode

import msgspec

from marketplace.api import Answer, Host, Line, Unanswered
from marketplace_conference.settings import ConferenceSettings
from marketplace_conference.tickets import issuing, repository
from marketplace_conference.tickets.domain import Sheet
from marketplace_conference.wallets import google

log = logging.getLogger(__name__)

GRANT = "urn:ietf:params:oauth:grant-type:jwt-bearer"


class _Token(msgspec.Struct):
    access_token: str


class Google:
    """A connection to Google Wallet, with a token for a while."""

    def __init__(
        self, host: Host, settings: ConferenceSettings, line: Line, address: str, token: str
    ) -> None:
        self._host = host
        self._settings = settings
        self._line = line
        self._address = address
        self._headers = {
            "Authorization": f"Bearer {token}",
            "Content-Type": "application/json",
        }
        self._classes: set[str] = set()
        """Brought up to date already, by this connection."""

    @classmethod
    @contextmanager
    def opened(
        cls, host: Host, settings: ConferenceSettings, token_at: str, address: str
    ) -> Iterator[Google]:
        """Gets a token. NotConfigured where the key is none; Unanswered where there is no token."""
        with host.transaction() as session:
            now = host.now(session)
        form = {"grant_type": GRANT, "assertion": google.assertion(settings, token_at, now)}
        answer = host.outbound.call(
            "POST",
            token_at,
            body=urlencode(form).encode(),
            headers={"Content-Type": "application/x-www-form-urlencoded"},
        )
        try:
            token = msgspec.json.decode(answer.body, type=_Token).access_token
        except (msgspec.DecodeError, msgspec.ValidationError):
            token = ""
        if answer.status != 200 or not token.isascii() or not token.isprintable() or not token:
            raise Unanswered(f"Google gave no token: {answer.status}.")
        with host.outbound.line(address) as line:
            yield cls(host, settings, line, address, token)

    def tell(self, ticket_id: int) -> str:
        """`done`, `later`, or `never_saved`; raises where no answer came."""
        with self._host.transaction() as session:
            found = repository.by_ids(session, [ticket_id])
            (sheet,) = issuing.sheets(self._host, session, found)
        if not self._has_class(sheet):
            return "later"
        made = google.object_of(sheet, self._settings)
        answer = self._patch("eventTicketObject", str(made["id"]), made)
        if answer.status == 400:
            answer = self._patch("eventTicketObject", str(made["id"]), {"state": "EXPIRED"})
        if answer.status == 404:
            return "never_saved"
        return "done" if answer.status == 200 else self._later(answer)

    def _has_class(self, sheet: Sheet) -> bool:
        """Bring the class of its session up to date, or make it."""
        made = google.class_of(sheet, self._settings)
        name = str(made["id"])
        if name in self._classes:
            return True
        answer = self._patch("eventTicketClass", name, made)
        if answer.status == 404:
            body = msgspec.json.encode(made)
            answer = self._line.call(
                "POST", f"{self._address}/eventTicketClass", body=body, headers=self._headers
            )
        if answer.status not in (200, 409):
            self._later(answer)
            return False
        self._classes.add(name)
        return True

    def _patch(self, kind: str, name: str, told: dict[str, object]) -> Answer:
        return self._line.call(
            "PATCH",
            f"{self._address}/{kind}/{name}",
            body=msgspec.json.encode(told),
            headers=self._headers,
        )

    def _later(self, answer: Answer) -> str:
        log.warning("conference: Google Wallet says %d", answer.status)
        return "later"
