"""Files of banks that nobody may trust: refused whole, with the reason."""

from __future__ import annotations

import gzip
import io
import zipfile
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest

from marketplace.errors import InvalidRequest, MarketplaceError
from settlement.bank.errors import (
    StatementChanged,
    StatementDoesNotFoot,
    StatementOverlaps,
    UnknownBankAccount,
)
from settlement.bank.importing import Outcome
from tests.fakes.camt import DAY, Look, Move, Stated, german_iban, written
from tests.sepa.desk import MONEY, Desk, outcomes


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
