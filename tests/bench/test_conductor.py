"""Every group is run, and one that fails harms no other. No time is taken here."""

from __future__ import annotations

import importlib
import subprocess
import sys
from pathlib import Path

import click
import msgspec
import pytest

from bench import fulfilment, issuances, pauses
from bench.__main__ import chosen, rows_of, run, status
from bench.groups import GROUPS, Group
from bench.pauses import Beside
from bench.rows import Row, json_lines, ratio_row

ROOT = Path(__file__).parents[2]
MET = ratio_row("good", 2, "x", against="y", reference=1, at_least=1)
MISSED = ratio_row("bad", 2, "x", against="y", reference=1, at_least=3)
MOST_MINUTES = 30


def take(group: Group) -> list[Row] | None:
    """As if burns could not be measured."""
    return None if group.name == "burns" else [msgspec.structs.replace(MET, row=group.name)]


def test_a_group_that_fails_harms_no_other() -> None:
    rows, failed = run(GROUPS, take=take)
    assert failed == ["burns"]
    assert [row.row for row in rows] == [each.name for each in GROUPS if each.name != "burns"]


@pytest.mark.parametrize(
    ("rows", "failed", "strict", "expected"),
    [
        ([MET, MISSED], [], False, 0),
        ([MET, MISSED], [], True, 1),
        ([MET], [], True, 0),
        ([MET], ["burns"], False, 1),
    ],
)
def test_the_exit_status(rows: list[Row], failed: list[str], strict: bool, expected: int) -> None:
    assert status(rows, failed, strict=strict) == expected


def test_groups_are_chosen_by_name() -> None:
    assert chosen([]) == list(GROUPS)
    assert [each.name for each in chosen(["trust", "burns"])] == ["burns", "trust"]
    with pytest.raises(click.BadParameter, match="no group nonsense; there are burns"):
        chosen(["nonsense"])


def test_what_a_group_prints_is_read_back() -> None:
    assert rows_of(json_lines([MET, MISSED]) + "\n") == [MET, MISSED]
    with pytest.raises(msgspec.MsgspecError):
        rows_of("not a row\n")


@pytest.mark.parametrize("group", GROUPS, ids=lambda each: each.name)
def test_each_group_takes_its_arguments(group: Group) -> None:
    command = importlib.import_module(group.module).main
    for arguments in (group.arguments, group.quick):
        command.make_context(group.name, ["--json", *arguments])


def test_the_whole_takes_half_an_hour_at_most() -> None:
    assert sum(each.minutes for each in GROUPS) <= MOST_MINUTES


def test_the_groups_are_listed() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "bench", "--list"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    assert [line.split()[0] for line in done.stdout.splitlines()] == [each.name for each in GROUPS]


def test_a_pace_is_sustained_while_no_more_waits_than_before() -> None:
    assert fulfilment.Round(1_000, 1_010, 2_000, -50, 5.0).sustained
    assert fulfilment.Round(1_000, 950, 2_000, 250, 5.0).sustained
    assert not fulfilment.Round(1_000, 940, 2_000, 300, 5.0).sustained


def test_the_fastest_pace_that_is_kept_is_closed_in_upon() -> None:
    search, tried = fulfilment.Search(2_000.0), []
    while not search.is_over:
        tried.append(round(search.pace))
        most = 3_250
        late = max(search.pace - most, 0) * 5
        search.note(
            fulfilment.Round(search.pace, min(search.pace, most), 900, round(late), 5.0),
        )
    # 5 % of a pace may be left over, so a little more than what is delivered is still kept.
    assert tried == [2_000, 2_400, 2_880, 3_456, 3_168, 3_312]
    assert (round(search.kept), round(search.failed)) == (3_312, 3_456)


def test_a_pace_that_is_much_too_fast_is_left_at_once() -> None:
    search = fulfilment.Search(8_000.0)
    search.note(fulfilment.Round(8_000, 3_000, 30_000, 25_000, 5.0))
    assert search.pace == 4_000
    search.note(fulfilment.Round(4_000, 3_100, 9_000, 4_500, 5.0))
    assert search.pace == 3_100
    search.note(fulfilment.Round(3_100, 3_100, 300, 0, 5.0))
    assert search.pace == 3_550


def test_fulfilment_is_judged_against_the_burns_alone() -> None:
    rows = fulfilment.judge(10_000, 5_000, 6_000, 100e-6, 300e-6)
    assert [(row.row, row.ratio, row.verdict) for row in rows] == [
        ("fulfilled", 0.5, "met"),
        ("fulfilled_backlog", 0.6, ""),
        ("fulfilled_processor", 3.0, ""),
    ]
    assert len(fulfilment.judge(10_000, 5_000, 6_000, None, None)) == 2


def test_an_import_is_judged_by_medians() -> None:
    found = {"copy": [1.0, 2.0, 9.0], "import": [10.0, 8.0, 30.0], "floor": [5.0]}
    rows = issuances.judge(found, 100)
    assert [(row.row, row.value, row.ratio, row.verdict) for row in rows] == [
        ("import_issuances", 10.0, 0.2, "met"),
        ("import_issuances_inserts", 10.0, 0.5, ""),
    ]


def test_a_file_to_import_is_the_same_each_time() -> None:
    assert issuances.file_of(3, "a") == issuances.file_of(3, "a") != issuances.file_of(3, "b")
    assert issuances.file_of(3, "a").count(b"\n") == 4


def test_pauses_are_judged_by_the_longest() -> None:
    rows = pauses.judge(5.0, Beside(999.0, 1.0, 1.0), Beside(1_001.0, 1.0, 1.0))
    assert [(row.row, row.verdict) for row in rows] == [
        ("pause_by_expiry", "met"),
        ("pause_by_refunds", "missed"),
        ("pause_by_nothing", ""),
    ]
