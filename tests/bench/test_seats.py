"""The sale of bench.seats, smaller: served by two processes, and checked against the database."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from msgspec.structs import replace

from bench import seats
from bench.load.rush import Seen
from bench.seed import seed
from bench.server import BenchError, query
from marketplace.settings import Settings

PEOPLE, SEATS = 150, 40


def test_a_crowd_buys_every_seat_once_and_doors_let_all_of_them_in(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = settings.database_url or ""
    seed(url, wallets=PEOPLE, offers=10)
    asyncio.run(seats._activate(settings))
    seen: list[Seen] = []
    check = seats.check_truth

    def keep(url: str, told: list[Seen], count: int) -> None:
        seen.extend(told)
        check(url, told, count)

    monkeypatch.setattr(seats, "check_truth", keep)
    rows = {each.row: each for each in seats.on_sale(settings, PEOPLE, SEATS, tmp_path)}
    assert set(rows) >= {"sale_first_answer_p99", "door_scans"}
    assert not any("busy" in each.codes for each in seen)
    assert all(each.codes for each in seen)
    sold = query(url, "select count(*) from conference_place where cancelled_at is null")[0][0]
    # Who wanted two where one was left may have left it.
    assert SEATS - 1 <= sold <= SEATS
    lie = [replace(seen[0], codes=["held", "burnt"], burn_id="b", seats=["1-1"]), *seen[1:]]
    with pytest.raises(BenchError, match="tickets are not what people were told"):
        check(url, lie, SEATS)
