"""Credit transfers: pain.001."""

from __future__ import annotations

from typing import Final

from marketplace.api import Leg
from marketplace_sepa import payments
from marketplace_sepa.payments import Block, Message
from marketplace_sepa.xml import Xml

PLAIN_DATES: Final = "pain.001.001.03"
"""The version whose execution date has no time; later ones may have, so it is one level deeper."""


def write(message: Message) -> bytes:
    """The file."""
    xml = Xml()
    with payments.document(xml, message, "CstmrCdtTrfInitn"):
        for block in message.blocks:
            with xml.inside("PmtInf"):
                _block(xml, message, block)
    return xml.content()


def _block(xml: Xml, message: Message, block: Block) -> None:
    house, version = message.house, message.version
    payments.block_head(xml, block, "TRF", house)
    xml.deep("PmtTpInf/SvcLvl/Cd", "SEPA")
    due_on = block.due_on.isoformat()
    xml.deep("ReqdExctnDt" if version == PLAIN_DATES else "ReqdExctnDt/Dt", due_on)
    payments.party(xml, "Dbtr", house.name, house, message)
    payments.account(xml, "DbtrAcct", house.iban)
    payments.agent(xml, "DbtrAgt", house.bic, version, needed=True)
    xml.leaf("ChrgBr", "SLEV")
    for leg in block.legs:
        with xml.inside("CdtTrfTxInf"):
            _transfer(xml, leg, message)


def _transfer(xml: Xml, leg: Leg, message: Message) -> None:
    account = payments.account_of(leg)
    xml.deep("PmtId/EndToEndId", leg.reference)
    with xml.inside("Amt"):
        xml.leaf("InstdAmt", payments.amount(leg), Ccy=leg.currency)
    payments.agent(xml, "CdtrAgt", account.bic, message.version, needed=False)
    payments.party(xml, "Cdtr", account.holder, account, message)
    payments.account(xml, "CdtrAcct", account.iban)
    payments.remittance(xml, leg)
