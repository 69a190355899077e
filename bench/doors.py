"""Two doors that scan the tickets of a sale: how many a second, and how long each waits."""

from __future__ import annotations

import http.client
import threading
import time
from collections.abc import Sequence
from uuid import uuid4

import msgspec

from bench import hall
from bench.load.rush import Person, Seen
from bench.rows import Row, ratio_row
from bench.server import BenchError

DOORS = ("north", "south")
GOAL_A_SECOND = 50
TICKETS = 600
"""Scanned by both doors together."""


def codes(port: int, people: Sequence[Person], seen: Sequence[Seen]) -> list[str]:
    """What is on the tickets, as those who bought them see it."""
    found: list[str] = []
    for each in seen:
        if len(found) >= TICKETS:
            break
        if each.burn_id:
            path = f"/v1/burns/{each.burn_id}/reveal"
            told = hall.call(port, people[each.number].token, "POST", path)
            found += [artefact["secret"] for artefact in told["artefacts"]]
    return found


class Door(threading.Thread):
    """One device that scans one ticket after the other."""

    def __init__(self, port: int, key: str, tickets: Sequence[str], per_second: float) -> None:
        super().__init__()
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
        self._headers = {"Door-Key": key, "Content-Type": "application/json"}
        self._tickets, self._per_second = tickets, per_second
        self.waited_ms: list[float] = []
        self.results: list[str] = []

    def run(self) -> None:
        """Scan at the pace, or as fast as it is answered (0); a late answer delays the next."""
        began = time.perf_counter()
        for number, code in enumerate(self._tickets):
            due = began + number / self._per_second if self._per_second else time.perf_counter()
            time.sleep(max(due - time.perf_counter(), 0))
            body = msgspec.json.encode({"scans": [{"nonce": str(uuid4()), "code": code}]})
            self._connection.request("POST", "/v1/conference/door/scans", body, self._headers)
            answer = self._connection.getresponse()
            told = msgspec.json.decode(answer.read())
            self.waited_ms.append((time.perf_counter() - due) * 1_000)
            self.results.append(
                told["scans"][0]["result"] if answer.status == 200 else told["code"]
            )
        self._connection.close()


def _scan(
    port: int, keys: Sequence[str], tickets: Sequence[str], per_second: float
) -> tuple[float, list[Door]]:
    """Scans a second, and the doors."""
    share = per_second / len(keys)
    doors = [
        Door(port, key, tickets[number :: len(keys)], share) for number, key in enumerate(keys)
    ]
    began = time.perf_counter()
    for each in doors:
        each.start()
    for each in doors:
        each.join()
    return len(tickets) / (time.perf_counter() - began), doors


def measure(port: int, key: str, tickets: Sequence[str]) -> list[Row]:
    """Half of the tickets at the pace of the goal, half as fast as can be."""
    keys = [
        hall.call(port, key, "POST", "/v1/conference/events/forum/doors", {"name": name})["key"]
        for name in DOORS
    ]
    half = len(tickets) // 2
    _, paced = _scan(port, keys, tickets[:half], GOAL_A_SECOND)
    per_second, fast = _scan(port, keys, tickets[half:], 0)
    results = [result for door in [*paced, *fast] for result in door.results]
    if set(results) != {"admitted"}:
        raise BenchError(f"good tickets were not let in: {sorted(set(results))}")
    waited = sorted(ms for door in paced for ms in door.waited_ms)
    return [
        ratio_row(
            "door_scans",
            per_second,
            "scans/s",
            against="the goal",
            reference=GOAL_A_SECOND,
            at_least=1.0,
        ),
        Row(
            row="door_scan_p99_at_50",
            value=round(waited[len(waited) * 99 // 100], 1),
            unit="ms",
        ),
    ]
