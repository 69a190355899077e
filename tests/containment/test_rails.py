"""Rails in processes of their own: what the house gets from a good one, and from those that lie."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from marketplace import api
from marketplace.containment.probe import FOUND
from marketplace.containment.rails import (
    HeldFileRail,
    HeldRail,
    RailUnavailable,
    fault_of_files,
    held_here,
)
from marketplace.db import open_database
from marketplace.plugins import others_than
from marketplace.runtime import Runtime
from marketplace.secrets import open_vault
from marketplace.settings import Settings
from tests.containment.hostile import install
from tests.partners.test_rail_scenarios import Courier, Door

CARRIER = """
import datetime
import msgspec


class Door(msgspec.Struct, frozen=True):
    number: str
    since: datetime.date


class Bank(msgspec.Struct, frozen=True):
    iban: str


class Carrier:
    slug = "{slug}"
    directions = frozenset({{api.Direction.PAY}})
    currencies = frozenset({{"EUR"}})
    account = Door
    house = Bank

    def check_account(self, account):
        if not account.number.isdigit():
            raise api.InvalidRequest("A door has a number.")

    def house_now(self):
        raise api.NotConfigured("It needs an IBAN.")

    def files(self, batch, legs):
        {files}

    def read(self, source):
        for number, line in enumerate(source, 1):
            if line == b"bad\\n":
                raise api.InvalidRequest(f"Line {{number}} is bad.")
            yield {record}

    def health(self):
        return api.Health(ok=True, message="well")


@api.hookimpl
def marketplace_register_rails(host):
    return [Carrier()]
"""
FILES = """iban, each = batch.house.iban, "{0.account.since:%d} {0.reference}".format
        text = f"{iban} " + "".join(each(leg) for leg in legs)
        return [api.RailFile(name="a.txt", media_type="text/plain", content=text.encode(),
                             references=tuple(leg.reference for leg in legs))]"""
RECORD = "api.LegStatus(reference=line.decode().strip(), state=api.BankAnswer.REJECTED)"
BATCH = api.Batch(
    reference="S-2026-0001", made_at=datetime(2026, 11, 25, tzinfo=UTC), house={"iban": "XX1"}
)


def leg(reference: str = "L-1") -> api.Leg:
    """A leg as settlement makes it: the account is the JSON that was kept."""
    return api.Leg(
        reference=reference,
        direction=api.Direction.PAY,
        amount_minor=1_234,
        currency="EUR",
        name="Example Ltd",
        account={"number": "7", "since": "2026-11-24"},
        due_on=date(2026, 11, 27),
        text="Settlement",
    )


Carry = Callable[..., HeldFileRail]


@pytest.fixture
def carry(settings: Settings, site: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Carry]:
    """`carry(files=..., record=...)` installs a carrier; returns the rail as a worker has it."""
    monkeypatch.syspath_prepend(str(site))
    monkeypatch.setenv("PYTHONPATH", str(site))
    opened: list[Runtime] = []

    def make(files: str = FILES, record: str = RECORD, *, contained: bool = True) -> Any:
        install(site, "carrier", more=CARRIER.format(slug="carrier", files=files, record=record))
        monkeypatch.setenv(FOUND, "{}")
        alone = replace(settings, plugins_off=",".join(others_than("carrier")))
        database, vault = open_database(alone), open_vault(alone)
        opened.append(Runtime(alone, database, vault, contained=contained))
        return opened[-1].rails["carrier"]

    yield make
    for each in opened:
        each.close_plugins()


@pytest.mark.parametrize("contained", [True, False])
def test_a_worker_and_an_api_process_have_the_same_rail(carry: Carry, contained: bool) -> None:
    rail = carry(contained=contained)
    assert isinstance(rail, api.FileRail)
    assert isinstance(rail, api.BankReader)
    assert not isinstance(rail, api.Rail)
    assert (rail.directions, rail.currencies) == ({api.Direction.PAY}, {"EUR"})
    (file,) = rail.files(BATCH, [leg()])
    assert file.content == b"XX1 24 L-1"
    assert rail.files(BATCH, [leg()]) == [file]
    assert rail.health().message == "well"


def test_words_of_the_plugin_reach_whoever_asked(carry: Carry) -> None:
    rail = carry()
    rail.check_account({"number": "7", "since": "2026-11-24"})
    with pytest.raises(api.InvalidRequest, match="A door has a number"):
        rail.check_account({"number": "x", "since": "2026-11-24"})
    with pytest.raises(api.InvalidRequest, match=r"since"):
        rail.check_account({"number": "7"})
    with pytest.raises(api.NotConfigured, match="needs an IBAN"):
        rail.house_now()


def test_a_bank_file_comes_back_record_by_record(carry: Carry, tmp_path: Path) -> None:
    rail = carry()
    assert isinstance(rail, api.BankReader)
    path = tmp_path / "bank.txt"
    path.write_bytes(b"".join(b"R-%d\n" % each for each in range(20_000)))
    with path.open("rb") as source:
        from_disk = [each.reference for each in rail.read(source)]  # type: ignore[union-attr]
    assert from_disk == [f"R-{each}" for each in range(20_000)]
    from_memory = rail.read(io.BytesIO(path.read_bytes()))
    assert [each.reference for each in from_memory] == from_disk  # type: ignore[union-attr]
    with pytest.raises(api.InvalidRequest, match="Line 2 is bad"):
        next(rail.read(io.BytesIO(b"one\nbad\n")))


@pytest.mark.parametrize(
    ("files", "words"),
    [
        ("return []", "0 places"),
        (FILES + " * 2", "one name"),
        ("raise ValueError('oh')", "ValueError: oh"),
        ("os._exit(3)", "status 3"),
        ("return 'abc'", "not well formed"),
        (FILES.replace("a.txt", "../a.txt"), "no name of a file"),
        (FILES.replace("content=text.encode()", "content=b''"), "empty"),
    ],
)
def test_files_that_are_not_what_they_must_be_are_not_handed_out(
    carry: Carry, files: str, words: str
) -> None:
    rail = carry(files)
    with pytest.raises(RailUnavailable, match=words):
        rail.files(BATCH, [leg()])


@pytest.mark.parametrize(
    ("record", "words"), [("7", "int is no record"), ("api.StatementEnd(entries='x')", "int")]
)
def test_records_that_are_none_are_not_handed_on(carry: Carry, record: str, words: str) -> None:
    rail = carry(record=record)
    assert isinstance(rail, api.BankReader)
    with pytest.raises(RailUnavailable, match=words):
        list(rail.read(io.BytesIO(b"x\n")))


def test_each_leg_is_in_one_file_and_no_other_is() -> None:
    def file(name: str, *references: str) -> api.RailFile:
        return api.RailFile(name=name, media_type="x/y", content=b"x", references=references)

    legs = [leg("L-1"), leg("L-2")]
    assert fault_of_files(legs, [file("a", "L-1"), file("b", "L-2")]) == ""
    assert "2 places" in fault_of_files(legs, [file("a", "L-1", "L-2"), file("b", "L-2")])
    assert "not asked" in fault_of_files(legs, [file("a", "L-1", "L-2", "L-3")])


@pytest.mark.parametrize(
    ("message_id", "blocks", "words"),
    [
        ("M", {}, ""),
        ("M", {"M": ("L-1", "L-2")}, ""),
        ("", {"B-1": ("L-2",), "B-2": ("L-1",)}, ""),
        ("", {"B-1": ("L-2",)}, "each of its legs once"),
        ("", {"B-1": ("L-1", "L-2"), "B-2": ("L-1",)}, "each of its legs once"),
        ("", {"B-1": ("L-1", "L-2"), "B-2": ("L-3",)}, "each of its legs once"),
        ("", {"": ("L-1", "L-2")}, "no id"),
        ("a\nb", {}, "no id that a bank repeats"),
        ("", {"<b>": ("L-1", "L-2")}, "no id that a bank repeats"),
    ],
)
def test_blocks_hold_each_leg_of_their_file_once(
    message_id: str, blocks: dict[str, tuple[str, ...]], words: str
) -> None:
    made = api.RailFile(
        name="a",
        media_type="x/y",
        content=b"x",
        references=("L-1", "L-2"),
        message_id=message_id,
        blocks=blocks,
    )
    fault = fault_of_files([leg("L-1"), leg("L-2")], [made])
    assert words in fault if words else not fault


def test_ids_of_a_bank_are_used_once() -> None:
    first, second = (
        api.RailFile(
            name=name, media_type="x/y", content=b"x", references=(name,), blocks={"B": (name,)}
        )
        for name in ("L-1", "L-2")
    )
    legs = [leg("L-1"), leg("L-2")]
    assert "the id B" in fault_of_files(legs, [first, second])
    same = [replace(each, blocks={}, message_id="M") for each in (first, second)]
    assert "the id M" in fault_of_files(legs, same)


class Sloppy(Courier):
    """Forgets one leg and claims proof about another while it submits."""

    def submit(self, legs: Any) -> Any:
        return [
            api.Booked(reference="L-1", rail_reference="C-1", booked_on=date(2026, 11, 27)),
            api.NeverOrdered(reference="L-2"),
        ]


def test_every_leg_is_answered_once_whatever_the_rail_says() -> None:
    rail = held_here(Sloppy())
    assert isinstance(rail, HeldRail)
    assert rail.account is Door
    good = [replace(leg(f"L-{each}"), account={"number": "7"}) for each in (1, 2, 3)]
    bad = replace(leg("L-4"), account={})
    found = rail.submit([*good, bad])
    assert [type(each) for each in found] == [
        api.Booked,
        api.Unknown,
        api.Unknown,
        api.Rejected,
    ]
    many = [replace(each, reference=f"M-{n}") for n in range(450) for each in good[:1]]
    assert {type(each) for each in held_here(Courier()).lookup(many)} == {api.NeverOrdered}  # type: ignore[union-attr]


@pytest.mark.parametrize("reference", ["", "C\0", "C" * 201])
def test_what_a_rail_calls_a_leg_can_be_kept(reference: str) -> None:
    class Strange(Courier):
        def lookup(self, legs: Any) -> Any:
            return [
                api.Booked(reference="L-1", rail_reference=reference, booked_on=date(2026, 11, 27))
            ]

    rail = held_here(Strange())
    assert isinstance(rail, HeldRail)
    [found] = rail.lookup([replace(leg("L-1"), account={"number": "7"})])
    assert isinstance(found, api.Unknown)
    assert "rail_reference" in found.reason


def test_a_rail_that_does_not_start_was_asked_nothing() -> None:
    def carry(request: object, timeout_s: float) -> Any:
        raise RailUnavailable("it does not start", asked=False)

    rail = held_here(Courier())
    assert isinstance(rail, HeldRail)
    rail._carry = carry
    assert isinstance(rail.submit([leg()])[0], api.Retry)
    assert isinstance(rail.lookup([leg()])[0], api.Unknown)
    rail._carry = lambda request, timeout_s: (_ for _ in ()).throw(RailUnavailable("late"))
    assert isinstance(rail.submit([leg()])[0], api.Unknown)
    assert not rail.health().ok
