"""Files of banks that nobody here has seen, through the plugin's process into the books."""

from __future__ import annotations

import gzip
import io
import zipfile
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from marketplace.errors import InvalidRequest, MarketplaceError
from marketplace.runtime import Runtime
from settlement.bank import accounts, breaking, importing
from settlement.bank.domain import BreakKind
from settlement.bank.errors import (
    StatementChanged,
    StatementDoesNotFoot,
    StatementOverlaps,
    UnknownBankAccount,
)
from settlement.bank.importing import ImportReport, Outcome
from settlement.bank.models import BankAccount, BankLine
from tests.factories import Coalition
from tests.fakes.camt import DAY, Look, Move, Stated, german_iban, written

MONEY = [Move("12.50", "L-1"), Move("12.50", "L-1"), Move("-3.10"), Move("7", status="PDNG")]
LOOKS = {
    **{f"version {each}": Look(version=each) for each in range(2, 14)},
    "another prefix": Look(prefix="camt"),
    "no namespace": Look(prefix=None),
    "a mark of the byte order": Look(before=b"\xef\xbb\xbf"),
    "blank lines before": Look(before=b"\r\n\n"),
    "no declaration": Look(declared=None),
    "UTF-16": Look(encoding="utf-16", declared="UTF-16"),
    "UTF-16, big end first": Look(encoding="utf-16-be", declared="UTF-16", before=b"\xfe\xff"),
    "says UTF-16, is UTF-8": Look(declared="utf-16"),
    "ISO-8859-2": Look(encoding="iso-8859-2", declared="ISO-8859-2"),
    "windows-1250": Look(encoding="windows-1250", declared="windows-1250"),
    "padded": Look(after=b"\r\n\x1a" + b"\0" * 100),
    "in an envelope": Look(wrapped="<Envelope><AppHdr><Id>1</Id></AppHdr>{0}</Envelope>"),
    "indented": Look(gaps="\r\n    "),
    "amounts in spaces": Look(amount=lambda amount: f"\n  {amount} "),
    "five decimals": Look(amount=lambda amount: f"{amount:.5f}"),
    "no needless decimals": Look(amount=lambda amount: f"{amount.normalize():f}"),
    "no zero before the point": Look(amount=lambda amount: f"{amount}".removeprefix("0")),
    "decimal comma": Look(amount=lambda amount: f"{amount:.2f}".replace(".", ",")),
    "IBAN in groups": Look(account="<IBAN>{lower:.4} {iban:.0}{bban}</IBAN>"),
    "account as another id": Look(account="<Othr><Id>{iban}</Id></Othr>"),
    "account as at home": Look(account="<Othr><Id>{bban}</Id></Othr>"),
    "account of old": Look(account="<BBAN>{bban}</BBAN>"),
    "currency only with the amounts": Look(says_currency=False),
    "times": Look(day="<DtTm>{0}T23:30:00+01:00</DtTm>"),
    "times of Greenwich": Look(day="<DtTm>{0}T00:30:00.000Z</DtTm>"),
    "no period": Look(period=""),
    "a period in days": Look(period="<FrToDt><FrDt>{0}</FrDt><ToDt>{1}</ToDt></FrToDt>"),
    "opening as the last closing": Look(opening="PRCD"),
    "interim balances": Look(opening="ITBD", closing="ITBD"),
    "balances last": Look(late_balances=True),
    "a credit line counted in": Look(credit_line=Decimal(5000)),
    "a status of its own kind": Look(status="<Sts><Prtry>{0}</Prtry></Sts>"),
    "no details": Look(details="none"),
    "other balances": Look(
        more_balances="<Bal><Tp><CdOrPrtry><Cd>CLAV</Cd></CdOrPrtry></Tp>"
        '<Amt Ccy="EUR">1</Amt><CdtDbtInd>DBIT</CdtDbtInd><Dt><Dt>2026-01-05</Dt></Dt></Bal>'
    ),
}


@pytest.fixture
async def desk(coalition: Coalition, tmp_path: Path) -> AsyncIterator[Desk]:
    """Somebody who imports files."""
    yield Desk(coalition.runtime, tmp_path)
    coalition.runtime.close_plugins()


class Desk:
    """Accounts of the house, and what comes in for them."""

    def __init__(self, runtime: Runtime, folder: Path) -> None:
        self.runtime, self._folder = runtime, folder
        self._number = 0

    async def account(self, currency: str = "EUR") -> str:
        """A new account: its IBAN."""
        self._number += 1
        iban = german_iban(self._number)
        async with self.runtime.database.begin() as session:
            await accounts.add(
                session,
                identifier=iban,
                currency=currency,
                rail="sepa",
                name="House",
                actor="person:anna",
            )
        return iban

    async def take(self, content: bytes, name: str = "sent.xml") -> ImportReport:
        """Import a file."""
        path = self._folder / name
        path.write_bytes(content)
        return await importing.import_file(
            self.runtime, path, actor="person:anna", rail="sepa", match=False
        )

    async def lines(self, iban: str) -> list[BankLine]:
        """What an account holds, in its order."""
        async with self.runtime.database.begin() as session:
            rows = await session.scalars(
                sa.select(BankLine)
                .join(BankAccount, BankAccount.id == BankLine.account_id)
                .where(BankAccount.identifier == iban)
                .order_by(BankLine.booked_on, BankLine.position, BankLine.detail)
            )
            return list(rows)

    async def gaps(self) -> list[str]:
        """Why statements are said to be missing."""
        async with self.runtime.database.begin() as session:
            found = await breaking.breaks(session, kind=BreakKind.STATEMENT_GAP)
            return [each.reason for each in found]


def outcomes(report: ImportReport) -> list[Outcome]:
    """What became of each statement."""
    return [each.outcome for each in report.statements]


async def test_a_statement_is_the_same_whatever_it_looks_like(desk: Desk) -> None:
    for name, look in LOOKS.items():
        iban = await desk.account()
        said = Stated(iban, MONEY)
        assert outcomes(await desk.take(said.written(look))) == [Outcome.IMPORTED], name
        found = await desk.lines(iban)
        # Two that are alike both count.
        amounts = [12_500_000, 12_500_000, -3_100_000, 7_000_000]
        assert [each.amount_micros for each in found] == amounts, name
        assert {each.booked_on for each in found} == {DAY}, name
        assert [each.state.value for each in found] == ["booked"] * 3 + ["pending"], name
        ids = [[], [], [], []] if look.details == "none" else [["L-1"], ["L-1"], [], []]
        assert [each.end_to_end_ids for each in found] == ids, name
        if look.details != "none":
            assert {each.counterparty_name for each in found} == {"Łódź & Söhne"}, name
        # Sent again, under another name and other ids of the bank's.
        again = replace(said, reference="AGAIN", number="77", message_id="M-99")
        renamed = await desk.take(again.written(look), name="again.xml")
        assert outcomes(renamed) == [Outcome.KNOWN], name
        assert len(await desk.lines(iban)) == 4, name


AMOUNTS = [
    ("JPY", ["1200", "-7"], [1_200_000_000, -7_000_000]),
    ("BHD", ["1.234", "-0.001"], [1_234_000, -1_000]),
    ("EUR", ["100.123456", "-.5", "0.1000000000"], [100_123_456, -500_000, 100_000]),
    (
        "EUR",
        ["9223372036853", "-9223372036853"],
        [9223372036853 * 10**6, -9223372036853 * 10**6],
    ),
]


async def test_amounts_of_any_currency_are_exact(desk: Desk) -> None:
    for currency, amounts, micros in AMOUNTS:
        iban = await desk.account(currency)
        said = Stated(iban, [Move(each) for each in amounts], currency=currency, opening="0")
        await desk.take(said.written())
        assert [each.amount_micros for each in await desk.lines(iban)] == micros


def zipped(content: bytes) -> bytes:
    """In an archive."""
    kept = io.BytesIO()
    with zipfile.ZipFile(kept, "w") as archive:
        archive.writestr("statement.xml", content)
    return kept.getvalue()


BOMB = (
    '<?xml version="1.0"?><!DOCTYPE a [<!ENTITY a "xxxxxxxxxx"><!ENTITY b "&a;&a;&a;&a;&a;">'
    '<!ENTITY c SYSTEM "file:///etc/passwd">]>'
)
SPOILT: dict[str, tuple[Callable[[Stated], bytes], type[MarketplaceError], str]] = {
    "no opening": (lambda s: s.written(Look(opening="")), StatementDoesNotFoot, "not an opening"),
    "no closing": (lambda s: s.written(Look(closing="")), StatementDoesNotFoot, "not a closing"),
    "only available": (
        lambda s: s.written(Look(opening="OPAV", closing="CLAV")),
        StatementDoesNotFoot,
        "balance",
    ),
    "a cent is missing": (
        lambda s: replace(s, off_by="0.01").written(),
        StatementDoesNotFoot,
        "0.01 is missing",
    ),
    "a millionth too much": (
        lambda s: replace(s, off_by="-0.000001").written(),
        StatementDoesNotFoot,
        "-0.000001 is missing",
    ),
    "another account": (
        lambda s: replace(s, iban=german_iban(9_999)).written(),
        UnknownBankAccount,
        german_iban(9_999),
    ),
    "ours and another": (
        lambda s: written(
            Look(), s.statement(Look()), replace(s, iban=german_iban(9_998)).statement(Look())
        ),
        UnknownBankAccount,
        german_iban(9_998),
    ),
    "no account": (lambda s: s.written(Look(account="")), UnknownBankAccount, "which account"),
    "another currency": (
        lambda s: replace(s, currency="USD").written(),
        UnknownBankAccount,
        "ours is in EUR",
    ),
    "an entry in another currency": (
        lambda s: replace(s, moves=[Move("1", currency="USD")]).written(),
        InvalidRequest,
        "is in USD",
    ),
    "seven decimals": (
        lambda s: replace(s, moves=[Move("1.0000001")]).written(),
        InvalidRequest,
        "more than six decimals",
    ),
    "thousands": (
        lambda s: s.written(Look(amount=lambda a: f"1,000,{a:06.2f}")),
        InvalidRequest,
        "is not an amount",
    ),
    "an amount in words": (
        lambda s: s.written(Look(amount=lambda a: "NaN")),
        InvalidRequest,
        "is not an amount",
    ),
    "more than any account holds": (
        lambda s: s.written(Look(amount=lambda a: "9" * 40)),
        InvalidRequest,
        "to the last digit",
    ),
    "a strange status": (
        lambda s: s.written(Look(status="<Sts>MAYBE</Sts>")),
        InvalidRequest,
        "MAYBE",
    ),
    "no such day": (
        lambda s: s.written(Look(day="<Dt>2026-02-30</Dt>")),
        InvalidRequest,
        "is no date",
    ),
    "entities": (lambda s: BOMB.encode() + s.written(Look(declared=None)), InvalidRequest, "type"),
    "a document type": (
        lambda s: b"<!DOCTYPE Document>" + s.written(Look(declared=None)),
        InvalidRequest,
        "document type",
    ),
    "a text without end": (
        lambda s: replace(s, moves=[Move("1", name="x" * 20_000_000)]).written(),
        InvalidRequest,
        "larger",
    ),
    "too deep": (
        lambda s: replace(s, moves=[Move("1", more="<a>" * 100 + "</a>" * 100)]).written(),
        InvalidRequest,
        "deeper",
    ),
    "cut off": (lambda s: s.written()[:-200], InvalidRequest, "broken"),
    "something after it": (lambda s: s.written() + b"<more/>", InvalidRequest, "broken"),
    "in an archive": (lambda s: zipped(s.written()), InvalidRequest, "unpack"),
    "compressed": (lambda s: gzip.compress(s.written()), InvalidRequest, "unpack"),
    "nothing": (lambda s: b" \n", InvalidRequest, "empty"),
    "another message": (lambda s: b"<Document><Pacs/></Document>", InvalidRequest, "camt.053"),
}


async def test_what_cannot_be_trusted_is_refused_whole_with_the_reason(desk: Desk) -> None:
    iban = await desk.account()
    for name, (spoil, refusal, words) in SPOILT.items():
        content = spoil(Stated(iban, MONEY))
        with pytest.raises(refusal) as raised:
            await desk.take(content)
        assert words in raised.value.detail, (name, raised.value.detail)
    assert await desk.lines(iban) == []
    # None of it is in the way of what is right.
    assert outcomes(await desk.take(Stated(iban, MONEY).written())) == [Outcome.IMPORTED]


async def test_other_content_for_the_same_days_is_refused(desk: Desk) -> None:
    iban = await desk.account()
    said = Stated(iban, MONEY)
    await desk.take(said.written())
    other = replace(said, moves=[*MONEY[:2], Move("-3.11")])
    with pytest.raises(StatementChanged, match="with other content"):
        await desk.take(other.written())
    with pytest.raises(StatementOverlaps, match="covers days"):
        await desk.take(replace(other, reference="ELSE", opening="1").written())
    week = replace(said, reference="WEEK", days=(DAY - timedelta(days=3), DAY + timedelta(days=3)))
    with pytest.raises(StatementOverlaps):
        await desk.take(week.written())
    assert len(await desk.lines(iban)) == 4


def page(number: int, *, last: bool) -> str:
    """Which page it is."""
    said = "true" if last else "false"
    return f"<StmtPgntn><PgNb>{number}</PgNb><LastPgInd>{said}</LastPgInd></StmtPgntn>"


@pytest.mark.parametrize("interim", [True, False])
async def test_pages_of_a_statement_are_one_statement_in_one_file(
    desk: Desk, interim: bool
) -> None:
    iban = await desk.account()
    first = Stated(iban, MONEY, page=page(1, last=False))
    second = replace(first, opening=str(first.closing), moves=[Move("1")], page=page(2, last=False))
    third = replace(second, opening=str(second.closing), page=page(3, last=True))
    between = "ITBD" if interim else ""
    looks = Look(closing=between), Look(opening=between, closing=between), Look(opening=between)
    parts = [each.statement(look) for each, look in zip((first, second, third), looks, strict=True)]
    report = await desk.take(written(Look(), *parts))
    assert [
        (each.entries, each.opening_micros, each.closing_micros) for each in report.statements
    ] == [(6, 100_000_000, 123_900_000)]
    assert len(await desk.lines(iban)) == 6


async def test_pages_may_come_in_files_of_their_own(desk: Desk) -> None:
    iban = await desk.account()
    month = (date(2026, 1, 1), date(2026, 1, 31))
    first = Stated(iban, MONEY, page=page(1, last=False), days=month)
    second = replace(
        first, opening=str(first.closing), moves=[Move("1", day=DAY)], page=page(2, last=True)
    )
    contents = first.written(Look(closing="ITBD")), second.written(Look(opening="ITBD"))
    for content in contents:
        assert outcomes(await desk.take(content)) == [Outcome.IMPORTED]
    for content in contents:
        assert outcomes(await desk.take(content, name="again.xml")) == [Outcome.KNOWN]
    assert await desk.gaps() == []
    assert len(await desk.lines(iban)) == 5


async def test_a_number_that_is_missing_is_a_gap_though_the_balances_agree(desk: Desk) -> None:
    iban = await desk.account()
    days = [Stated(iban, [Move("5")], number="20260105000000001")]
    for amounts in ([], [Move("5"), Move("-5")], [Move("1")]):
        days.append(days[-1].next(*amounts))
    for each in (days[0], days[1], days[3]):
        await desk.take(each.written())
    [reason] = await desk.gaps()
    assert "come to zero" in reason
    await desk.take(days[2].written())
    assert await desk.gaps() == []
    # Where the bank counts other things too, numbers say nothing.
    other = await desk.account()
    strange = [Stated(other, [Move("5")], number="3")]
    for number in ("9", "40", "41"):
        strange.append(strange[-1].next(Move("1"), number=number, reference=number))
    for each in strange:
        await desk.take(each.written())
    assert await desk.gaps() == []


async def test_an_entry_of_a_day_before_does_not_stop_the_next_statement(desk: Desk) -> None:
    iban = await desk.account()
    look = Look(period="")
    first = Stated(iban, [Move("1", day=DAY), Move("2", day=DAY + timedelta(days=1))])
    late = [Move("3", day=DAY), Move("4", day=DAY + timedelta(days=4))]
    second = replace(first.next(), moves=late)
    for each in (first, second):
        assert outcomes(await desk.take(each.written(look))) == [Outcome.IMPORTED]
    assert await desk.gaps() == []
    assert len(await desk.lines(iban)) == 4


CHARGED = (
    '<AmtDtls><InstdAmt><Amt Ccy="USD">13.00</Amt></InstdAmt>'
    '<TxAmt><Amt Ccy="EUR">12.50</Amt></TxAmt></AmtDtls>'
    '<Chrgs><Rcrd><Amt Ccy="EUR">0.50</Amt></Rcrd></Chrgs>'
)


def batch(*amounts: str, ids: tuple[str, ...] = ("B-1",)) -> str:
    """The details of an entry of several payments."""
    heads = "".join(f"<Btch><PmtInfId>{each}</PmtInfId><NbOfTxs>2</NbOfTxs></Btch>" for each in ids)
    each = "".join(
        f"<TxDtls><Refs><EndToEndId>L-{place}</EndToEndId></Refs>"
        + (f'<Amt Ccy="EUR">{amount.strip("-")}</Amt>' if amount else "")
        + (f"<CdtDbtInd>{'DBIT' if amount[0] == '-' else 'CRDT'}</CdtDbtInd>" if amount else "")
        + "</TxDtls>"
        for place, amount in enumerate(amounts, 1)
    )
    return f"<NtryDtls>{heads}{each}</NtryDtls>"


BATCHES: list[tuple[str, str, list[Any]]] = [
    # Transactions that come to the entry are lines of their own, in either direction.
    ("3", batch("1", "2"), [(1_000_000, ["L-1"]), (2_000_000, ["L-2"])]),
    ("-1", batch("1", "-2"), [(1_000_000, ["L-1"]), (-2_000_000, ["L-2"])]),
    # Where they say no amounts, or others, it is one line with all their ids.
    ("3", batch("", ""), [(3_000_000, ["L-1", "L-2"])]),
    ("3", batch("1", "1"), [(3_000_000, ["L-1", "L-2"])]),
    ("3", batch(), [(3_000_000, [])]),
    ("3", batch(ids=("B-1", "B-2")), [(3_000_000, [])]),
    # Charges taken off: the entry counts.
    ("12", f"<NtryDtls><TxDtls>{CHARGED}</TxDtls></NtryDtls>", [(12_000_000, [])]),
]


async def test_an_entry_of_many_payments_is_told_apart_where_it_can_be(desk: Desk) -> None:
    for amount, more, expected in BATCHES:
        iban = await desk.account()
        said = Stated(iban, [Move(amount, more=more)])
        await desk.take(said.written(Look(details="none")))
        found = await desk.lines(iban)
        assert [(each.amount_micros, each.end_to_end_ids) for each in found] == expected
        block = "B-1" if more.count("<Btch>") == 1 else ""
        assert {each.payment_information_id for each in found} == {block}


async def test_ids_of_any_length_reversals_and_returns(desk: Desk) -> None:
    iban = await desk.account()
    back = "<RtrInf><Rsn><Cd>MD06</Cd></Rsn><AddtlInf>by the payer</AddtlInf></RtrInf>"
    structured = (
        "<RmtInf><Strd><CdtrRefInf><Tp><CdOrPrtry><Cd>SCOR</Cd></CdOrPrtry></Tp>"
        "<Ref>RF18539007547034</Ref></CdtrRefInf></Strd></RmtInf>"
    )
    moves = [
        Move("-5", "L-1", reversal=True, inside=back),
        Move("6", "X" * 3_000, inside=structured),
        Move("7", "NONREF"),
        Move("8", status="INFO"),
    ]
    await desk.take(Stated(iban, moves, number="9" * 17).written())
    first, second, third, info = await desk.lines(iban)
    assert (first.reversal, first.return_code, first.return_text) == (True, "MD06", "by the payer")
    assert (len(second.end_to_end_ids[0]), second.structured_reference) == (
        2_000,
        "RF18539007547034",
    )
    assert (third.end_to_end_ids, info.state.value) == ([], "info")
