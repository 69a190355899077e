"""Direct debits: pain.008."""

from __future__ import annotations

from marketplace.api import Leg
from marketplace_sepa import checks, payments
from marketplace_sepa.payments import Block, Message
from marketplace_sepa.xml import Xml


def write(message: Message) -> bytes:
    """The file."""
    xml = Xml()
    with payments.document(xml, message, "CstmrDrctDbtInitn"):
        for block in message.blocks:
            with xml.inside("PmtInf"):
                _block(xml, message, block)
    return xml.content()


def _block(xml: Xml, message: Message, block: Block) -> None:
    house, version = message.house, message.version
    payments.block_head(xml, block, "DD", house)
    with xml.inside("PmtTpInf"):
        xml.deep("SvcLvl/Cd", "SEPA")
        xml.deep("LclInstrm/Cd", block.scheme)
        xml.leaf("SeqTp", block.sequence)
    xml.leaf("ReqdColltnDt", block.due_on.isoformat())
    payments.party(xml, "Cdtr", house.name, house, message)
    payments.account(xml, "CdtrAcct", house.iban)
    payments.agent(xml, "CdtrAgt", house.bic, version, needed=True)
    xml.leaf("ChrgBr", "SLEV")
    with (
        xml.inside("CdtrSchmeId"),
        xml.inside("Id"),
        xml.inside("PrvtId"),
        xml.inside("Othr"),
    ):
        xml.leaf("Id", checks.creditor_id(house))
        xml.deep("SchmeNm/Prtry", "SEPA")
    for leg in block.legs:
        with xml.inside("DrctDbtTxInf"):
            _debit(xml, leg, message)


def _debit(xml: Xml, leg: Leg, message: Message) -> None:
    account = payments.account_of(leg)
    xml.deep("PmtId/EndToEndId", leg.reference)
    xml.leaf("InstdAmt", payments.amount(leg), Ccy=leg.currency)
    with xml.inside("DrctDbtTx"), xml.inside("MndtRltdInf"):
        xml.leaf("MndtId", account.mandate_id)
        xml.leaf("DtOfSgntr", checks.signed_on(account))
    payments.agent(xml, "DbtrAgt", account.bic, message.version, needed=True)
    payments.party(xml, "Dbtr", account.holder, account, message)
    payments.account(xml, "DbtrAcct", account.iban)
    payments.remittance(xml, leg)
