"""Entries of a statement and their transactions."""

from __future__ import annotations

from typing import Final
from xml.etree.ElementTree import Element

import msgspec

from marketplace.api import BankEntry, EntryDetail, EntryState
from marketplace_sepa.stream import Unreadable
from marketplace_sepa.values import day, identifier, is_credit, is_true, micros, text, texts, whole

STATES: Final = {
    "BOOK": EntryState.BOOKED,
    "PDNG": EntryState.PENDING,
    "FUTR": EntryState.PENDING,
    "INFO": EntryState.INFO,
}
SURE: Final = ("Amt", "AmtDtls/TxAmt/Amt")
"""Amounts in the account's own currency, as a rule."""
OTHERS: Final = ("AmtDtls/CntrValAmt/Amt", "AmtDtls/InstdAmt/Amt")


class Detail(msgspec.Struct, frozen=True):
    """A transaction, and whether its amount is the one that was booked."""

    detail: EntryDetail
    sure: bool


def detail(entry: Element, found: Element, own_account: str) -> Detail:
    """A transaction (TxDtls) of an entry whose amount has been read."""
    credit = is_credit(found, "a transaction", is_credit(entry, "an entry"))
    amount, currency, sure = _amount(entry, found)
    name, account = _counterparty(found, own_account, credit, _is_back(entry, found))
    return Detail(
        EntryDetail(
            amount_micros=None if amount is None else amount if credit else -amount,
            currency=currency,
            end_to_end_id=identifier(found, "Refs/EndToEndId"),
            instruction_id=identifier(found, "Refs/InstrId"),
            message_id=identifier(found, "Refs/MsgId"),
            payment_information_id=identifier(found, "Refs/PmtInfId"),
            mandate_id=identifier(found, "Refs/MndtId"),
            bank_reference=identifier(found, "Refs/AcctSvcrRef", "Refs/Prtry/Ref"),
            counterparty_name=name,
            counterparty_account=account,
            remittance=texts(found, "RmtInf/Ustrd") or text(found, "AddtlTxInf"),
            structured_reference=identifier(
                found, "RmtInf/Strd/CdtrRefInf/Ref", "RmtInf/Strd/CdtrRefInf/CdtrRef"
            ),
            return_code=text(found, "RtrInf/Rsn/Cd", "RtrInf/Rsn/Prtry", "RtrInf/RtrRsn/Cd"),
            return_text=texts(found, "RtrInf/AddtlInf") or texts(found, "RtrInf/AddtlRtrRsnInf"),
        ),
        sure,
    )


def _amount(entry: Element, found: Element) -> tuple[int | None, str, bool]:
    """Amount, its currency, and whether that is what was booked."""
    own = _currency(entry.find("Amt"))
    for path in (*SURE, *OTHERS):
        amount = found.find(path)
        if amount is None:
            continue
        currency = _currency(amount) or own
        if currency == own or not own:
            return micros(amount.text, "the amount of a transaction"), currency, path in SURE
    return None, own, False


def _is_back(entry: Element, found: Element) -> bool:
    """Money that comes back: debtor and creditor are those of the payment that failed."""
    return found.find("RtrInf") is not None or is_true(text(entry, "RvslInd"))


def _counterparty(found: Element, own_account: str, credit: bool, back: bool) -> tuple[str, str]:
    first, second = ("Dbtr", "Cdtr") if credit is not back else ("Cdtr", "Dbtr")
    if own_account and _account(found, first) == own_account:
        first, second = second, first
    for side in (first, second):
        account = _account(found, side)
        if side == second and account == own_account:
            break
        name = text(
            found,
            *(f"RltdPties/{who}/{path}" for who in (side, f"Ultmt{side}") for path in NAMES),
        )
        if name or account:
            return name, account
    return "", ""


NAMES: Final = ("Nm", "Pty/Nm", "Agt/FinInstnId/Nm")


def _account(found: Element, side: str) -> str:
    base = f"RltdPties/{side}Acct/Id"
    return text(found, f"{base}/IBAN", f"{base}/Othr/Id", f"{base}/PrtryAcct/Id").replace(" ", "")


def _currency(amount: Element | None) -> str:
    return "" if amount is None else amount.get("Ccy", "").strip().upper()


def entry(
    found: Element, details: list[Detail], position: int, line: int, currency: str
) -> BankEntry:
    """An entry (Ntry); `currency` is the account's, for one that names none."""
    amount = micros(text(found, "Amt"), "the amount of an entry")
    signed = amount if is_credit(found, "an entry") else -amount
    own = _currency(found.find("Amt")) or currency
    batch = found.find("NtryDtls/Btch")
    batch = Element("Btch") if batch is None else batch
    return BankEntry(
        position=position,
        amount_micros=signed,
        currency=own,
        booked_on=day(found, "BookgDt"),
        valued_on=day(found, "ValDt"),
        state=_state(found),
        reversal=is_true(text(found, "RvslInd")),
        bank_reference=identifier(found, "AcctSvcrRef"),
        entry_reference=identifier(found, "NtryRef"),
        code=_code(found),
        text=text(found, "AddtlNtryInf"),
        message_id=identifier(batch, "MsgId"),
        payment_information_id=identifier(batch, "PmtInfId"),
        count=whole(text(batch, "NbOfTxs")),
        details=_settled(details, signed, own),
        line=line,
    )


def _settled(details: list[Detail], signed: int, currency: str) -> tuple[EntryDetail, ...]:
    """A single transaction that does not say what was booked for it is the whole entry."""
    if len(details) == 1 and not details[0].sure:
        whole_entry = msgspec.structs.replace(
            details[0].detail, amount_micros=signed, currency=currency
        )
        return (whole_entry,)
    return tuple(each.detail for each in details)


def _state(found: Element) -> EntryState:
    written = text(found, "Sts/Cd", "Sts/Prtry", "Sts").upper()
    if written and written not in STATES:
        raise Unreadable(f"the status of an entry is {written!r}, not BOOK, PDNG or INFO")
    return STATES.get(written, EntryState.BOOKED)


def _code(found: Element) -> str:
    parts = [text(found, f"BkTxCd/Domn/{path}") for path in ("Cd", "Fmly/Cd", "Fmly/SubFmlyCd")]
    return "/".join(each for each in parts if each) or text(found, "BkTxCd/Prtry/Cd")
