"""How contention and memory are judged. No time is taken here."""

from __future__ import annotations

import pytest

from bench.hot import CAPPED, judge, judge_memory, leave_room, take_turns
from bench.load import Load
from bench.seed import BURN_MICROS, seed
from bench.server import BenchError, grow_log, query
from marketplace.settings import Settings


def made(requests: int, *, refused: int = 0) -> Load:
    """One second of load."""
    return Load(requests, 1_000_000, refused, 0, 1_000, 1_000, 2_000)


def test_a_hot_row_is_the_median_of_ratios_of_rounds_side_by_side() -> None:
    # The machine halves its speed in the second round; the ratio does not care.
    speeds = {"usual": iter([100, 50, 100]), "hot": iter([90, 45, 20])}
    runs = {name: lambda _, n=name: made(next(speeds[n])) for name in speeds}
    found = take_turns(3, runs)  # type: ignore[arg-type]
    row = judge(found, "hot", "usual")
    assert (row.ratio, row.verdict) == (0.9, "met")


def test_a_round_with_refusals_is_no_figure() -> None:
    with pytest.raises(BenchError, match="hot: 10 refused"):
        take_turns(1, {"hot": lambda _: made(100, refused=10)})


def test_memory_is_judged_by_its_most_and_by_its_end() -> None:
    rows = judge_memory([120.0, 121.0, 125.0, 125.0, 126.0, 131.0, 140.0, 141.0])
    assert [(row.row, row.verdict) for row in rows] == [
        ("api_memory", "met"),
        ("api_memory_growth", "missed"),
    ]
    assert [row.value for row in rows] == [141.0, 140.5]


def test_the_wallets_of_the_capped_issuer_draw_from_it_first(settings: Settings) -> None:
    url = settings.database_url or ""
    seed(url, wallets=20, offers=10, lots=3, capped=True)
    first, step = CAPPED.first_wallet, CAPPED.wallet_step
    drawn = query(
        url,
        "select (select slug from lot join member m on m.id = issuer_id where wallet_id = w.id"
        " order by effective_at limit 1) from wallet w order by id",
    )
    assert {row[0] for row in drawn[first - 1 :: step]} == {"member-1"}
    assert (
        query(
            url,
            "select count(*) from exposure join contract using (member_id)"
            " where exposure_cap_micros is not null",
        )[0][0]
        == 1
    )
    assert query(url, "select count(*) from lot")[0][0] == 60


def test_a_hot_issuer_is_kept_close_to_its_cap(settings: Settings) -> None:
    url = settings.database_url or ""
    seed(url, wallets=20, offers=10, lots=3, capped=True)
    query(url, "update exposure set used_micros = 12345")
    leave_room(url, 3)
    room = "select exposure_cap_micros - used_micros from contract join exposure using (member_id)"
    assert query(url, room)[0][0] == 3 * BURN_MICROS


def test_a_log_that_has_grown_does_not_grow_again(settings: Settings) -> None:
    url = settings.database_url or ""
    size = "select count(*) from pg_ls_waldir()"
    assert grow_log(url)
    grown = query(url, size)[0][0]
    assert grown >= 10
    assert grow_log(url)
    assert query(url, size)[0][0] <= grown + 2
