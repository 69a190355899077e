"""Thousands of people at a sale that begins now: each on a connection and with a session of their
own, in one process on raw sockets.

    python -m bench.load.rush PLAN

PLAN is a file with a Plan. Everybody is connected first, then all ask for seats in the same
instant. Who is told that theirs are gone takes others that they are told of, some times; who gets
seats burns for them. Prints one Seen a line, what each person saw.
"""

from __future__ import annotations

import asyncio
import random
import sys
import time
from pathlib import Path
from typing import Any

import msgspec

TRIES = 12
"""Times that somebody asks again before they give up."""
OPEN_AT_ONCE = 250
PATIENCE_S = 120
SOLD_OUT = b"conference_sold_out"


class Person(msgspec.Struct, frozen=True):
    """Who comes, and what they want."""

    token: str
    wallet_id: str
    seats: list[str] = []
    """The seats they would like; none: so many of the best."""
    quantity: int = 1


class Plan(msgspec.Struct, frozen=True):
    """A sale and who comes to it."""

    port: int
    offer_id: str
    sku: str
    people: list[Person]


class Seen(msgspec.Struct, kw_only=True):
    """What one person was told. Times in milliseconds since the sale began."""

    number: int
    first_ms: float = 0.0
    """The first answer."""
    last_ms: float = 0.0
    codes: list[str] = []
    """What each answer said: `held`, `burnt`, or the code of a problem."""
    selection: str = ""
    seats: list[str] = []
    points: int = 0
    burn_id: str = ""
    honest: bool = True
    """Whether every refusal said what is free, and that was too little or other seats."""


class Visitor(asyncio.Protocol):
    """One person on one connection."""

    def __init__(self, plan: Plan, number: int, done: asyncio.Event, left: list[int]) -> None:
        self._plan, self._me = plan, plan.people[number]
        self._choice = random.Random(number)  # noqa: S311 (a load, no secret)
        self._done, self._left = done, left
        self._buffer = b""
        self._began = 0.0
        self._transport: Any = None
        self._wanted: list[str] = []
        self.last_words = b""
        self.seen = Seen(number=number)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport

    def begin(self, began: float, request: bytes) -> None:
        """The sale begins; everybody has made up their mind what to ask for (`first`)."""
        self._began = began
        self._transport.write(request)

    def first(self) -> bytes:
        """What this person asks for first."""
        return self._reservation(self._me.seats)

    def _reservation(self, seats: list[str]) -> bytes:
        self._wanted = seats
        asked: dict[str, Any] = {"sku": self._plan.sku, "quantity": self._me.quantity}
        if seats:
            asked["seats"] = seats
        return self._request("/v1/conference/reservations", asked)

    def _request(self, path: str, body: dict[str, Any], more: str = "") -> bytes:
        raw = msgspec.json.encode(body)
        head = (
            f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1:{self._plan.port}\r\n"
            f"Authorization: Bearer {self._me.token}\r\nContent-Type: application/json\r\n"
            f"{more}Content-Length: {len(raw)}\r\n\r\n"
        )
        return head.encode() + raw

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        head, found, body = self._buffer.partition(b"\r\n\r\n")
        if not found:
            return
        length = head.lower().partition(b"content-length:")[2].partition(b"\r\n")[0]
        if len(body) < int(length or b"0"):
            return
        self._buffer = b""
        self.seen.last_ms = (time.perf_counter() - self._began) * 1_000
        self.seen.first_ms = self.seen.first_ms or self.seen.last_ms
        if SOLD_OUT in body:
            self.last_words = body  # read when all is over: the people share the machine
            self._leave()
        else:
            self._hear(int(head[9:12]), msgspec.json.decode(body))

    def _hear(self, status: int, told: dict[str, Any]) -> None:
        seen = self.seen
        if status != 201:
            self._hear_no(told)
        elif seen.selection:
            seen.codes.append("burnt")
            seen.burn_id = told["id"]
            self._leave()
        else:
            seen.codes.append("held")
            seen.selection, seen.seats, seen.points = (
                told[name] for name in ("selection", "seats", "points")
            )
            self._burn()

    def _burn(self) -> None:
        body = {
            "wallet_id": self._me.wallet_id,
            "offer_id": self._plan.offer_id,
            "quantity": self._me.quantity,
            "selection": self.seen.selection,
            "expected_points": self.seen.points,
        }
        key = f"Idempotency-Key: {self.seen.selection}\r\n"
        self._transport.write(self._request("/v1/burns", body, key))

    def _hear_no(self, told: dict[str, Any]) -> None:
        seen = self.seen
        seen.codes.append(told["code"])
        free = told.get("free_seats")
        if told["code"] == "busy":
            asyncio.get_running_loop().call_later(1, self._again)
        elif told["code"] == "conference_seats_taken" and len(seen.codes) < TRIES:
            seen.honest &= bool(free) and not set(told["seats"]) & set(free)
            wanted = min(self._me.quantity, len(free))
            self._me = msgspec.structs.replace(self._me, quantity=wanted)
            self._transport.write(self._reservation(self._choice.sample(free, wanted)))
        else:
            self._leave()

    def tell(self) -> Seen:
        """All that was seen, once it is over."""
        if self.last_words:
            told = msgspec.json.decode(self.last_words)
            self.seen.codes.append(told["code"])
            self.seen.honest &= told["free"] < self._me.quantity
        return self.seen

    def _again(self) -> None:
        if self.seen.selection:
            self._burn()
        else:
            self._transport.write(self._reservation(self._wanted))

    def _leave(self) -> None:
        self._left[0] -= 1
        if not self._left[0]:
            self._done.set()


async def rush(plan: Plan) -> list[Seen]:
    """Everybody comes at once; returns what each saw."""
    loop = asyncio.get_running_loop()
    done, left = asyncio.Event(), [len(plan.people)]
    visitors = [Visitor(plan, number, done, left) for number in range(len(plan.people))]
    for start in range(0, len(visitors), OPEN_AT_ONCE):
        await asyncio.gather(
            *(
                loop.create_connection(lambda each=each: each, "127.0.0.1", plan.port)  # type: ignore[misc]
                for each in visitors[start : start + OPEN_AT_ONCE]
            )
        )
    await asyncio.sleep(1)
    asked = [each.first() for each in visitors]
    began = time.perf_counter()
    for each, request in zip(visitors, asked, strict=True):
        each.begin(began, request)
    async with asyncio.timeout(PATIENCE_S):
        await done.wait()
    return [each.tell() for each in visitors]


def main() -> None:
    """Read the plan, run, tell."""
    plan = msgspec.json.decode(Path(sys.argv[1]).read_bytes(), type=Plan)
    if sys.platform == "win32":
        seen = asyncio.run(rush(plan))
    else:
        import uvloop

        seen = uvloop.run(rush(plan))
    sys.stdout.write("".join(msgspec.json.encode(each).decode() + "\n" for each in seen))


if __name__ == "__main__":
    main()
