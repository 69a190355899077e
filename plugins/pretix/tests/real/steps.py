"""What tests against a real pretix do and ask, again and again."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import msgspec
from marketplace_pretix import cancelling, stock, sweeping, telling
from marketplace_pretix.asking import Person
from marketplace_pretix.settings import PretixSettings
from marketplace_pretix.supplier import PretixSupplier

from marketplace import api
from marketplace.testing import Lab, SupplierConformance

PATIENCE_S = 90.0


class Real:
    """A running pretix, and raw calls to it."""

    def __init__(self, url: str, seeded: dict[str, Any]) -> None:
        self.url, self.tokens, self.items = url, seeded["tokens"], seeded["items"]
        self.seat = f"summit/{self.items['seat']}"
        self.workshop = f"summit/{self.items['workshop']}"

    def settings(self, team: str = "orders") -> PretixSettings:
        return PretixSettings(url=self.url, organizer="meridian", token=self.tokens[team])

    def office(self, method: str, path: str, body: Any = None) -> tuple[int, dict[str, Any]]:
        """A call with all rights, below the organizer."""
        return self.call(method, path, body, team="office")

    def call(
        self, method: str, path: str, body: Any = None, *, team: str = "orders", **headers: str
    ) -> tuple[int, dict[str, Any]]:
        """A call below the event; below the organizer for a path that begins with a slash."""
        below = "" if path.startswith("/") else "/events/summit/"
        sent = None if body is None else json.dumps(body).encode()
        request = Request(  # noqa: S310 - our own server
            f"{self.url}/api/v1/organizers/meridian{below}{path}",
            sent,
            {
                "Authorization": f"Token {self.tokens[team]}",
                "Content-Type": "application/json",
                **headers,
            },
            method=method,
        )
        try:
            with urlopen(request, timeout=60) as answer:  # noqa: S310
                return answer.status, json.loads(answer.read())
        except HTTPError as error:
            return error.code, json.loads(error.read())


def delivered(supplier: PretixSupplier, order: api.Order) -> api.Fulfilled:
    """As the exchange does it: what was not answered in time nobody knows until it is asked."""
    until = time.monotonic() + PATIENCE_S
    [outcome] = supplier.fulfil([order])
    while not isinstance(outcome, api.Fulfilled):
        assert time.monotonic() < until, outcome
        again = isinstance(outcome, api.NeverOrdered | api.Retry)
        [outcome] = (supplier.fulfil if again else supplier.lookup)([order])
    return outcome


def until_done(done: Callable[[], bool]) -> None:
    until = time.monotonic() + PATIENCE_S
    while not done():
        assert time.monotonic() < until
        time.sleep(0.5)


def known(lab: Lab, host: api.Host, *skus: str) -> dict[str, telling.State]:
    """What is known of products after a look; offers name them from now on."""
    for sku in skus:
        lab.offer("pretix", sku, stock=7)
    stock.keep(host)
    with host.transaction() as session:
        return dict(telling.known(session, lab.member("shop")))


def said(lab: Lab, host: api.Host, sku: str, *people: Person) -> api.Order:
    """An order for which was said who comes."""
    shop = lab.member("shop")
    with host.transaction() as session:
        selection = telling.tell(host, session, shop, sku, people)
    order = SupplierConformance.order(sku, quantity=len(people))
    return msgspec.structs.replace(order, selection=selection, acceptor_id=shop)


def cancelled(host: api.Host, real: Real, code: str) -> bool:
    sweeping.run(host, now=True)
    cancelling.run(host)
    return bool(real.call("GET", f"orders/{code}/")[1]["status"] == "c")
