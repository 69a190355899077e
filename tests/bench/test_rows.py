"""How a measurement is judged and printed. No time is taken here."""

from __future__ import annotations

import json

import pytest

from bench.burns import drift, judge
from bench.load import Load
from bench.reference import Reference, parse
from bench.rows import Row, json_lines, ratio_row, table
from bench.server import BenchError

PGBENCH = """
pgbench (18.6)
number of transactions actually processed: 30000
number of failed transactions: 0 (0.000%)
latency average = 2.667 ms
initial connection time = 9.1 ms
tps = 3000.125000 (without initial connection time)
"""


def test_pgbench_is_read() -> None:
    found = parse("a1", 8, PGBENCH)
    assert (found.name, found.clients) == ("A1", 8)
    assert (found.per_second, found.mean_ms) == (3000.125, 2.667)


def test_pgbench_with_failures_is_no_reference() -> None:
    with pytest.raises(BenchError, match="did not measure a1"):
        parse("a1", 8, PGBENCH.replace("transactions: 0", "transactions: 1"))


@pytest.mark.parametrize(
    ("value", "bounds", "verdict"),
    [
        (150.0, {"at_least": 1.5}, "met"),
        (149.0, {"at_least": 1.5}, "missed"),
        (80.0, {"at_most": 0.8}, "met"),
        (81.0, {"at_most": 0.8}, "missed"),
        (1.0, {}, ""),
    ],
)
def test_a_row_is_judged_by_its_ratio(value: float, bounds: dict[str, float], verdict: str) -> None:
    row = ratio_row("x", value, "burns/s", against="A1@8", reference=100.0, **bounds)
    assert row.verdict == verdict
    assert row.ratio == value / 100


def test_json_has_one_object_a_line() -> None:
    row = ratio_row("x", 130.0, "burns/s", against="A2@8", reference=100.0, at_least=1.3)
    first, second = json_lines([row, row]).splitlines()
    assert first == second
    assert json.loads(first) == {
        "row": "x",
        "value": 130.0,
        "unit": "burns/s",
        "reference": "A2@8 100.00",
        "ratio": 1.3,
        "goal": ">= 1.3",
        "verdict": "met",
    }


def test_the_table_lines_up() -> None:
    head, line = table([Row(row="p99_32c", value=6.5, unit="ms")]).splitlines()
    assert head.index("unit") == line.index("ms")


def test_refused_answers_are_not_burns() -> None:
    load = Load(
        requests=1_000, duration_us=2_000_000, refused=10, broken=0, mean_us=1, p50_us=1, p99_us=1
    )
    assert load.per_second == 495
    assert load.failed_share == 0.01


def reference(name: str, clients: int, *rates: float) -> list[Reference]:
    return [Reference(name, clients, rate, 1_000 * clients / rate) for rate in rates]


REFERENCES = {
    ("a1", 8): reference("A1", 8, 3_000, 3_300),
    ("a2", 8): reference("A2", 8, 6_000, 6_000),
    ("a1", 32): reference("A1", 32, 3_200, 3_200),
}


def load(per_second: int, p99_us: int = 1) -> Load:
    return Load(
        requests=per_second,
        duration_us=1_000_000,
        refused=0,
        broken=0,
        mean_us=1,
        p50_us=1,
        p99_us=p99_us,
    )


def test_the_goals_come_first_and_are_judged() -> None:
    measured = {
        (2, 64): [load(9_000), load(9_000)],
        (1, 32): [load(5_000, 8_500), load(5_500, 8_500)],
    }
    rows = judge(measured, REFERENCES)
    verdicts = {row.row: (row.ratio, row.verdict) for row in rows if row.goal}
    assert verdicts == {
        "burns_2p_64c": (1.5, "met"),
        "burns_2p_64c_a1": (2.864, "met"),
        "burns_1p_32c": (1.667, "missed"),
        "p99_32c": (0.85, "missed"),
    }
    assert all(row.goal for row in rows[:4])
    assert not any(row.goal for row in rows[4:])


def test_a_machine_that_changes_its_speed_between_rounds_moves_no_ratio() -> None:
    references = {**REFERENCES, ("a1", 8): reference("A1", 8, 3_000, 1_500, 6_000)}
    rows = judge(
        {(1, 32): [load(6_300), load(3_150), load(12_600)]},
        {
            **references,
            ("a1", 32): reference("A1", 32, 3_200, 1_600, 6_400),
        },
    )
    found = {row.row: row for row in rows}
    assert (found["burns_1p_32c"].ratio, found["burns_1p_32c"].value) == (2.1, 6_300)


def test_references_that_moved_are_warned_about() -> None:
    assert drift(REFERENCES) == ""
    moved = {**REFERENCES, ("a2", 8): reference("A2", 8, 6_000, 4_000)}
    assert "factor of 1.50" in drift(moved)
