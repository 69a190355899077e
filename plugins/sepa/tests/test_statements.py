"""Statements as banks write them: lenient in form, exact in sums, refused in words."""

from __future__ import annotations

import io
import os
from contextlib import suppress
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from marketplace_sepa.reading import records
from sepa_samples import IBAN, balance, entries, entry, foots, one, read, statement, transaction

from marketplace.api import (
    BankEntry,
    EntryState,
    InvalidRequest,
    StatementEnd,
    StatementKind,
    StatementStart,
)

BESIDE = Path(__file__).parents[4] / "shared" / "data" / "iso20022"
SAMPLES = Path(os.environ.get("ISO20022_SAMPLES", BESIDE))
"""Statements that banks and others have published; they are not part of this project."""
FOOTING = {
    "camt053_ing.xml": [True],
    "camt053_nordea.xml": [True],
    "camt053_two_entries.xml": [True],
    "camt053_v4.xml": [True],
    "camt053_multi_statement.xml": [True, True],
    "camt053_does_not_foot.xml": [False],
}


@pytest.mark.parametrize("name", FOOTING)
def test_published_samples_of_banks_are_read_and_foot_where_they_should(name: str) -> None:
    path = SAMPLES / name
    if not path.exists():
        pytest.skip(f"{SAMPLES} has no {name}; name another folder in ISO20022_SAMPLES")
    with path.open("rb") as source:
        assert foots(list(records(source))) == FOOTING[name]


WHOLE = statement(
    "<ElctrncSeqNb>7</ElctrncSeqNb><CreDtTm>2026-11-25T18:00:00+01:00</CreDtTm>"
    "<FrToDt><FrDtTm>2026-11-24T00:00:00</FrDtTm><ToDtTm>2026-11-25T23:59:59</ToDtTm></FrToDt>"
    + balance("OPBD", "10.00", sign="DBIT")
    + balance("CLBD", "2.345678")
    + entry("12.345678", more=transaction("<Refs><EndToEndId>L-1</EndToEndId></Refs>"))
    + entry("99", status="PDNG")
)


def test_a_statement_says_all_that_the_house_needs() -> None:
    start, first, second, end = read(WHOLE)
    assert isinstance(start, StatementStart)
    assert (start.kind, start.account, start.currency) == (StatementKind.STATEMENT, IBAN, "EUR")
    assert (start.reference, start.number) == ("S-1", 7)
    assert start.made_at == datetime(2026, 11, 25, 17, tzinfo=UTC)
    assert (start.from_on, start.to_on) == (date(2026, 11, 24), date(2026, 11, 25))
    assert (start.opening_micros, start.closing_micros) == (-10_000_000, 2_345_678)
    assert isinstance(first, BankEntry)
    assert isinstance(second, BankEntry)
    assert (first.position, first.amount_micros) == (1, 12_345_678)
    assert first.details[0].end_to_end_id == "L-1"
    assert first.details[0].amount_micros == 12_345_678
    assert (second.position, second.state) == (2, EntryState.PENDING)
    assert end == StatementEnd(entries=2, opening_micros=-10_000_000, closing_micros=2_345_678)


@pytest.mark.parametrize(
    "content",
    [
        WHOLE.encode(),
        b"\xef\xbb\xbf" + WHOLE.encode(),
        b'\n\n<?xml version="1.0"?>' + WHOLE.encode(),
        f'<?xml version="1.0" encoding="ISO-8859-1"?>{WHOLE}'.encode("latin-1"),
        f'<?xml version="1.0" encoding="UTF-16"?>{WHOLE}'.encode("utf-16"),
        WHOLE.replace("<Document", '<Document xmlns="urn:iso:std:iso:20022:x:camt.053.001.10"'),
        WHOLE.replace("<", "<n0:").replace("<n0:/", "</n0:"),
        f"<Envelope><AppHdr><Fr>x</Fr></AppHdr>{WHOLE}</Envelope>",
        WHOLE.replace("<Document>", "").replace("</Document>", ""),
        WHOLE.replace("<Sts>BOOK</Sts>", "<Sts><Cd>BOOK</Cd></Sts>"),
        WHOLE.replace("><", ">\r\n\t <"),
    ],
    ids=range(11),
)
def test_the_same_statement_in_another_dress_is_the_same(content: bytes | str) -> None:
    def plain(found: object) -> object:
        return msgspec.structs.replace(found, line=0) if hasattr(found, "line") else found

    assert list(map(plain, read(content))) == list(map(plain, read(WHOLE)))


def test_a_file_that_says_utf_8_and_is_not_is_read_all_the_same() -> None:
    text = statement(entry("1", more="<AddtlNtryInf>Łódź Müller</AddtlNtryInf>"))
    assert entries(text)[0].text == "Łódź Müller"
    wrong = statement(entry("1", more="<AddtlNtryInf>Müller</AddtlNtryInf>")).encode("latin-1")
    assert entries(b'<?xml version="1.0" encoding="UTF-8"?>' + wrong)[0].text == "Müller"


@pytest.mark.parametrize(
    ("inside", "ends"),
    [
        (balance("OPBD", "1") + balance("CLBD", "2"), (1, 2)),
        (balance("PRCD", "1") + balance("CLBD", "2"), (1, 2)),
        (balance("PRCD", "9") + balance("OPBD", "1") + balance("CLBD", "2"), (1, 2)),
        (balance("ITBD", "1") + balance("CLBD", "2"), (1, 2)),
        (balance("OPBD", "1") + balance("ITBD", "2"), (1, 2)),
        (balance("ITBD", "1") + balance("ITBD", "2"), (1, 2)),
        (balance("ITBD", "2"), (None, 2)),
        (balance("CLAV", "7") + balance("FWAV", "8"), (None, None)),
        (balance("OPBD", "101", line="100") + balance("CLBD", "2"), (1, 2)),
        (balance("OPBD", "1") + balance("CLBD", "102", line="100") + balance("CLBD", "2"), (1, 2)),
        (
            balance("OPBD", "9", currency="USD") + balance("OPBD", "1") + balance("CLBD", "2"),
            (1, 2),
        ),
    ],
    ids=range(11),
)
def test_which_balances_are_opening_and_closing(
    inside: str, ends: tuple[int | None, int | None]
) -> None:
    end = read(statement(inside))[-1]
    assert isinstance(end, StatementEnd)
    found = (end.opening_micros, end.closing_micros)
    assert found == tuple(None if each is None else each * 1_000_000 for each in ends)


def test_a_statement_of_several_days_is_from_the_first_opening_to_the_last_closing() -> None:
    days = [
        balance("OPBD", "1", on="2026-11-24") + balance("CLBD", "5", on="2026-11-24"),
        balance("OPBD", "5", on="2026-11-25") + balance("CLBD", "2", on="2026-11-25"),
    ]
    for inside in ("".join(days), "".join(reversed(days))):
        end = read(statement(inside))[-1]
        assert end == StatementEnd(entries=0, opening_micros=1_000_000, closing_micros=2_000_000)


def test_balances_that_come_after_the_entries_are_said_at_the_end() -> None:
    content = statement(entry("1") + balance("OPBD", "1") + balance("CLBD", "2"))
    start, _, end = read(content)
    assert isinstance(start, StatementStart)
    assert start.closing_micros is None
    assert end == StatementEnd(entries=1, opening_micros=1_000_000, closing_micros=2_000_000)


def test_reports_notifications_and_several_statements_in_one_file() -> None:
    two = WHOLE.replace("</Stmt>", "</Stmt><Stmt><Id>S-2</Id></Stmt>")
    assert [e.reference for e in read(two) if isinstance(e, StatementStart)] == ["S-1", "S-2"]
    assert [e.position for e in read(two + "") if isinstance(e, BankEntry)] == [1, 2]
    for root, tag, kind in (
        ("BkToCstmrAcctRpt", "Rpt", StatementKind.REPORT),
        ("BkToCstmrDbtCdtNtfctn", "Ntfctn", StatementKind.NOTIFICATION),
    ):
        start = read(statement(entry("1"), root=root, tag=tag))[0]
        assert isinstance(start, StatementStart)
        assert start.kind is kind


@pytest.mark.parametrize(
    ("written", "micros"),
    [
        ("1", 1_000_000),
        ("+1.5", 1_500_000),
        ("1.234567", 1_234_567),
        ("1.50000000", 1_500_000),
        (".5", 500_000),
        ("1.", 1_000_000),
        ("12,34", 12_340_000),
        (" 12.34\n", 12_340_000),
        ("9000000000000", 9_000_000_000_000_000_000),
    ],
)
def test_amounts_are_exact(written: str, micros: int) -> None:
    assert one("", amount=written).amount_micros == micros


@given(st.integers(0, 10**17), st.integers(0, 6))
def test_every_amount_of_up_to_six_decimals_is_exact(units: int, decimals: int) -> None:
    amount = Decimal(units) / 10**decimals
    if amount < 9_000_000_000_000:
        assert one("", amount=f"{amount:f}").amount_micros == int(amount * 1_000_000)


@pytest.mark.parametrize(
    ("written", "words"),
    [
        ("1.2345678", "more than six decimals"),
        ("1,234", "not an amount"),
        ("1,234.50", "not an amount"),
        ("1e3", "not an amount"),
        ("NaN", "not an amount"),
        ("", "is missing"),
        ("99999999999999", "larger than"),
        ("9" * 30, "not an amount"),
    ],
)
def test_amounts_that_cannot_be_taken_exactly_are_refused_with_their_line(
    written: str, words: str
) -> None:
    content = statement(entry("1") + "\n" + entry(written))
    with pytest.raises(InvalidRequest, match=words) as refused:
        read(content)
    assert refused.value.detail.startswith("Line 2: ")


def test_the_sign_is_what_happened_to_the_account_also_of_a_reversal() -> None:
    reversal = "<RvslInd>true</RvslInd>"
    back, out = one(reversal), one(reversal, sign="DBIT")
    assert (back.amount_micros, back.reversal) == (5_000_000, True)
    assert (out.amount_micros, out.reversal) == (-5_000_000, True)


def test_a_batch_with_many_transactions_and_one_with_none() -> None:
    def part(reference: str, amount: str, path: str) -> str:
        inner = f'<Amt Ccy="EUR">{amount}</Amt>'
        for tag in reversed([each for each in path.split("/") if each]):
            inner = f"<{tag}>{inner}</{tag}>"
        return f"<TxDtls><Refs><EndToEndId>{reference}</EndToEndId></Refs>{inner}</TxDtls>"

    head = "<Btch><MsgId>M-1</MsgId><PmtInfId>P-1</PmtInfId><NbOfTxs>3</NbOfTxs></Btch>"
    parts = (
        part("L-1", "1.5", "")
        + part("L-2", "1.5", "AmtDtls/TxAmt")
        + part("L-3", "2", "AmtDtls/InstdAmt")
    )
    full = one(f"<NtryDtls>{head}{parts}</NtryDtls>", sign="DBIT")
    assert (full.message_id, full.payment_information_id, full.count) == ("M-1", "P-1", 3)
    assert [each.end_to_end_id for each in full.details] == ["L-1", "L-2", "L-3"]
    assert [each.amount_micros for each in full.details] == [-1_500_000, -1_500_000, -2_000_000]
    bare = one(f"<NtryDtls>{head}</NtryDtls>")
    assert (bare.details, bare.count) == ((), 3)
    several = one(f"<NtryDtls>{part('L-1', '2', '')}</NtryDtls><NtryDtls>{parts}</NtryDtls>")
    assert len(several.details) == 4


def test_a_single_transaction_in_another_currency_is_the_whole_entry() -> None:
    foreign = '<AmtDtls><InstdAmt><Amt Ccy="USD">6</Amt></InstdAmt></AmtDtls>'
    (detail,) = one(transaction(foreign)).details
    assert (detail.amount_micros, detail.currency) == (5_000_000, "EUR")


@pytest.mark.parametrize("missing", ["NOTPROVIDED", "NotProvided", " ", "NONREF"])
def test_an_id_that_stands_for_nothing_is_empty(missing: str) -> None:
    refs = f"<Refs><EndToEndId>{missing}</EndToEndId><InstrId>I-1</InstrId></Refs>"
    (detail,) = one(transaction(refs)).details
    assert (detail.end_to_end_id, detail.instruction_id) == ("", "I-1")


@pytest.mark.parametrize("party", ["<Nm>{}</Nm>", "<Pty><Nm>{}</Nm></Pty>"])
def test_the_counterparty_is_the_other_side_also_where_money_comes_back(party: str) -> None:
    def parties(debtor: tuple[str, str], creditor: tuple[str, str], more: str = "") -> str:
        sides = "".join(
            f"<{side}>{party.format(name)}</{side}>"
            f"<{side}Acct><Id><IBAN>{iban}</IBAN></Id></{side}Acct>"
            for side, (name, iban) in (("Dbtr", debtor), ("Cdtr", creditor))
        )
        return transaction(f"<RltdPties>{sides}</RltdPties>{more}")

    us, them = ("House", IBAN), ("Member", "PL61109010140000071219812874")
    returned = "<RtrInf><Rsn><Cd>AC04</Cd></Rsn><AddtlInf>closed</AddtlInf></RtrInf>"
    for found in (
        one(parties(them, us)),
        one(parties(us, them), sign="DBIT"),
        one(parties(us, them, returned)),
        one(parties(them, us, returned), sign="DBIT"),
        one(parties(us, ("Member", "PL61 1090 1014 0000 0712 1981 2874")), sign="CRDT"),
    ):
        (detail,) = found.details
        assert (detail.counterparty_name, detail.counterparty_account) == them
    (detail,) = one(parties(us, them, returned)).details
    assert (detail.return_code, detail.return_text) == ("AC04", "closed")


def test_remittance_free_and_structured() -> None:
    remittance = (
        "<RmtInf><Ustrd>one</Ustrd><Ustrd>two</Ustrd>"
        "<Strd><CdtrRefInf><Ref>RF18539007547034</Ref></CdtrRefInf></Strd></RmtInf>"
    )
    (detail,) = one(transaction(remittance)).details
    assert detail.remittance == "one two"
    assert detail.structured_reference == "RF18539007547034"


def test_codes_of_the_standard_and_the_banks_own() -> None:
    domain = (
        "<BkTxCd><Domn><Cd>PMNT</Cd><Fmly><Cd>ICDT</Cd><SubFmlyCd>ESCT</SubFmlyCd></Fmly></Domn>"
        "<Prtry><Cd>NTRF+116</Cd></Prtry></BkTxCd>"
    )
    assert one(domain).code == "PMNT/ICDT/ESCT"
    assert one("<BkTxCd><Prtry><Cd>NTRF+116</Cd></Prtry></BkTxCd>").code == "NTRF+116"


def test_charges_are_those_that_the_standard_calls_so() -> None:
    def code(family: str, kind: str) -> str:
        inner = f"<Cd>{family}</Cd><SubFmlyCd>{kind}</SubFmlyCd>"
        return f"<BkTxCd><Domn><Cd>ACMT</Cd><Fmly>{inner}</Fmly></Domn></BkTxCd>"

    assert one(code("MDOP", "CHRG"), sign="DBIT").charge
    assert one(code("MCOP", "FEES"), sign="DBIT").charge
    # Given back; a payment that came in is none, nor interest, nor a word of the bank's own.
    assert one(f"<RvslInd>true</RvslInd>{code('MDOP', 'CHRG')}", sign="CRDT").charge
    assert not one(code("MDOP", "CHRG"), sign="CRDT").charge
    assert not one(code("MDOP", "INTR"), sign="DBIT").charge
    own = "<BkTxCd><Prtry><Cd>CHRG</Cd></Prtry></BkTxCd>"
    assert not one(own, sign="DBIT").charge


def test_accounts_without_an_iban_and_times_instead_of_dates() -> None:
    content = statement(
        entry("1").replace("<Dt>2026-11-25</Dt>", "<DtTm>2026-11-25T23:30:00-05:00</DtTm>")
    ).replace(f"<IBAN>{IBAN}</IBAN>", "<Othr><Id>5000 0000</Id></Othr>")
    start, found, _ = read(content)
    assert isinstance(start, StatementStart)
    assert isinstance(found, BankEntry)
    assert start.account == "50000000"
    assert found.booked_on == date(2026, 11, 25)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "empty"),
        (b"PK\x03\x04rest", "ZIP"),
        (b"\x1f\x8brest", "gzip"),
        (b"%PDF-1.7", "PDF"),
        (b":20:STARTUMS", "MT940"),
        (b"date;amount\n", "no XML"),
        (b"<Document><a>", "Line 1: the XML is broken"),
        (b"<html/>", "no statement"),
        (WHOLE[: len(WHOLE) // 2].encode(), "cut off"),
        (statement(entry("1", sign="PLUS")).encode(), "CRDT or DBIT"),
        (statement(entry("1", status="MAYBE")).encode(), "status of an entry"),
        (statement(entry("1").replace("2026-11-25", "25.11.2026")).encode(), "no date"),
        (b"<!DOCTYPE x><Document/>", "document type"),
    ],
    ids=range(13),
)
def test_what_cannot_be_read_is_refused_with_what_to_do(content: bytes, words: str) -> None:
    with pytest.raises(InvalidRequest, match=words):
        read(content)


def test_a_message_that_is_too_large_in_one_place_is_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("marketplace_sepa.stream.MOST_FOLDED", 10)
    many = "<TxDtls/>" * 11
    with pytest.raises(InvalidRequest, match="smaller batches"):
        read(statement(entry("1", more=f"<NtryDtls>{many}</NtryDtls>")))
    deep = "<x>" * 100 + "</x>" * 100
    with pytest.raises(InvalidRequest, match="deeper"):
        read(statement(entry("1", more=deep)))
    with pytest.raises(InvalidRequest, match="deeper"):
        read("<x>" * 100 + WHOLE + "</x>" * 100)
    monkeypatch.setattr("marketplace_sepa.stream.MOST_TEXT", 100_000)
    for huge in (f"<a b='{'x' * 900_000}", f"<!-- {'x' * 900_000}"):
        with pytest.raises(InvalidRequest, match="larger"):
            read(huge)
    monkeypatch.setattr("marketplace_sepa.stream.MOST_TEXT", 1_000)
    with pytest.raises(InvalidRequest, match="larger"):
        read(statement(entry("1", more=f"<AddtlNtryInf>{'x' * 2_000}</AddtlNtryInf>")))


@given(st.binary(max_size=300))
def test_noise_is_refused_or_read_but_never_crashes(noise: bytes) -> None:
    for content in (noise, b"<Document>" + noise, WHOLE.encode()[:700] + noise):
        with suppress(InvalidRequest):
            list(records(io.BytesIO(content)))
