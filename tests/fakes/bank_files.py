"""The files of the bank in `bank.py`: reads pain.001 and pain.008, writes camt and pain.002.

Written from the message definitions with the standard library alone; shares nothing with the house.
"""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from xml.sax.saxutils import escape


@dataclass
class Payment:
    """One transaction of a file that the bank took; `amount` is above zero."""

    reference: str
    amount: Decimal
    currency: str
    collects: bool
    due_on: date
    message_id: str
    block_id: str
    name: str
    account: str
    text: str
    mandate: str = ""
    state: str = "taken"
    """`taken`, `rejected`, `booked` or `returned`."""

    @property
    def signed(self) -> Decimal:
        """As the account of the clearing house sees it."""
        return self.amount if self.collects else -self.amount


@dataclass
class Taken:
    """A file: its id, its payments, and what is wrong with its sums (empty: nothing)."""

    message_id: str
    payments: list[Payment]
    fault: str = ""


@dataclass
class Transaction:
    """A part of an entry."""

    amount: Decimal
    payment: Payment | None = None
    name: str = ""
    account: str = ""
    text: str = ""
    return_code: str = ""


@dataclass
class Entry:
    """A line of the account."""

    amount: Decimal
    booked_on: date
    reference: str
    transactions: list[Transaction] = field(default_factory=list)
    batch: tuple[str, str, int] | None = None
    """Message, block and number of payments, where it is booked in one sum."""
    reversal: bool = False
    text: str = ""


def read_payments(content: bytes) -> Taken:
    """What a pain.001 or pain.008 orders."""
    root = ET.fromstring(content)  # noqa: S314 - our own files
    for each in root.iter():
        each.tag = each.tag.rpartition("}")[2]
    body = root[0]
    collects = body.tag == "CstmrDrctDbtInitn"
    assert collects or body.tag == "CstmrCdtTrfInitn", body.tag
    message_id = _text(body, "GrpHdr/MsgId")
    found = [
        _payment(each, block, message_id, collects)
        for block in body.findall("PmtInf")
        for each in block.findall("DrctDbtTxInf" if collects else "CdtTrfTxInf")
    ]
    return Taken(message_id, found, _fault(body, found))


def _fault(body: ET.Element, found: Sequence[Payment]) -> str:
    for part, own in [
        (body.find("GrpHdr"), found),
        *(
            (block, [p for p in found if p.block_id == _text(block, "PmtInfId")])
            for block in body.findall("PmtInf")
        ),
    ]:
        assert part is not None
        if int(_text(part, "NbOfTxs")) != len(own):
            return f"{part.tag}: {len(own)} transactions"
        if Decimal(_text(part, "CtrlSum")) != sum(p.amount for p in own):
            return f"{part.tag}: they do not sum to {_text(part, 'CtrlSum')}"
    references = [p.reference for p in found]
    return "" if len(set(references)) == len(references) else "an EndToEndId comes twice"


def _payment(each: ET.Element, block: ET.Element, message_id: str, collects: bool) -> Payment:
    amount = each.find(".//InstdAmt")
    other = "Dbtr" if collects else "Cdtr"
    assert amount is not None
    assert amount.text
    due = _text(block, "ReqdColltnDt" if collects else "ReqdExctnDt")
    return Payment(
        reference=_text(each, "PmtId/EndToEndId"),
        amount=Decimal(amount.text),
        currency=amount.attrib["Ccy"],
        collects=collects,
        due_on=date.fromisoformat(due or _text(block, "ReqdExctnDt/Dt")),
        message_id=message_id,
        block_id=_text(block, "PmtInfId"),
        name=_text(each, f"{other}/Nm"),
        account=_text(each, f"{other}Acct/Id/IBAN"),
        text=_text(each, "RmtInf/Ustrd"),
        mandate=_text(each, "DrctDbtTx/MndtRltdInf/MndtId"),
    )


def _text(element: ET.Element, path: str) -> str:
    return (element.findtext(path) or "").strip()


class Writer:
    """Writes messages about one account in one version of camt."""

    def __init__(self, iban: str, currency: str, version: int, *, lose_ids: bool) -> None:
        self.iban = iban
        self.currency = currency
        self.version = version
        self.lose_ids = lose_ids
        """Leave out every id that the customer gave."""

    @property
    def _modern(self) -> bool:
        return self.version >= 8

    def statement(
        self,
        number: int,
        made_at: datetime,
        balances: tuple[Decimal, Decimal],
        entries: Sequence[Entry],
    ) -> bytes:
        """A camt.053."""
        opening, closing = (
            self._balance(code, amount, made_at.date())
            for code, amount in zip(("OPBD", "CLBD"), balances, strict=True)
        )
        inside = opening + closing + "".join(map(self._entry, entries))
        return self._message(
            "053", "BkToCstmrStmt", "Stmt", f"ST-{number}", number, made_at, inside
        )

    def notification(self, number: int, made_at: datetime, entries: Sequence[Entry]) -> bytes:
        """A camt.054."""
        inside = "".join(map(self._entry, entries))
        root = "BkToCstmrDbtCdtNtfctn"
        return self._message("054", root, "Ntfctn", f"NT-{number}", number, made_at, inside)

    def _message(
        self,
        kind: str,
        root: str,
        tag: str,
        reference: str,
        number: int,
        made_at: datetime,
        inside: str,
    ) -> bytes:
        namespace = f"urn:iso:std:iso:20022:tech:xsd:camt.{kind}.001.{self.version:02d}"
        stamp = f"<CreDtTm>{made_at.isoformat()}</CreDtTm>"
        return (
            f'<?xml version="1.0" encoding="UTF-8"?>\n<Document xmlns="{namespace}"><{root}>'
            f"<GrpHdr><MsgId>{reference}</MsgId>{stamp}</GrpHdr><{tag}><Id>{reference}</Id>"
            f"<ElctrncSeqNb>{number}</ElctrncSeqNb>{stamp}"
            f"<Acct><Id><IBAN>{self.iban}</IBAN></Id><Ccy>{self.currency}</Ccy></Acct>"
            f"\n{inside}</{tag}></{root}></Document>\n"
        ).encode()

    def _money(self, amount: Decimal) -> str:
        sign = "CRDT" if amount >= 0 else "DBIT"
        return f'<Amt Ccy="{self.currency}">{abs(amount)}</Amt><CdtDbtInd>{sign}</CdtDbtInd>'

    def _balance(self, code: str, amount: Decimal, on: date) -> str:
        return (
            f"<Bal><Tp><CdOrPrtry><Cd>{code}</Cd></CdOrPrtry></Tp>{self._money(amount)}"
            f"<Dt><Dt>{on}</Dt></Dt></Bal>\n"
        )

    def _entry(self, entry: Entry) -> str:
        status = "<Sts><Cd>BOOK</Cd></Sts>" if self._modern else "<Sts>BOOK</Sts>"
        batch = ""
        if entry.batch is not None and not self.lose_ids:
            message_id, block_id, count = entry.batch
            batch = (
                f"<Btch><MsgId>{message_id}</MsgId><PmtInfId>{block_id}</PmtInfId>"
                f"<NbOfTxs>{count}</NbOfTxs></Btch>"
            )
        details = batch + "".join(map(self._transaction, entry.transactions))
        return (
            f"<Ntry>{self._money(entry.amount)}"
            f"{'<RvslInd>true</RvslInd>' if entry.reversal else ''}{status}"
            f"<BookgDt><Dt>{entry.booked_on}</Dt></BookgDt><ValDt><Dt>{entry.booked_on}</Dt></ValDt>"
            f"<AcctSvcrRef>{entry.reference}</AcctSvcrRef>"
            "<BkTxCd><Prtry><Cd>TRF</Cd></Prtry></BkTxCd>"
            f"{f'<NtryDtls>{details}</NtryDtls>' if details else ''}"
            f"{f'<AddtlNtryInf>{escape(entry.text)}</AddtlNtryInf>' if entry.text else ''}"
            "</Ntry>\n"
        )

    def _transaction(self, each: Transaction) -> str:
        paid = each.payment
        refs = "<EndToEndId>NOTPROVIDED</EndToEndId>"
        if paid is not None and not self.lose_ids:
            mandate = f"<MndtId>{escape(paid.mandate)}</MndtId>" if paid.mandate else ""
            refs = (
                f"<MsgId>{paid.message_id}</MsgId><PmtInfId>{paid.block_id}</PmtInfId>"
                f"<EndToEndId>{paid.reference}</EndToEndId>{mandate}"
            )
        amount = self._money(each.amount)
        if self.version < 4:  # TxDtls had no amount of its own
            plain = f'<Amt Ccy="{self.currency}">{abs(each.amount)}</Amt>'
            amount = f"<AmtDtls><TxAmt>{plain}</TxAmt></AmtDtls>"
        text = "" if self.lose_ids else each.text
        return (
            f"<TxDtls><Refs>{refs}</Refs>{amount}{self._parties(each)}"
            f"{f'<RmtInf><Ustrd>{escape(text)}</Ustrd></RmtInf>' if text else ''}"
            f"{self._return(each)}</TxDtls>"
        )

    def _parties(self, each: Transaction) -> str:
        name = each.payment.name if each.payment else each.name
        account = each.payment.account if each.payment else each.account
        incoming = each.payment.collects if each.payment else each.amount > 0
        side = "Dbtr" if incoming else "Cdtr"
        inner = f"<Nm>{escape(name)}</Nm>"
        inner = f"<Pty>{inner}</Pty>" if self._modern else inner
        return (
            f"<RltdPties><{side}>{inner}</{side}><{side}Acct><Id><IBAN>{account}</IBAN></Id>"
            f"</{side}Acct></RltdPties>"
        )

    @staticmethod
    def _return(each: Transaction) -> str:
        if not each.return_code:
            return ""
        return f"<RtrInf><Rsn><Cd>{each.return_code}</Cd></Rsn></RtrInf>"


def status_report(
    number: int,
    made_at: datetime,
    message_id: str,
    group: str,
    payments: Sequence[Payment],
    code: str,
    status: str,
) -> bytes:
    """A pain.002: of the whole file, and of each of these payments that has this status."""
    legs = "".join(
        f"<OrgnlPmtInfAndSts><OrgnlPmtInfId>{each.block_id}</OrgnlPmtInfId><TxInfAndSts>"
        f"<OrgnlEndToEndId>{each.reference}</OrgnlEndToEndId><TxSts>{status}</TxSts>"
        f"<StsRsnInf><Rsn><Cd>{code}</Cd></Rsn></StsRsnInf></TxInfAndSts></OrgnlPmtInfAndSts>\n"
        for each in payments
    )
    reason = ""
    if group == "RJCT":
        reason = f"<StsRsnInf><Rsn><Cd>{code}</Cd></Rsn></StsRsnInf>"
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        '<Document xmlns="urn:iso:std:iso:20022:tech:xsd:pain.002.001.10"><CstmrPmtStsRpt>'
        f"<GrpHdr><MsgId>SR-{number}</MsgId><CreDtTm>{made_at.isoformat()}</CreDtTm></GrpHdr>"
        f"<OrgnlGrpInfAndSts><OrgnlMsgId>{message_id}</OrgnlMsgId><OrgnlMsgNmId>pain</OrgnlMsgNmId>"
        f"<GrpSts>{group}</GrpSts>{reason}</OrgnlGrpInfAndSts>\n{legs}</CstmrPmtStsRpt></Document>\n"
    ).encode()
