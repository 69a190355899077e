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
NAMES: Final = ("Nm", "Pty/Nm", "Agt/FinInstnId/Nm")
CHARGES: Final = frozenset({"CHRG", "COMM", "COME", "COMI", "COMT", "FEES"})
"""Sub-families of ISO 20022 that are charges, fees and commissions of the bank, in any family."""
OTHERS: Final = ("AmtDtls/CntrValAmt/Amt", "AmtDtls/InstdAmt/Amt")


class Side(msgspec.Struct, frozen=True):
    """Who pays or is paid."""

    name: str
    account: str


class Detail(msgspec.Struct, frozen=True):
    """A transaction as it was read, before it is known whose statement it is on."""

    detail: EntryDetail
    sure: bool
    """Its amount is the one that was booked."""
    sides: tuple[Side, Side]
    """The likely counterparty first."""


def detail(entry: Element, found: Element) -> Detail:
    """A transaction (TxDtls) of an entry whose amount has been read."""
    credit = is_credit(found, "a transaction", is_credit(entry, "an entry"))
    amount, currency, sure = _amount(entry, found)
    debtor, creditor = _side(found, "Dbtr"), _side(found, "Cdtr")
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
            remittance=texts(found, "RmtInf/Ustrd") or text(found, "AddtlTxInf"),
            structured_reference=identifier(
                found, "RmtInf/Strd/CdtrRefInf/Ref", "RmtInf/Strd/CdtrRefInf/CdtrRef"
            ),
            return_code=text(found, "RtrInf/Rsn/Cd", "RtrInf/Rsn/Prtry", "RtrInf/RtrRsn/Cd"),
            return_text=texts(found, "RtrInf/AddtlInf") or texts(found, "RtrInf/AddtlRtrRsnInf"),
        ),
        sure,
        (debtor, creditor) if credit is not _is_back(entry, found) else (creditor, debtor),
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


def _side(found: Element, side: str) -> Side:
    paths = (f"RltdPties/{who}/{path}" for who in (side, f"Ultmt{side}") for path in NAMES)
    base = f"RltdPties/{side}Acct/Id"
    account = text(found, f"{base}/IBAN", f"{base}/Othr/Id", f"{base}/PrtryAcct/Id")
    return Side(text(found, *paths), account.replace(" ", ""))


def _counterparty(sides: tuple[Side, Side], own_account: str) -> Side:
    """The likely side, unless it is the account itself or says nothing."""
    for each in sides:
        if (each.name or each.account) and not (each.account and each.account == own_account):
            return each
    return Side("", "")


def _currency(amount: Element | None) -> str:
    return "" if amount is None else amount.get("Ccy", "").strip().upper()


def entry(
    found: Element, details: list[Detail], position: int, line: int, own: tuple[str, str]
) -> BankEntry:
    """An entry (Ntry) on the statement of `own` account and currency."""
    amount = micros(text(found, "Amt"), "the amount of an entry")
    signed = amount if is_credit(found, "an entry") else -amount
    currency = _currency(found.find("Amt")) or own[1]
    batches = found.findall("NtryDtls/Btch")
    # The sum of several blocks is no block's.
    batch = batches[0] if len(batches) == 1 else Element("Btch")
    return BankEntry(
        position=position,
        amount_micros=signed,
        currency=currency,
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
        count=sum(whole(text(each, "NbOfTxs")) or 0 for each in batches) or None,
        details=_settled(details, signed, currency, own[0]),
        line=line,
        charge=_is_charge(found, signed),
    )


def _settled(
    details: list[Detail], signed: int, currency: str, own_account: str
) -> tuple[EntryDetail, ...]:
    """The transactions; a single one that does not say what was booked is the whole entry."""
    found = []
    for each in details:
        other = _counterparty(each.sides, own_account)
        more: dict[str, object] = {
            "counterparty_name": other.name,
            "counterparty_account": other.account,
        }
        if len(details) == 1 and not each.sure:
            more |= {"amount_micros": signed, "currency": currency}
        found.append(msgspec.structs.replace(each.detail, **more))
    return tuple(found)


def _state(found: Element) -> EntryState:
    written = text(found, "Sts/Cd", "Sts/Prtry", "Sts").upper()
    if written and written not in STATES:
        raise Unreadable(f"the status of an entry is {written!r}, not BOOK, PDNG or INFO")
    return STATES.get(written, EntryState.BOOKED)


def _is_charge(found: Element, signed: int) -> bool:
    """Whether the bank's code says so, of what it takes, or of what it took and gives back."""
    ours = signed < 0 or is_true(text(found, "RvslInd"))
    return ours and text(found, "BkTxCd/Domn/Fmly/SubFmlyCd") in CHARGES


def _code(found: Element) -> str:
    parts = [text(found, f"BkTxCd/Domn/{path}") for path in ("Cd", "Fmly/Cd", "Fmly/SubFmlyCd")]
    return "/".join(each for each in parts if each) or text(found, "BkTxCd/Prtry/Cd")
