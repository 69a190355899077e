"""Nobody sees or changes what is another's: every route of the box office, walked by strangers."""

from __future__ import annotations

import re
from typing import Any

import httpx
import pytest
from litestar import Litestar
from marketplace_conference import models

from marketplace.identity.domain import Role, Scope
from marketplace.web.openapi import stated_accesses
from tests.conference.test_notices import change
from tests.conference.test_tickets import Make, Sale, sale, worker
from tests.conftest import Headers
from tests.factories import Coalition
from tests.fulfilment.conftest import counter

__all__ = ["counter", "sale", "worker"]

SECRET = "Łucja Żółkiewska"
DOOR = "the north door"
OPEN = {
    # Of the event itself, or the caller's own, whoever asks; what they say is looked at below.
    "GET /conference/choose/{slug}/{sku}",
    "GET /conference/choose",
    "POST /conference/choose",
    "GET /conference/wait/{slug}/{sku}",
    "POST /conference/wait/{slug}/{sku}",
    "POST /v1/conference/reservations",
    "POST /v1/conference/waiting",
    "GET /conference/partner",
    "GET /conference/partner/new",
    "POST /conference/partner/new",
    "GET /conference/partner/new/file",
    "POST /conference/partner/new/file",
    "PUT /v1/conference/events",
}
LATER = "2999-01-01T00:00:00Z"


def bodies(sale: Sale) -> dict[str, Any]:
    """What the rightful caller would send, by the end of a path."""
    return {
        "allotments": {
            "sku": f"{sale.box.slug}-1",
            "firm": "acme",
            "size": 1,
            "releases_at": LATER,
        },
        "call-off": {"reason": "x"},
        "doors": {"name": "mine"},
        "doors-open": {"minutes": 10},
        "move": {"reason": "x", "refund_until": LATER, "venue": "Elsewhere"},
        "refund-policy": {"terms": [{"days_before": 1, "percent": 100}]},
        "switch-policy": {"days_before": 1},
        "plan": [{"sku": f"{sale.box.slug}-1", "row": "A", "number": "1"}],
        "attendees": [{"name": "x", "email": "x@example.org"}],
        "attendee": {"name": "x"},
        "refund": {"points": 800},
        "session": {"sku": f"{sale.box.slug}-2"},
    }


async def names_of(sale: Sale) -> dict[str, str]:
    """What Ann and the shop have, by the name of the parameter in paths."""
    await change(sale, models.quota, size=4)
    await sale.client.put(sale.path("/1/attendee"), json={"name": SECRET}, headers=sale.ann)
    one = {"sku": f"{sale.box.slug}-1", "quantity": 1}
    held = await sale.client.post("/v1/conference/reservations", json=one, headers=sale.ann)
    assert held.status_code == 201, held.text
    wish = {"skus": [f"{sale.box.slug}-1"], "quantity": 1}
    waits = await sale.client.post("/v1/conference/waiting", json=wish, headers=sale.ann)
    assert waits.status_code == 201, waits.text
    doors = f"/v1/conference/events/{sale.box.slug}/doors"
    door = await sale.client.post(doors, json={"name": DOOR}, headers=sale.shop)
    return {
        "slug": sale.box.slug,
        "sku": f"{sale.box.slug}-1",
        "code": "day-1",
        "order": sale.burn_id,
        "position": "1",
        "selection": held.json()["selection"],
        "token": waits.json()["token"],
        "device_id": door.json()["id"],
        "change": "withdraw",
    }


def routes_of(app: Litestar) -> list[tuple[str, str]]:
    """(method, path) of the box office's routes that are not for everybody."""
    return sorted(
        (method, path)
        for path, method, stated in stated_accesses(app)
        if re.match(r"(/v1)?/conference(/|$)", path) and not stated.public
    )


async def ask(
    sale: Sale, method: str, path: str, named: dict[str, str], who: Headers
) -> httpx.Response:
    """A route with Ann's and the shop's ids."""
    sent: dict[str, Any] = {}
    if method in ("POST", "PUT"):
        if path.startswith("/v1/"):
            sent = {"json": bodies(sale).get(path.rsplit("/", 1)[1], {})}
        else:
            form = {"name": "x", "points": "800", "sku": f"{sale.box.slug}-2"}
            form |= {"change": "withdraw", "days-1": "1", "percent-1": "1"}
            form |= {"do": "move", "venue": "x", "reason": "x", "refund_until": LATER[:10]}
            sent = {"data": form}
            if path.endswith(("/plan", "/file")):
                sent["files"] = {"file": ("seats.csv", "sku,row,number\nx,A,1")}
    return await sale.client.request(
        method, path.format(**named), headers=who, follow_redirects=False, **sent
    )


@pytest.mark.parametrize("stranger", ["participant", "partner", "manager", "key"])
async def test_a_stranger_gets_nothing_of_anothers_by_any_route(
    sale: Sale, app: Litestar, sign_in: Make, api_key: Make, coalition: Coalition, stranger: str
) -> None:
    await coalition.add_firm("glaz", sponsor="alpha")
    await coalition.add_participant("olga", firm="glaz")
    who = {
        "participant": lambda: sign_in(Role.PARTICIPANT, "olga"),
        "partner": lambda: sign_in(Role.PARTNER, "tickets"),
        "manager": lambda: sign_in(Role.FIRM_MANAGER, "glaz"),
        "key": lambda: api_key("tickets", Scope.STOCK_WRITE, Scope.BURNS_READ, Scope.BURNS_WRITE),
    }
    headers = await who[stranger]()
    named = await names_of(sale)
    before = await sale.tickets()
    walked, wrong = 0, []
    for method, path in routes_of(app):
        answer = await ask(sale, method, path, named, headers)
        walked += 1
        told = answer.text
        if SECRET in told or DOOR in told or (named["token"] in told and "{token}" not in path):
            wrong.append(f"{method} {path} tells what is another's")
        # Of no place in the list that is theirs, callers are told that they do not wait.
        refusals = (403, 404, 409) if "{token}" in path else (403, 404)
        if f"{method} {path}" not in OPEN and answer.status_code not in refusals:
            wrong.append(f"{method} {path}: {answer.status_code} {told[:200]}")
    assert walked > 50
    assert wrong == []
    assert await sale.tickets() == before
    event = await sale.client.get(f"/v1/conference/events/{sale.box.slug}")
    assert event.status_code == 200
    door = f"/v1/conference/events/{sale.box.slug}/doors"
    (kept,) = (await sale.client.get(door, headers=sale.shop)).json()
    assert (kept["name"], kept["revoked_at"]) == (DOOR, None)


async def test_who_it_belongs_to_gets_it_by_the_same_routes(
    sale: Sale, app: Litestar, sign_in: Make
) -> None:
    """So that the walk of strangers is not refused for another reason."""
    named = await names_of(sale)
    staff = await sign_in(Role.PARTNER)
    got, none = 0, []
    for method, path in routes_of(app):
        if method != "GET" or path.endswith(("google-wallet", "ticket.pkpass")):
            continue
        answers = [await ask(sale, method, path, named, who) for who in (sale.ann, staff)]
        if any(each.status_code == 200 for each in answers):
            got += 1
        else:
            none.append(path)
    # Nothing was called off or moved, and nobody has come; where the form of the seats is sent,
    # one is led to the events: these alone have nothing to show.
    assert none == [
        "/conference/certificates/{order}/certificates.pdf",
        "/conference/choose",
        "/v1/conference/certificates/{order}/certificates.pdf",
        "/v1/conference/events/{slug}/call-off",
        "/v1/conference/events/{slug}/move",
    ]
    assert got > 20
