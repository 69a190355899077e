"""`marketplace demo --check`: issues points and burns a reward over HTTP, then proves the books."""

from __future__ import annotations

import asyncio
import time
import urllib.error
import urllib.request
from typing import Any
from uuid import uuid4

import msgspec

from marketplace.demo.finance import Finance
from marketplace.demo.logins import DemoState
from marketplace.demo.terminal import Terminal
from marketplace.errors import UsageError
from marketplace.ledger.checks import ALL
from marketplace.ledger.verify import verify
from marketplace.runtime import open_runtime
from marketplace.settings import Settings

FULFILLED_WITHIN_S = 45.0
POLL_S = 0.05
REQUEST_S = 30


class CheckFailed(UsageError):
    """The running program did not do what it should; the detail says what."""


class Client:
    """Calls the API with one key; anything but success raises CheckFailed with the problem."""

    def __init__(self, address: str, key: str) -> None:
        self._address = address
        self._key = key

    def call(self, method: str, path: str, body: object = None, **headers: str) -> Any:
        """The decoded answer."""
        request = urllib.request.Request(  # noqa: S310 - our own address
            self._address + path,
            method=method,
            data=None if body is None else msgspec.json.encode(body),
            headers={
                "Authorization": f"Bearer {self._key}",
                "Content-Type": "application/json",
                **headers,
            },
        )
        try:
            with urllib.request.urlopen(request, timeout=REQUEST_S) as answer:  # noqa: S310
                return msgspec.json.decode(answer.read())
        except urllib.error.HTTPError as error:
            text = error.read().decode(errors="replace")
            raise CheckFailed(f"{method} {path} answered {error.code}: {text}") from None
        except OSError as error:
            raise CheckFailed(f"{method} {path} got no answer: {error}") from None


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
