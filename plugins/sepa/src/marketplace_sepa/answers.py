"""What the bank says of the files it was sent: pain.002."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, NamedTuple
from xml.etree.ElementTree import Element

from marketplace.api import BankAnswer, BankRecord, BatchStatus, LegStatus
from marketplace_sepa.stream import Part
from marketplace_sepa.values import identifier, text, texts

ANSWERS: Final = {
    **dict.fromkeys(
        ("ACCP", "ACTC", "ACFC", "ACSP", "ACPD", "ACSC", "ACWC", "ACCC", "ACWP", "ACIS", "CPUC"),
        BankAnswer.ACCEPTED,
    ),
    # PATC waits for another signature; what is BLCK went out, and it is not known where it is.
    **dict.fromkeys(("PDNG", "RCVD", "PATC", "PRES", "BLCK"), BankAnswer.PENDING),
    "PART": BankAnswer.PARTIAL,
    **dict.fromkeys(("RJCT", "CANC"), BankAnswer.REJECTED),
}


class Said(NamedTuple):
    """What is said of a payment, a block or a file; `state` is None where nothing is."""

    state: BankAnswer | None = None
    status: str = ""
    code: str = ""
    words: str = ""


class Answers:
    """One status report while it is read."""

    def __init__(self) -> None:
        self._message_id = ""
        self._group = Said()
        self._block = Element("OrgnlPmtInfAndSts")
        self._block_line = 0
        self._block_told = False

    def begin_block(self, line: int) -> None:
        """A block of payments begins."""
        self._block = Element("OrgnlPmtInfAndSts")
        self._block_line, self._block_told = line, False

    def end_block(self) -> Iterator[BankRecord]:
        """A block of payments ends."""
        yield from self._tell_block()
        self.begin_block(0)

    def take(self, part: Part) -> Iterator[BankRecord]:
        """What a part of the report adds."""
        if part.tag == "OrgnlGrpInfAndSts":
            self._message_id = identifier(part.tree, "OrgnlMsgId")
            self._group = _answer(part.tree, "GrpSts")
            yield from self._batch(self._group, "", part.line)
        elif part.tag == "TxInfAndSts":
            yield from self._tell_block()
            yield from self._leg(part)
        elif self._block_line:
            self._block.append(part.tree)

    def _tell_block(self) -> Iterator[BankRecord]:
        if self._block_told or not self._block_line:
            return
        self._block_told = True
        said = _answer(self._block, "PmtInfSts")
        if not said.status and self._group.state not in (None, BankAnswer.PARTIAL):
            return  # it fares as the whole file does
        yield from self._batch(said, self._block_id, self._block_line)

    def _batch(self, said: Said, block_id: str, line: int) -> Iterator[BankRecord]:
        if said.state is not None:
            yield BatchStatus(
                original_message_id=self._message_id,
                payment_information_id=block_id,
                state=said.state,
                status=said.status,
                code=said.code,
                text=said.words,
                line=line,
            )

    @property
    def _block_id(self) -> str:
        return identifier(self._block, "OrgnlPmtInfId")

    def _leg(self, part: Part) -> Iterator[BankRecord]:
        """A leg that does not say how it fares does as its block does, or as the whole file. Where
        these only say that legs fare differently, or nothing, it is not known."""
        own = _answer(part.tree, "TxSts")
        around = (_answer(self._block, "PmtInfSts"), self._group)
        found = next((each for each in (own, *around) if each.status), own)
        state = None if found.state is BankAnswer.PARTIAL else found.state
        group_id = identifier(part.tree, "OrgnlGrpInf/OrgnlMsgId")
        yield LegStatus(
            reference=identifier(part.tree, "OrgnlEndToEndId"),
            original_message_id=group_id or self._message_id,
            payment_information_id=self._block_id,
            instruction_id=identifier(part.tree, "OrgnlInstrId"),
            state=state or BankAnswer.UNKNOWN,
            status=found.status,
            code=own.code or found.code,
            text=own.words or found.words,
            line=part.line,
        )


def _answer(found: Element, tag: str) -> Said:
    """What is said there. Banks have statuses of their own, which nobody else knows; a reason
    without a status says that something is the matter, not what."""
    status = text(found, tag, f"{tag}/Cd", f"{tag}/Prtry")
    code = text(found, "StsRsnInf/Rsn/Cd", "StsRsnInf/Rsn/Prtry", "StsRsnInf/StsRsn/Cd")
    words = texts(found, "StsRsnInf/AddtlInf") or texts(found, "StsRsnInf/AddtlStsRsnInf")
    if not status and not code and not words:
        return Said()
    return Said(ANSWERS.get(status.upper(), BankAnswer.UNKNOWN), status, code, words)
