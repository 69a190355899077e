"""What the simulator is told of the bank: an account that money reaches, and files it sends."""

from __future__ import annotations

from collections.abc import Mapping

from marketplace.testing import FileRailRehearsal
from marketplace_sepa.sides import Account, House

STATEMENT = b"""<?xml version="1.0" encoding="UTF-8"?>
<Document xmlns="urn:iso:std:iso:20022:tech:xsd:camt.053.001.08"><BkToCstmrStmt>
<GrpHdr><MsgId>M-1</MsgId><CreDtTm>2026-11-25T18:00:00Z</CreDtTm></GrpHdr>
<Stmt><Id>ST-1</Id><ElctrncSeqNb>1</ElctrncSeqNb><CreDtTm>2026-11-25T18:00:00Z</CreDtTm>
<Acct><Id><IBAN>DE89370400440532013000</IBAN></Id><Ccy>EUR</Ccy></Acct>
<Bal><Tp><CdOrPrtry><Cd>OPBD</Cd></CdOrPrtry></Tp><Amt Ccy="EUR">100.00</Amt>
<CdtDbtInd>CRDT</CdtDbtInd><Dt><Dt>2026-11-24</Dt></Dt></Bal>
<Bal><Tp><CdOrPrtry><Cd>CLBD</Cd></CdOrPrtry></Tp><Amt Ccy="EUR">87.65</Amt>
<CdtDbtInd>CRDT</CdtDbtInd><Dt><Dt>2026-11-25</Dt></Dt></Bal>
<Ntry><Amt Ccy="EUR">12.35</Amt><CdtDbtInd>DBIT</CdtDbtInd><Sts><Cd>BOOK</Cd></Sts>
<BookgDt><Dt>2026-11-25</Dt></BookgDt><AcctSvcrRef>B-1</AcctSvcrRef>
<NtryDtls><TxDtls><Refs><EndToEndId>L-1</EndToEndId></Refs></TxDtls></NtryDtls></Ntry>
</Stmt></BkToCstmrStmt></Document>
"""
REFUSAL = b"""<?xml version="1.0" encoding="UTF-8"?>
<Document xmlns="urn:iso:std:iso:20022:tech:xsd:pain.002.001.10"><CstmrPmtStsRpt>
<GrpHdr><MsgId>M-2</MsgId><CreDtTm>2026-11-25T18:00:00Z</CreDtTm></GrpHdr>
<OrgnlGrpInfAndSts><OrgnlMsgId>S-1-T</OrgnlMsgId><OrgnlMsgNmId>pain.001</OrgnlMsgNmId>
<GrpSts>PART</GrpSts></OrgnlGrpInfAndSts>
<OrgnlPmtInfAndSts><OrgnlPmtInfId>S-1-T-1</OrgnlPmtInfId>
<TxInfAndSts><OrgnlEndToEndId>L-1</OrgnlEndToEndId><TxSts>RJCT</TxSts>
<StsRsnInf><Rsn><Cd>AC04</Cd></Rsn></StsRsnInf></TxInfAndSts></OrgnlPmtInfAndSts>
</CstmrPmtStsRpt></Document>
"""


class SepaRehearsal(FileRailRehearsal):
    """A clearing house in Germany and a member in Poland."""

    settings = House(
        name="Example Clearing House",
        iban="DE89370400440532013000",
        creditor_id="DE98ZZZ09999999999",
        town="Berlin",
        country="DE",
    )

    def account(self) -> Account:
        """One with a mandate."""
        return Account(
            holder="Example Sp. z o.o.",
            iban="PL61109010140000071219812874",
            mandate_id="MANDATE-1",
            mandate_signed_on="2026-01-31",
            town="Warszawa",
            country="PL",
        )

    def bank_files(self) -> Mapping[str, bytes]:
        """A statement, and a refusal of one transfer."""
        return {"camt.053": STATEMENT, "pain.002": REFUSAL}
