"""Settlements as text, for the command line."""

from __future__ import annotations

from collections.abc import Sequence

from marketplace.money import decimal_from_micros, decimal_from_minor
from settlement.clearing.files import Remade
from settlement.clearing.schemas import (
    AccountView,
    Caps,
    FileView,
    LegView,
    Matrix,
    SettlementDetail,
    Settlements,
    SettlementView,
)
from settlement.domain import PartyKind


def signed(micros: int) -> str:
    """An amount with its sign."""
    return f"{'+' if micros > 0 else ''}{decimal_from_micros(micros)}"


def party(kind: PartyKind, slug: str) -> str:
    """A member's slug, `margin` or `pool:<issuer>`."""
    return {PartyKind.MEMBER: slug, PartyKind.OPERATOR: "margin"}.get(kind, f"pool:{slug}")


def listed(found: Settlements) -> list[str]:
    """All settlements, a line each."""
    return [line(each) for each in found.settlements] or ["There is no settlement yet."]


def line(each: SettlementView) -> str:
    """A settlement in one line."""
    of = f" of {each.origin}" if each.origin else ""
    windows = f"{len(each.windows)} windows" if each.windows else each.kind.value
    return (
        f"{each.reference}  {each.status.value:<10}{each.mode.value:<14}due {each.due_on}  "
        f"{windows}{of}"
    )


def summary(found: SettlementDetail) -> list[str]:
    """A settlement and how its legs stand."""
    each, counts = found.settlement, dict[str, int]()
    for leg in found.legs:
        counts[leg.status.value] = counts.get(leg.status.value, 0) + 1
    said = [line(each), "  legs: " + ", ".join(f"{n} {status}" for status, n in counts.items())]
    if each.trouble:
        said.append(f"  waiting: {each.trouble}")
    return said


def detail(found: SettlementDetail) -> list[str]:
    """A settlement with positions (+ is owed, - owes) and legs."""
    said = [line(found.settlement)]
    said.append(f"  {'position':<28}{'owes':>18}{'is owed':>18}{'fee':>16}{'net':>18}")
    for each in found.positions:
        name = f"{each.currency} {party(each.party, each.member.slug)}"
        said.append(
            f"  {name:<28}{decimal_from_micros(each.debit_micros):>18}"
            f"{decimal_from_micros(each.credit_micros):>18}"
            f"{decimal_from_micros(each.fee_micros):>16}{signed(each.net_micros):>18}"
        )
    return [*said, *legs(found.legs)]


def legs(found: Sequence[LegView]) -> list[str]:
    """Legs, a line each."""
    said = []
    for each in found:
        who = each.member.slug + (f" to {each.counterparty.slug}" if each.counterparty else "")
        amount = f"{decimal_from_minor(each.amount_minor, each.currency)} {each.currency}"
        rest = f"  rounding {signed(each.remainder_micros)}" if each.remainder_micros else ""
        why = f"  {each.reason}" if each.reason else ""
        said.append(
            f"  {each.reference:<26}{each.direction.value:<8}{amount:>20}  {who:<22}"
            f"{each.status.value}{rest}{why}"
        )
    return said or ["  no legs"]


def matrix(found: Matrix) -> list[str]:
    """Who owes whom, gross."""
    return [
        f"{each.currency}  {party(each.payer_party, each.payer.slug):<22}"
        f"{party(each.payee_party, each.payee.slug):<22}{each.what.value:<10}"
        f"{decimal_from_micros(each.amount_micros):>20}"
        for each in found.flows
    ] or ["Nobody owes anybody anything."]


def files(found: Sequence[FileView], again: Sequence[Remade]) -> list[str]:
    """Files, and whether they are the same made again."""
    same = {(each.name, each.sha256): each.same for each in again}
    words = {True: "  the same made again", False: "  DIFFERENT made again", None: ""}
    return [
        f"{each.id}  {each.sha256[:12]}  {each.size_bytes:>9}  {each.name}"
        + words[same.get((each.name, each.sha256))]
        for each in found
    ] or ["No file was made."]


def accounts(found: Sequence[AccountView]) -> list[str]:
    """Accounts, a line each."""
    return [
        f"{each.id}  {each.member.slug:<20}{each.currency}  {each.rail:<10}{each.status.value:<10}"
        + ", ".join(f"{name} {value}" for name, value in each.account.items())
        for each in found
    ] or ["No account was proposed yet."]


def caps(found: Caps) -> list[str]:
    """Caps and money paid ahead."""
    said = [
        f"{each.member.slug:<20}{decimal_from_micros(each.used_micros):>18} of "
        f"{decimal_from_micros(each.cap_micros)} {each.currency} used"
        + ("  NEARLY USED" if each.alarming else "")
        for each in found.caps
    ]
    said += [
        f"{each.member.slug:<20}{decimal_from_micros(each.prefunded_micros):>18} {each.currency} "
        "paid ahead"
        for each in found.prefunds
    ]
    return said or ["Nobody has a cap or has paid ahead."]
