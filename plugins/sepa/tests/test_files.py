"""Files for the bank: valid by the official schemas, exact, and the same for ever."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from importlib.resources import files as package_files
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import msgspec
import pytest
import xmlschema
from hypothesis import given
from hypothesis import strategies as st
from marketplace_sepa import ids, latin
from marketplace_sepa.rail import Sepa
from marketplace_sepa.rehearsal import SepaRehearsal
from marketplace_sepa.sides import Account, House
from msgspec.structs import replace

from marketplace.api import (
    Batch,
    Direction,
    InvalidRequest,
    Leg,
    NotConfigured,
    RailFile,
)
from marketplace.testing import Lab

VERSIONS = [
    ("pain.001.001.03", "pain.008.001.02"),
    ("pain.001.001.09", "pain.008.001.08"),
    ("pain.001.001.10", "pain.008.001.09"),
    ("pain.001.001.11", "pain.008.001.10"),
]
MakeLeg = Callable[..., Leg]
PAY, COLLECT = Direction.PAY, Direction.COLLECT


def tree(file: RailFile) -> ET.Element:
    """The file, without namespaces."""
    root = ET.fromstring(file.content)  # noqa: S314 - our own file
    for each in root.iter():
        each.tag = each.tag.rpartition("}")[2]
    return root


def values(file: RailFile, tag: str) -> list[str]:
    """The texts of all elements of this name."""
    return [each.text or "" for each in tree(file).iter(tag)]


@pytest.mark.parametrize(("transfers", "debits"), VERSIONS)
def test_files_are_valid_by_the_official_schemas(
    rail: Sepa, batch: Batch, leg: MakeLeg, transfers: str, debits: str
) -> None:
    house = replace(batch.house, transfer_version=transfers, debit_version=debits)
    bank = replace(leg().account, bic="BREXPLPWXXX")
    legs = [
        leg("L-1", 1),
        leg("L-2", 99_999_999_999, due_on=date(2026, 12, 1), account=bank),
        leg("L-3", 12_345, direction=COLLECT),
        leg("L-4", 7, direction=COLLECT, account=replace(bank, mandate_sequence="FRST")),
        leg("L-5", 8, direction=COLLECT, account=replace(bank, mandate_scheme="CORE")),
    ]
    debit, core, transfer = rail.files(replace(batch, house=house), legs)
    for version, file in ((transfers, transfer), (debits, debit), (debits, core)):
        assert file.name.endswith(f".{version}.xml")
        schema = package_files("sepaxml") / "schemas" / f"{version}.xsd"
        xmlschema.XMLSchema(str(schema)).validate(file.content)
    assert transfer.references == ("L-1", "L-2")
    assert set(debit.references) == {"L-3", "L-4"}
    assert core.references == ("L-5",)
    assert values(transfer, "NbOfTxs") == ["2", "1", "1"]
    assert values(transfer, "CtrlSum") == ["1000000000.00", "0.01", "999999999.99"]
    assert values(debit, "SeqTp") == ["FRST", "RCUR"]
    assert sorted(values(debit, "EndToEndId")) == ["L-3", "L-4"]


def test_made_again_in_another_process_and_order_it_is_the_same(
    rail: Sepa, batch: Batch, leg: MakeLeg
) -> None:
    script = """
import sys
from datetime import UTC, date, datetime
from marketplace.api import Batch, Direction, Leg
from marketplace_sepa.rail import Sepa
from marketplace_sepa.rehearsal import SepaRehearsal
account = SepaRehearsal(None, None, None).account()
legs = [
    Leg(reference=f"L-{n}", direction=direction, amount_minor=n + 1, currency="EUR", name="x",
        account=account, due_on=date(2026, 11, 27 + n % 3), text="T")
    for n in range(40) for direction in [list(Direction)[n % 2]]
]
legs = legs[::-1] if sys.argv[1] == "back" else legs
batch = Batch(reference="S-1", made_at=datetime(2026, 11, 25, tzinfo=UTC),
              house=SepaRehearsal.settings)
for each in Sepa(None).files(batch, legs):
    sys.stdout.buffer.write(each.content)
"""
    made = {
        subprocess.run(
            [sys.executable, "-c", script, order],
            env={"PYTHONHASHSEED": seed, "TZ": zone, "PATH": ""},
            capture_output=True,
            check=True,
        ).stdout
        for order, seed, zone in (("on", "1", "UTC"), ("back", "2", "Asia/Tokyo"))
    }
    assert len(made) == 1
    assert b"S-1-T" in made.pop()


def test_a_known_file_never_changes(rail: Sepa, batch: Batch, leg: MakeLeg) -> None:
    """A later version of the plugin must write what this one wrote."""
    for version, edition, kept in (
        ("pain.001.001.03", 1, "v03"),
        ("pain.001.001.03", 2, "v03_edition2"),
        ("pain.001.001.09", 1, "v09"),
        ("pain.001.001.09", 2, "v09"),
    ):
        house = replace(batch.house, transfer_version=version, edition=edition)
        (file,) = rail.files(replace(batch, house=house), [leg("L-1"), leg("L-2", 5)])
        golden = Path(__file__).parent / "golden" / f"transfer_{kept}.xml"
        assert file.content == golden.read_bytes()
    (file,) = rail.files(batch, [leg("L-3", direction=COLLECT)])
    assert file.content == (Path(__file__).parent / "golden" / "debit_v08.xml").read_bytes()


def test_each_scheme_of_debits_has_a_file_of_its_own(
    rail: Sepa, batch: Batch, leg: MakeLeg, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A bank takes CORE and B2B by different orders, and refuses a file that mixes them."""
    core = replace(leg().account, mandate_scheme="CORE")
    legs = [
        leg("L-1"),
        *(leg(f"L-{each}", direction=COLLECT) for each in (2, 3)),
        *(leg(f"L-{each}", direction=COLLECT, account=core) for each in (4, 5, 6)),
    ]
    monkeypatch.setattr("marketplace_sepa.rail.MOST_IN_A_FILE", 2)
    found = rail.files(batch, legs)
    told = {each.message_id: (each.references, set(values(each, "Cd"))) for each in found}
    assert told == {
        "S-2026-0001-D": (("L-2", "L-3"), {"SEPA", "B2B"}),
        "S-2026-0001-DC": (("L-4", "L-5"), {"SEPA", "CORE"}),
        "S-2026-0001-DC2": (("L-6",), {"SEPA", "CORE"}),
        "S-2026-0001-T": (("L-1",), {"SEPA"}),
    }
    # A batch that was made before that is written as it was.
    before = msgspec.to_builtins(batch.house)
    del before["edition"]
    kept = msgspec.convert(before, rail.house)
    monkeypatch.undo()
    mixed, _ = rail.files(replace(batch, house=kept), legs)
    assert mixed.message_id == "S-2026-0001-D"
    assert len(mixed.references) == 5


@pytest.mark.parametrize(("transfers", "debits"), VERSIONS)
def test_addresses_are_written_as_the_version_is_used(
    rail: Sepa, batch: Batch, leg: MakeLeg, transfers: str, debits: str
) -> None:
    house = replace(batch.house, transfer_version=transfers, debit_version=debits)
    old = transfers.endswith(".03")
    parts = ["StrtNm", "BldgNb", "PstCd", "TwnNm", "Ctry"]
    lines = ["Ctry", "AdrLine", "AdrLine"]
    for file in rail.files(replace(batch, house=house), [leg(), leg("L-2", direction=COLLECT)]):
        whole = max((list(each) for each in tree(file).iter("PstlAdr")), key=len)
        assert [each.tag for each in whole] == (lines if old else parts)
        assert ("Piotrkowska 1a" in values(file, "AdrLine")) is old
        assert ("90-001 Lodz" in values(file, "AdrLine")) is old


@given(
    amounts=st.lists(st.integers(1, 99_999_999_999), min_size=1, max_size=8),
    days=st.lists(st.integers(0, 3), min_size=8, max_size=8),
    collects=st.lists(st.booleans(), min_size=8, max_size=8),
    reference=st.from_regex(r"[A-Z0-9]([A-Z0-9-]{0,33}[A-Z0-9])?", fullmatch=True),
)
def test_sums_are_exact_and_ids_unique_whatever_the_legs(
    amounts: list[int], days: list[int], collects: list[bool], reference: str
) -> None:
    rail = Sepa(None)  # type: ignore[arg-type]
    account = SepaRehearsal(None, None, None).account()  # type: ignore[arg-type]
    legs = [
        Leg(
            reference=f"L-{number}",
            direction=COLLECT if collects[number] else PAY,
            amount_minor=amount,
            currency="EUR",
            name="x",
            account=account,
            due_on=date(2026, 11, 27) + timedelta(days=days[number]),
            text="",
        )
        for number, amount in enumerate(amounts)
    ]
    made_at = datetime(2026, 11, 25, tzinfo=UTC)
    batch = Batch(reference=reference, made_at=made_at, house=SepaRehearsal.settings)
    found = rail.files(batch, legs)
    own = [each for file in found for tag in ("MsgId", "PmtInfId") for each in values(file, tag)]
    assert len(set(own)) == len(own)
    assert all(len(each) <= 35 for each in own)
    paid = {
        end: Decimal(amount)
        for file in found
        for end, amount in zip(values(file, "EndToEndId"), values(file, "InstdAmt"), strict=True)
    }
    assert paid == {each.reference: Decimal(each.amount_minor) / 100 for each in legs}
    for file in found:
        for part in [*tree(file).iter("PmtInf"), *tree(file)]:
            head = part if part.tag == "PmtInf" else part.find("GrpHdr")
            assert head is not None
            inside = [Decimal(each.text or "") for each in part.iter("InstdAmt")]
            assert head.findtext("NbOfTxs") == str(len(inside))
            assert Decimal(head.findtext("CtrlSum") or "") == sum(inside)


def test_long_references_stay_apart() -> None:
    one, two = "S" * 34 + "1", "S" * 34 + "2"
    derived = {ids.derived(each, suffix) for each in (one, two) for suffix in ("T", "D", "T12")}
    assert len(derived) == 6
    assert {len(each) for each in derived} <= set(range(30, 36))


def test_many_payments_go_into_several_files(
    rail: Sepa, batch: Batch, leg: MakeLeg, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("marketplace_sepa.rail.MOST_IN_A_FILE", 3)
    found = rail.files(batch, [leg(f"L-{each}") for each in range(7)])
    assert [len(each.references) for each in found] == [3, 3, 1]
    assert [values(each, "MsgId") for each in found] == [
        ["S-2026-0001-T"],
        ["S-2026-0001-T2"],
        ["S-2026-0001-T3"],
    ]


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"currency": "USD"}, "EUR only"),
        ({"amount_minor": 0}, "cannot be paid"),
        ({"amount_minor": 100_000_000_000}, "999999999.99"),
        ({"reference": "l-1"}, "capital letters"),
        ({"reference": "L" * 36}, "capital letters"),
        ({"account": {"iban": "DE88370400440532013000"}}, "no IBAN"),
        ({"account": {"iban": "US00"}}, "no IBAN"),
        ({"account": {"iban": "BR1800360305000010009795493C1"}}, "cannot be reached"),
        ({"account": {"bic": "BREX"}}, "no BIC"),
        ({"account": {"holder": "\u202e"}}, "no letter"),
        ({"account": {"town": ""}}, "town and a country"),
        ({"account": {"country": "Poland"}}, "two letters"),
        ({"direction": COLLECT, "account": {"mandate_id": ""}}, "signed mandate"),
        ({"direction": COLLECT, "account": {"mandate_id": "a//b"}}, "mandate reference"),
        ({"direction": COLLECT, "account": {"mandate_id": "M/1/"}}, "no / or space at its ends"),
        ({"direction": COLLECT, "account": {"mandate_id": " M-1"}}, "no / or space at its ends"),
        ({"direction": COLLECT, "account": {"mandate_signed_on": "31.01.2026"}}, "2026-11-25"),
        ({"direction": COLLECT, "account": {"mandate_signed_on": "2026-11-28"}}, "after the debit"),
        ({"account": {"town": "-/-"}}, "The town '-/-' has no letter"),
        (
            {
                "direction": COLLECT,
                "account": {
                    "iban": "CH9300762011623852957",
                    **dict.fromkeys(("street", "building", "postcode", "town", "country"), ""),
                },
            },
            "need the holder's address",
        ),
    ],
)
def test_a_leg_that_cannot_be_paid_is_named(
    rail: Sepa, batch: Batch, leg: MakeLeg, changes: dict[str, Any], words: str
) -> None:
    if "account" in changes:
        changes = {**changes, "account": replace(leg().account, **changes["account"])}
    bad = replace(leg("L-9"), **changes)
    with pytest.raises(InvalidRequest, match=re.escape(words)) as refused:
        rail.files(batch, [leg("L-1"), bad])
    assert bad.reference in refused.value.detail


def test_what_a_batch_must_have(rail: Sepa, batch: Batch, leg: MakeLeg) -> None:
    for wrong, words in (
        (replace(batch, reference="s/1"), "batch's reference"),
        (replace(batch, made_at=datetime(2026, 1, 1)), "time zone"),  # noqa: DTZ001
        (replace(batch, house=replace(batch.house, iban="DE00")), "no IBAN"),
        (replace(batch, house=replace(batch.house, creditor_id="")), "creditor identifier"),
        (replace(batch, house=replace(batch.house, creditor_id="DE97ZZZ09999999999")), "creditor"),
    ):
        with pytest.raises(InvalidRequest, match=words):
            rail.files(wrong, [leg(direction=COLLECT)])
    summer = timezone(timedelta(hours=2))
    moved = replace(batch, made_at=batch.made_at.astimezone(summer))
    assert rail.files(moved, [leg()]) == rail.files(batch, [leg()])


def test_its_settings_are_checked_before_they_are_kept(rail: Sepa, lab: Lab) -> None:
    assert isinstance(rail.house_now(), House)
    assert rail.health().ok
    lab.configure("sepa", replace(SepaRehearsal.settings, iban="DE00370400440532013000"))
    try:
        with pytest.raises(NotConfigured, match="no IBAN"):
            Sepa(lab.host("sepa")).house_now()
        assert not Sepa(lab.host("sepa")).health().ok
    finally:
        lab.configure("sepa", SepaRehearsal.settings)


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("\u0141\u00f3d\u017a", "Lodz"),
        ("\u041c\u043e\u0441\u043a\u0432\u0430", "Moskva"),
        ("\u0429\u0443\u043a\u0430", "Shchuka"),
        ("Stra\u00dfe \u00c6r\u00f8", "Strasse Aero"),
        ("\u0395\u03bb\u03bb\u03ac\u03b4\u03b1", "Ellada"),
        ("A & B \u201cC\u201d_D", "A + B 'C'-D"),
        ("\u5317\u4eac", ".."),
        ("// -x\x00y\n\u202ez", "x y z"),
        ("<b>&amp;</b>", "(b)+amp.(/b)"),
    ],
)
def test_any_script_becomes_what_banks_can_write(written: str, expected: str) -> None:
    assert latin.latin(written, 70) == expected


@given(st.text(max_size=200), st.integers(1, 140))
def test_whatever_the_text_only_the_allowed_characters_are_left(text: str, most: int) -> None:
    found = latin.latin(text, most)
    assert len(found) <= most
    assert re.fullmatch(r"[A-Za-z0-9/?:().,'+ -]*", found)
    assert latin.latin(found, most) == found


def test_the_account_of_a_member_is_checked_like_a_leg(rail: Sepa, account: Account) -> None:
    rail.check_account(account)
    rail.check_account(replace(account, mandate_id="", mandate_signed_on=""))
    with pytest.raises(InvalidRequest, match="signed mandate"):
        rail.check_account(replace(account, mandate_id=""))
