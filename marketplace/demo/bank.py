"""The clearing house's bank, as far as the demonstration needs one: it reads the files of payments
that it is given (pain.001, pain.008) and writes statements (camt.053). No I/O.

It remembers nothing: what it needs to know is given each time.
"""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections.abc import Sequence
from datetime import UTC, date, datetime, time
from typing import Final
from xml.sax.saxutils import escape

import msgspec

from marketplace.money import decimal_from_minor, micros_from_decimal

CURRENCY: Final = "EUR"
CENT: Final = 10_000
"""Micros of a cent, the least that this bank moves."""
NAMESPACE: Final = "urn:iso:std:iso:20022:tech:xsd:camt.053.001.08"
CLOSES_AT: Final = time(18, tzinfo=UTC)


class Movement(msgspec.Struct, frozen=True, kw_only=True):
    """Money that moves on the account, above zero where it comes in."""

    micros: int
    name: str
    account: str
    text: str
    reference: str = ""
    """EndToEndId; empty where no file of ours ordered it."""


class Statement(msgspec.Struct, frozen=True, kw_only=True):
    """What was booked on one day."""

    account: str
    number: int
    day: date
    opening_micros: int
    movements: Sequence[Movement]

    @property
    def reference(self) -> str:
        """What the bank calls it."""
        return f"{self.day:%Y}-{self.number:04d}"

    @property
    def file_name(self) -> str:
        """What its file is called."""
        return f"{self.day}.statement-{self.reference}.camt.053.xml"


def ordered(content: bytes) -> list[Movement]:
    """The payments of a file, as they move the money of whom has sent it."""
    root = ET.fromstring(content)  # noqa: S314 - our own file
    for each in root.iter():
        each.tag = each.tag.rpartition("}")[2]
    debits = root.iter("DrctDbtTxInf")
    return [
        *(_movement(each, "Dbtr", 1) for each in debits),
        *(_movement(each, "Cdtr", -1) for each in root.iter("CdtTrfTxInf")),
    ]


def _movement(payment: ET.Element, other: str, sign: int) -> Movement:
    amount = payment.findtext(".//InstdAmt", "")
    return Movement(
        micros=sign * micros_from_decimal(amount),
        name=payment.findtext(f"{other}/Nm", ""),
        account=payment.findtext(f"{other}Acct/Id/IBAN", ""),
        text=payment.findtext("RmtInf/Ustrd", ""),
        reference=payment.findtext("PmtId/EndToEndId", ""),
    )


def written(of: Statement) -> bytes:
    """The statement as camt.053; the same again is the same to the byte."""
    closing = of.opening_micros + sum(each.micros for each in of.movements)
    made_at = datetime.combine(of.day, CLOSES_AT).isoformat()
    balances = _balance("OPBD", of.opening_micros, of.day) + _balance("CLBD", closing, of.day)
    entries = "".join(_entry(of, n, each) for n, each in enumerate(of.movements, 1))
    return (
        f'<?xml version="1.0" encoding="UTF-8"?>\n<Document xmlns="{NAMESPACE}"><BkToCstmrStmt>'
        f"<GrpHdr><MsgId>{of.reference}</MsgId><CreDtTm>{made_at}</CreDtTm></GrpHdr>\n"
        f"<Stmt><Id>{of.reference}</Id><ElctrncSeqNb>{of.number}</ElctrncSeqNb>"
        f"<CreDtTm>{made_at}</CreDtTm>"
        f"<Acct><Id><IBAN>{of.account}</IBAN></Id><Ccy>{CURRENCY}</Ccy></Acct>\n"
        f"{balances}{entries}</Stmt></BkToCstmrStmt></Document>\n"
    ).encode()


def _money(micros: int) -> str:
    side = "CRDT" if micros >= 0 else "DBIT"
    amount = decimal_from_minor(abs(micros) // CENT, CURRENCY)
    return f'<Amt Ccy="{CURRENCY}">{amount}</Amt><CdtDbtInd>{side}</CdtDbtInd>'


def _balance(code: str, micros: int, day: date) -> str:
    return (
        f"<Bal><Tp><CdOrPrtry><Cd>{code}</Cd></CdOrPrtry></Tp>{_money(micros)}"
        f"<Dt><Dt>{day}</Dt></Dt></Bal>\n"
    )


def _entry(of: Statement, number: int, each: Movement) -> str:
    side = "Dbtr" if each.micros > 0 else "Cdtr"
    return (
        f"<Ntry>{_money(each.micros)}<Sts><Cd>BOOK</Cd></Sts>"
        f"<BookgDt><Dt>{of.day}</Dt></BookgDt><ValDt><Dt>{of.day}</Dt></ValDt>"
        f"<AcctSvcrRef>{of.reference}-{number}</AcctSvcrRef>"
        "<BkTxCd><Prtry><Cd>TRF</Cd></Prtry></BkTxCd><NtryDtls><TxDtls>"
        f"<Refs><EndToEndId>{each.reference or 'NOTPROVIDED'}</EndToEndId></Refs>"
        f"{_money(each.micros)}<RltdPties><{side}><Pty><Nm>{escape(each.name)}</Nm></Pty></{side}>"
        f"<{side}Acct><Id><IBAN>{each.account}</IBAN></Id></{side}Acct></RltdPties>"
        f"<RmtInf><Ustrd>{escape(each.text)}</Ustrd></RmtInf></TxDtls></NtryDtls></Ntry>\n"
    )
