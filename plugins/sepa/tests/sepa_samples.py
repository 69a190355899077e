"""Small statements, as different banks would write them."""

from __future__ import annotations

import io

from marketplace_sepa.reading import records

from marketplace.api import BankEntry, BankRecord, StatementEnd, StatementStart

IBAN = "DE89370400440532013000"


def balance(
    code: str,
    amount: str,
    *,
    sign: str = "CRDT",
    line: str = "",
    currency: str = "EUR",
    on: str = "2026-11-25",
) -> str:
    """A balance; `line` is a credit line that it includes."""
    credit = f'<CdtLine><Incl>true</Incl><Amt Ccy="EUR">{line}</Amt></CdtLine>' if line else ""
    return (
        f"<Bal><Tp><CdOrPrtry><Cd>{code}</Cd></CdOrPrtry></Tp>{credit}"
        f'<Amt Ccy="{currency}">{amount}</Amt><CdtDbtInd>{sign}</CdtDbtInd>'
        f"<Dt><Dt>{on}</Dt></Dt></Bal>"
    )


def entry(amount: str, *, sign: str = "CRDT", status: str = "BOOK", more: str = "") -> str:
    """An entry."""
    return (
        f'<Ntry><Amt Ccy="EUR">{amount}</Amt><CdtDbtInd>{sign}</CdtDbtInd><Sts>{status}</Sts>'
        f"<BookgDt><Dt>2026-11-25</Dt></BookgDt>{more}</Ntry>"
    )


def transaction(inside: str) -> str:
    """The details of an entry with one transaction."""
    return f"<NtryDtls><TxDtls>{inside}</TxDtls></NtryDtls>"


def statement(inside: str, *, root: str = "BkToCstmrStmt", tag: str = "Stmt") -> str:
    """A message of one statement, without namespace."""
    return (
        f"<Document><{root}><GrpHdr><MsgId>M</MsgId></GrpHdr><{tag}><Id>S-1</Id>"
        f"<Acct><Id><IBAN>{IBAN}</IBAN></Id><Ccy>EUR</Ccy></Acct>{inside}</{tag}></{root}>"
        "</Document>"
    )


def read(content: str | bytes) -> list[BankRecord]:
    """What is read of it."""
    raw = content.encode() if isinstance(content, str) else content
    return list(records(io.BytesIO(raw)))


def entries(content: str | bytes) -> list[BankEntry]:
    """Its entries."""
    return [each for each in read(content) if isinstance(each, BankEntry)]


def one(more: str, *, sign: str = "CRDT", amount: str = "5.00") -> BankEntry:
    """The entry of a statement that has one, with this in it."""
    (found,) = entries(statement(entry(amount, sign=sign, more=more)))
    return found


def foots(found: list[BankRecord]) -> list[bool]:
    """For each statement, whether opening and booked entries make closing."""
    answers, total = [], 0
    for each in found:
        if isinstance(each, StatementStart):
            total = 0
        elif isinstance(each, BankEntry) and each.state == "booked":
            total += each.amount_micros
        elif isinstance(each, StatementEnd):
            ends = (each.opening_micros, each.closing_micros)
            answers.append(None not in ends and (ends[0] or 0) + total == ends[1])
    return answers
