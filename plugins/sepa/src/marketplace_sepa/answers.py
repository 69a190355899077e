"""What the bank says of the files it was sent: pain.002."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final
from xml.etree.ElementTree import Element

from marketplace.api import BankAnswer, BankRecord, BatchStatus, LegStatus
from marketplace_sepa.stream import Part, Unreadable
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


class Answers:
    """One status report while it is read."""

    def __init__(self) -> None:
        self._message_id = ""
        self._group: tuple[BankAnswer | None, str, str] = (None, "", "")
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
            state, code, words = self._group
            if state is not None:
                yield BatchStatus(
                    original_message_id=self._message_id,
                    state=state,
                    code=code,
                    text=words,
                    line=part.line,
                )
        elif part.tag == "TxInfAndSts":
            yield from self._tell_block()
            yield from self._leg(part)
        elif self._block_line:
            self._block.append(part.tree)

    def _tell_block(self) -> Iterator[BankRecord]:
        if self._block_told or not self._block_line:
            return
        self._block_told = True
        state, code, words = _answer(self._block, "PmtInfSts")
        if state is not None:
            yield BatchStatus(
                original_message_id=self._message_id,
                payment_information_id=self._block_id,
                state=state,
                code=code,
                text=words,
                line=self._block_line,
            )

    @property
    def _block_id(self) -> str:
        return identifier(self._block, "OrgnlPmtInfId")

    def _leg(self, part: Part) -> Iterator[BankRecord]:
        """A leg that does not say how it fares does as its block does, or as the whole file."""
        own = _answer(part.tree, "TxSts")
        around = (_answer(self._block, "PmtInfSts"), self._group)
        state, code, words = next((each for each in (own, *around) if each[0]), own)
        if state is None:
            return
        group_id = identifier(part.tree, "OrgnlGrpInf/OrgnlMsgId")
        yield LegStatus(
            reference=identifier(part.tree, "OrgnlEndToEndId"),
            original_message_id=group_id or self._message_id,
            payment_information_id=self._block_id,
            instruction_id=identifier(part.tree, "OrgnlInstrId"),
            state=state,
            code=own[1] or code,
            text=own[2] or words,
            line=part.line,
        )


def _answer(found: Element, tag: str) -> tuple[BankAnswer | None, str, str]:
    """State, code and words; a state that is not said is None, but a reason alone is a refusal."""
    written = text(found, tag).upper()
    code = text(found, "StsRsnInf/Rsn/Cd", "StsRsnInf/Rsn/Prtry", "StsRsnInf/StsRsn/Cd")
    words = texts(found, "StsRsnInf/AddtlInf") or texts(found, "StsRsnInf/AddtlStsRsnInf")
    if not written:
        return None, code, words
    if written not in ANSWERS:
        raise Unreadable(f"{tag} is {written!r}, which is no status of a payment")
    return ANSWERS[written], code, words
