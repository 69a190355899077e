"""Statements (camt.053) as banks of all kinds write them: one content, many looks.

    content = Stated(iban, [Move("12.50", "L-1"), Move("-3")]).written(Look(version=2, prefix="n"))

Written from the message definitions with the standard library alone; shares nothing with the house.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from decimal import Decimal
from xml.sax.saxutils import escape

DAY = date(2026, 1, 5)
NAMESPACE = "urn:iso:std:iso:20022:tech:xsd:camt.053.001."


@dataclass(frozen=True)
class Look:
    """How a bank writes. `details`: `each` (a transaction in each entry), `none`."""

    version: int = 8
    prefix: str | None = ""
    """None: no namespace at all."""
    encoding: str = "utf-8"
    declared: str | None = "UTF-8"
    """What the XML declaration says; None: there is no declaration."""
    before: bytes = b""
    after: bytes = b""
    amount: Callable[[Decimal], str] = str
    account: str = "<IBAN>{iban}</IBAN>"
    says_currency: bool = True
    day: str = "<Dt>{0}</Dt>"
    period: str = "<FrToDt><FrDtTm>{0}T00:00:00</FrDtTm><ToDtTm>{1}T23:59:59</ToDtTm></FrToDt>"
    opening: str = "OPBD"
    closing: str = "CLBD"
    more_balances: str = ""
    credit_line: Decimal | None = None
    """Counted into both balances."""
    late_balances: bool = False
    """After the entries."""
    status: str = ""
    """Empty: as the version has it."""
    gaps: str = ""
    """Between any two elements."""
    details: str = "each"
    wrapped: str = "{0}"


@dataclass(frozen=True)
class Move:
    """An entry; `more` is written into it, `inside` into its one transaction."""

    amount: str
    end_to_end_id: str = "NOTPROVIDED"
    day: date = DAY
    status: str = "BOOK"
    reversal: bool = False
    name: str = "Łódź & Söhne"
    more: str = ""
    inside: str = ""
    currency: str = ""


@dataclass(frozen=True)
class Stated:
    """What a statement says, whoever writes it."""

    iban: str
    moves: Sequence[Move]
    opening: str = "100.00"
    reference: str = "ST-1"
    number: str = "1"
    days: tuple[date, date] = (DAY, DAY)
    currency: str = "EUR"
    page: str = ""
    """`<StmtPgntn>`, where it has pages."""
    off_by: str = "0"
    message_id: str = "M-1"
    tags: dict[str, str] = field(default_factory=dict)

    @property
    def closing(self) -> Decimal:
        """What it comes to."""
        booked = sum((Decimal(m.amount) for m in self.moves if m.status == "BOOK"), Decimal(0))
        return Decimal(self.opening) + booked + Decimal(self.off_by)

    def next(self, *moves: Move, **more: object) -> Stated:
        """The statement of the day after."""
        first, last = (each + timedelta(days=1) for each in self.days)
        number = str(int(self.number) + 1)
        own = {"reference": f"ST-{number}", "number": number, "days": (first, last)} | more
        moved = [replace(each, day=first) for each in moves]
        return replace(self, opening=str(self.closing), moves=moved, **own)  # type: ignore[arg-type]

    def statement(self, look: Look) -> str:
        """The `Stmt` alone."""
        return _Writing(self, look).statement()

    def written(self, look: Look = Look()) -> bytes:
        """The file of this one statement."""
        return written(look, self.statement(look), message_id=self.message_id)


def written(look: Look, *statements: str, message_id: str = "M-1") -> bytes:
    """A file of these statements."""
    stamp = "2026-01-06T06:00:00+01:00"
    head = f"<GrpHdr><MsgId>{message_id}</MsgId><CreDtTm>{stamp}</CreDtTm></GrpHdr>"
    text = f"<Document><BkToCstmrStmt>{head}{''.join(statements)}</BkToCstmrStmt></Document>"
    if look.prefix:
        text = text.replace("</", "\0").replace("<", f"<{look.prefix}:")
        text = text.replace("\0", f"</{look.prefix}:")
    if look.prefix is not None:
        name = f"xmlns:{look.prefix}" if look.prefix else "xmlns"
        text = text.replace("Document>", f'Document {name}="{NAMESPACE}{look.version:02d}">', 1)
    if look.gaps:
        text = text.replace("><", f">{look.gaps}<")
    text = look.wrapped.format(text)
    if look.declared is not None:
        text = f'<?xml version="1.0" encoding="{look.declared}"?>{text}'
    return look.before + text.encode(look.encoding) + look.after


class _Writing:
    def __init__(self, of: Stated, look: Look) -> None:
        self._of, self._look = of, look

    def statement(self) -> str:
        of, look = self._of, self._look
        first, last = of.days
        bban = of.iban[4:]
        account = look.account.format(iban=of.iban, bban=bban, lower=of.iban.lower())
        currency = f"<Ccy>{of.currency}</Ccy>" if look.says_currency else ""
        balances = self._balances()
        entries = "".join(map(self._entry, of.moves))
        return (
            f"<Stmt><Id>{of.reference}</Id>{of.page}<ElctrncSeqNb>{of.number}</ElctrncSeqNb>"
            f"<CreDtTm>2026-01-06T06:00:00+01:00</CreDtTm>{look.period.format(first, last)}"
            f"<Acct><Id>{account}</Id>{currency}</Acct>"
            f"{entries + balances if look.late_balances else balances + entries}</Stmt>"
        )

    def _money(self, amount: Decimal, currency: str = "") -> str:
        sign = "CRDT" if amount >= 0 else "DBIT"
        written = self._look.amount(abs(amount))
        currency = currency or self._of.currency
        return f'<Amt Ccy="{currency}">{written}</Amt><CdtDbtInd>{sign}</CdtDbtInd>'

    def _balances(self) -> str:
        look, of = self._look, self._of
        ends = (
            (look.opening, Decimal(of.opening), of.days[0]),
            (look.closing, of.closing, of.days[1]),
        )
        return look.more_balances + "".join(self._balance(*each) for each in ends if each[0])

    def _balance(self, code: str, amount: Decimal, day: date) -> str:
        line = self._look.credit_line
        told = ""
        if line is not None:
            written = f'<Amt Ccy="{self._of.currency}">{line}</Amt>'
            told = f"<CdtLine><Incl>true</Incl>{written}</CdtLine>"
        return (
            f"<Bal><Tp><CdOrPrtry><Cd>{code}</Cd></CdOrPrtry></Tp>{told}"
            f"{self._money(amount + (line or 0))}<Dt>{self._look.day.format(day)}</Dt></Bal>"
        )

    def _entry(self, move: Move) -> str:
        look = self._look
        amount = Decimal(move.amount)
        modern = look.version >= 8
        status = look.status or ("<Sts><Cd>{0}</Cd></Sts>" if modern else "<Sts>{0}</Sts>")
        day = look.day.format(move.day)
        details = ""
        if look.details == "each":
            own = "" if look.version < 4 else self._money(amount, move.currency)
            side = "Dbtr" if amount > 0 else "Cdtr"
            name = f"<Nm>{escape(move.name)}</Nm>"
            name = f"<Pty>{name}</Pty>" if modern else name
            details = (
                f"<NtryDtls><TxDtls><Refs><EndToEndId>{move.end_to_end_id}</EndToEndId></Refs>{own}"
                f"<RltdPties><{side}>{name}</{side}></RltdPties>{move.inside}</TxDtls></NtryDtls>"
            )
        return (
            f"<Ntry>{self._money(amount, move.currency)}"
            f"{'<RvslInd>true</RvslInd>' if move.reversal else ''}{status.format(move.status)}"
            f"<BookgDt>{day}</BookgDt><ValDt>{day}</ValDt>{move.more}{details}</Ntry>"
        )


def german_iban(number: int) -> str:
    """A well-formed IBAN of a German account."""
    domestic = f"37040044{number:010d}"
    return f"DE{98 - int(domestic + '131400') % 97:02d}{domestic}"
