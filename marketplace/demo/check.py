"""`marketplace demo --check`: issues points and burns a reward over HTTP, then proves the books."""

from __future__ import annotations

import asyncio
import time
from typing import Any
from uuid import uuid4

import msgspec

from marketplace.demo import gatherings
from marketplace.demo.calling import CheckFailed, Client
from marketplace.demo.finance import Finance
from marketplace.demo.logins import DemoState
from marketplace.demo.terminal import Terminal
from marketplace.ledger.checks import ALL
from marketplace.ledger.verify import verify
from marketplace.runtime import open_runtime
from marketplace.settings import Settings

FULFILLED_WITHIN_S = 45.0
POLL_S = 0.05


def run_check(settings: Settings, address: str, state: DemoState) -> dict[str, Any]:
    """Do it, and return the summary; CheckFailed where anything is not as it should be."""
    began = time.monotonic()
    client = Client(address, state.keys["shop"])
    run = uuid4().hex[:12]
    offer = _cheapest_gift(client)
    issuance = {
        "reference": f"check-{run}",
        "wallet_id": state.wallet_id,
        "points": offer["points"],
    }
    before = client.call("GET", f"/v1/wallets/{state.wallet_id}")
    issued = client.call("POST", "/v1/issuances", {"issuances": [issuance]})
    burn, seconds = _burn(client, state, offer, run)
    after = client.call("GET", f"/v1/wallets/{state.wallet_id}")
    _expect("available points", before["available"], after["available"])
    _expect("held points", before["held"], after["held"])
    revealed = client.call("POST", f"/v1/burns/{burn['id']}/reveal")
    _expect("codes delivered", 1, len(revealed["artefacts"]))
    return {
        "ok": True,
        "address": address,
        "issued": {"lots": issued["issued"], "points": issued["points"]},
        "burn": {
            "id": burn["id"],
            "offer": offer["reference"],
            "points": burn["points"],
            "status": burn["status"],
            "fulfilled_after_s": round(seconds, 3),
        },
        "reward": {
            "label": revealed["artefacts"][0]["label"],
            "code": revealed["artefacts"][0]["secret"],
        },
        "events": _events(client, address, state),
        "wallet": {"available": after["available"], "held": after["held"]},
        **asyncio.run(_proved(settings)),
        "seconds": round(time.monotonic() - began, 3),
    }


def _cheapest_gift(client: Client) -> dict[str, Any]:
    found: list[dict[str, Any]] = []
    path = "/v1/offers?kind=gift&status=on_sale"
    page = client.call("GET", path)
    found += page["items"]
    while page["next"]:
        page = client.call("GET", f"{path}&cursor={page['next']}")
        found += page["items"]
    open_to_all = [
        offer
        for offer in found
        if offer["stock"] and not offer["limit_per_wallet"] and not offer["eligibility"]
    ]
    if not open_to_all:
        raise CheckFailed("No gift is on sale and in stock.")
    return min(open_to_all, key=lambda offer: int(offer["points"]))


def _burn(
    client: Client, state: DemoState, offer: dict[str, Any], run: str
) -> tuple[dict[str, Any], float]:
    """Burn one unit and wait until it is fulfilled; the burn, and how long that took."""
    began = time.monotonic()
    body = {"wallet_id": state.wallet_id, "offer_id": offer["id"]}
    burn = client.call("POST", "/v1/burns", body, **{"Idempotency-Key": f"check-{run}"})
    again = client.call("POST", "/v1/burns", body, **{"Idempotency-Key": f"check-{run}"})
    _expect("id of the repeated burn", burn["id"], again["id"])
    while burn["status"] == "held":
        if time.monotonic() - began > FULFILLED_WITHIN_S:
            raise CheckFailed(
                f"The burn was not fulfilled within {FULFILLED_WITHIN_S:g} s: {burn['fulfilment']}."
            )
        time.sleep(POLL_S)
        burn = client.call("GET", f"/v1/burns/{burn['id']}")
    _expect("status of the burn", "captured", burn["status"])
    return burn, time.monotonic() - began


def _events(client: Client, address: str, state: DemoState) -> dict[str, Any]:
    """Seats are sold, one more can be had, somebody waits, and the door knows who may come in."""
    seats = gatherings.standing(client, gatherings.CONFERENCE, gatherings.SEAT)
    asked = {"sku": gatherings.SEAT, "quantity": 1}
    mine = client.call("POST", "/v1/conference/reservations", asked)
    client.call("DELETE", f"/v1/conference/reservations/{mine['selection']}")
    key = state.door.rpartition("=")[2]
    counts = client.call("GET", "/v1/conference/door/counts", **{"Door-Key": key})
    expected = sum(each["sold"] for each in counts["sessions"])
    waits = len(gatherings.waiting(Client(address, state.keys["organiser"])))
    # What is kept for a firm is everybody's once the training is near.
    full = not gatherings.standing(client, gatherings.TRAINING, gatherings.PLACE)["free"]
    if not (seats["sold"] and seats["free"] and expected) or (full and not waits):
        raise CheckFailed(f"At the events: {seats}, {expected} expected, {waits} waiting.")
    (training,) = client.call("GET", f"/v1/conference/events/{gatherings.TRAINING}")["sessions"]
    told = {"sold": seats["sold"], "free": seats["free"], "seat": mine["seats"][0]}
    told |= {"waiting": waits, "attended_before": training["requires"]}
    return {**told, "expected_at_the_door": expected}


async def _proved(settings: Settings) -> dict[str, Any]:
    """The books verify, and a past month is settled, paid and closed."""
    async with open_runtime(settings) as runtime:
        async with runtime.database.begin() as session:
            findings = await verify(session)
        if findings:
            reasons = "; ".join(f"{each.check} ({each.total})" for each in findings)
            raise CheckFailed(f"The ledger does not verify: {reasons}.")
        return {
            "ledger": {"checks": len(ALL), "violations": 0},
            "finance": await _settled(Finance(runtime, Terminal(runtime))),
        }


async def _settled(finance: Finance) -> dict[str, Any]:
    """What finance has done; every day on which money moved is closed green."""
    done = await finance.done()
    if not done.settled or done.not_green:
        raise CheckFailed(
            f"Settled are {', '.join(done.settled) or 'no months'}; the daily close is not green "
            f"on {', '.join(done.not_green) or 'no day'}."
        )
    told: dict[str, Any] = msgspec.to_builtins(done)
    return told


def _expect(what: str, wanted: object, got: object) -> None:
    if wanted != got:
        raise CheckFailed(f"{what}: expected {wanted}, got {got}.")
