"""From what windows come to, to who pays whom: flows, positions and legs. Pure.

Amounts are integer micros of one currency. A position above zero is owed to its party.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Final, TypeAlias
from uuid import UUID

import msgspec

from marketplace.coalition.domain import Funding
from marketplace.contract.rails import Direction
from marketplace.ledger.domain import ObligationKind
from marketplace.ledger.totals import DEBT, Total
from settlement.clearing.domain import FlowKind, Mode
from settlement.clearing.rounding import Rounded, rounded
from settlement.domain import PartyKind

BASIS = 10_000
"""Basis points of the whole."""
FEE_KINDS = (ObligationKind.CAPTURE, ObligationKind.REFUND)
"""What fees are charged on: not on money that only goes into a pool, nor on what expires."""


class Party(msgspec.Struct, frozen=True, cache_hash=True):
    """A member, the pool of an issuer, or the margin of the operator."""

    kind: PartyKind
    member_id: UUID

    @property
    def order(self) -> tuple[str, int]:
        """Parties sort by this."""
        return (self.kind, self.member_id.int)


class Flow(msgspec.Struct, frozen=True):
    """What `payer` owes `payee` for one sort of reason, gross."""

    currency: str
    payer: Party
    payee: Party
    what: FlowKind
    amount_micros: int
    """Above zero."""


class Position(msgspec.Struct, frozen=True):
    """What one party owes or is owed. `net = credit - debit - fee`."""

    currency: str
    party: Party
    debit_micros: int
    credit_micros: int
    fee_micros: int
    net_micros: int


class PlannedLeg(msgspec.Struct, frozen=True):
    """One payment to be made, or recorded as nothing."""

    currency: str
    member_id: UUID
    counterparty_id: UUID | None
    """The creditor of a bilateral leg, whose debtor is `member_id`; None: the clearing house."""
    net_micros: int
    amount: Rounded

    @property
    def direction(self) -> Direction:
        """From the member where it owes."""
        return Direction.COLLECT if self.net_micros < 0 else Direction.PAY


KNOWN: Final = 10_000
"""Parties that are kept: each is looked up in sums many times, and knows its hash."""

Owed: TypeAlias = tuple[Party, Party, FlowKind, int]
"""Payer, payee, why, micros; below zero it is the other way round."""


@lru_cache(KNOWN)
def member(member_id: UUID) -> Party:
    """The member itself."""
    return Party(PartyKind.MEMBER, member_id)


@lru_cache(KNOWN)
def pool(issuer_id: UUID) -> Party:
    """The pool of an issuer that funds at issuance."""
    return Party(PartyKind.POOL, issuer_id)


@lru_cache(KNOWN)
def margin(operator_id: UUID) -> Party:
    """The operator's margin, beside its own trade as a member."""
    return Party(PartyKind.OPERATOR, operator_id)


def owed(total: Total, operator_id: UUID) -> list[Owed]:
    """Who owes whom because of one total, before fees."""
    issuer, house = member(total.issuer_id), margin(operator_id)
    own_pool = pool(total.issuer_id)
    if total.kind == DEBT:
        return [(issuer, member(_named(total.acceptor_id)), FlowKind.DEBT, total.funded_micros)]
    if total.kind == ObligationKind.ISSUANCE:
        return [(issuer, own_pool, FlowKind.POOL, total.funded_micros)]
    expired = total.kind == ObligationKind.EXPIRY
    payer = issuer if not expired and total.funding is Funding.REDEMPTION else own_pool
    rest = total.funded_micros - total.cost_micros
    found = [(payer, house, FlowKind.BREAKAGE if expired else FlowKind.MARGIN, rest)]
    if total.acceptor_id is not None:
        what = FlowKind.BREAKAGE if expired else FlowKind.COST
        found.append((payer, member(total.acceptor_id), what, total.cost_micros))
    return found


def _named(member_id: UUID | None) -> UUID:
    if member_id is None:
        raise ValueError("one side of what is owed is nobody")
    return member_id


def fees(
    totals: Iterable[Total], fee_bps: Mapping[UUID, int], operator_id: UUID
) -> list[tuple[str, Owed]]:
    """The operator's fees, by currency.

    A contract is charged on what its member funds as an issuer and, apart from that, on what it is
    paid as an acceptor; the part of a micro is dropped, once per window, contract, side and
    currency. So a window costs the same however windows are settled together, and a window of
    refunds gives back exactly what the captures it undoes were charged.
    """
    bases: dict[tuple[UUID, str, UUID, UUID, str], int] = {}
    for total in totals:
        if total.kind not in FEE_KINDS:
            continue
        sides = (
            ("issuer", total.issuer_id, total.contract_id, total.funded_micros),
            ("acceptor", total.acceptor_id, total.acceptor_contract_id, total.cost_micros),
        )
        for side, member_id, contract_id, micros in sides:
            if member_id is not None and contract_id is not None and fee_bps.get(contract_id):
                key = (total.window_id, total.currency, member_id, contract_id, side)
                bases[key] = bases.get(key, 0) + micros
    return [
        (currency, (member(member_id), margin(operator_id), FlowKind.FEE, fee))
        for (_, currency, member_id, contract_id, _), base in bases.items()
        if (fee := share(base, fee_bps[contract_id]))
    ]


def share(base_micros: int, bps: int) -> int:
    """So many basis points of an amount, towards zero: of -x exactly minus that of x."""
    micros = abs(base_micros) * bps // BASIS
    return micros if base_micros >= 0 else -micros


def flows(
    totals: Sequence[Total],
    fee_bps: Mapping[UUID, int],
    operator_id: UUID,
    *,
    frozen: Iterable[Total] = (),
) -> list[Flow]:
    """The gross matrix: what each party owes each other, by currency and reason, fees too.

    Totals in `frozen`, which are part of `totals`, are left out. What a party would owe itself is
    no debt and has no flow. Refunds that outweigh turn a flow round.
    """
    netted = [*totals, *map(_negative, frozen)]
    found: dict[tuple[str, Party, Party, FlowKind], int] = {}
    all_owed = [(total.currency, each) for total in netted for each in owed(total, operator_id)]
    for currency, (payer, payee, what, micros) in [*all_owed, *fees(netted, fee_bps, operator_id)]:
        key = (currency, payer, payee, what)
        found[key] = found.get(key, 0) + micros
    return _positive(found)


def _negative(total: Total) -> Total:
    return msgspec.structs.replace(
        total,
        count=-total.count,
        points=-total.points,
        funded_micros=-total.funded_micros,
        cost_micros=-total.cost_micros,
    )


def _positive(found: Mapping[tuple[str, Party, Party, FlowKind], int]) -> list[Flow]:
    """Flows above zero, in order; those below zero turned round and added to their opposite."""
    turned: dict[tuple[str, Party, Party, FlowKind], int] = {}
    for (currency, payer, payee, what), micros in found.items():
        if payer == payee:
            continue
        key = (currency, payer, payee, what) if micros >= 0 else (currency, payee, payer, what)
        turned[key] = turned.get(key, 0) + abs(micros)
    # There are few parties: they are put in order once, not with every flow.
    parties = {key[1] for key in turned} | {key[2] for key in turned}
    in_order = sorted(parties, key=lambda party: party.order)
    place = {party: number for number, party in enumerate(in_order)}
    ordered = sorted(
        (currency, place[payer], place[payee], what, payer, payee)
        for currency, payer, payee, what in turned
    )
    return [
        Flow(currency, payer, payee, what, micros)
        for currency, _, _, what, payer, payee in ordered
        if (micros := turned[currency, payer, payee, what])
    ]


def positions(flows: Iterable[Flow], totals: Iterable[Total], operator_id: UUID) -> list[Position]:
    """Positions by currency and party, in order, with zeros for everybody who took part.

    In each currency the operator has two rows, of its own trade and of its margin.
    """
    sums: dict[tuple[str, Party], list[int]] = {
        each: [0, 0, 0] for each in _taking_part(totals, operator_id)
    }
    for flow in flows:
        payer = sums.setdefault((flow.currency, flow.payer), [0, 0, 0])
        payee = sums.setdefault((flow.currency, flow.payee), [0, 0, 0])
        if flow.what is FlowKind.FEE:
            payer[2] += flow.amount_micros
            payee[2] -= flow.amount_micros
        else:
            payer[0] += flow.amount_micros
            payee[1] += flow.amount_micros
    return [
        Position(currency, party, debit, credit, fee, credit - debit - fee)
        for (currency, party), (debit, credit, fee) in sorted(
            sums.items(), key=lambda item: (item[0][0], item[0][1].order)
        )
    ]


def _taking_part(totals: Iterable[Total], operator_id: UUID) -> set[tuple[str, Party]]:
    """The members on either side, by currency; the operator and its margin in each of them."""
    sides = {(total.currency, total.issuer_id, total.acceptor_id) for total in totals}
    found = {(currency, member(each)) for currency, *ids in sides for each in ids if each}
    for currency in {currency for currency, *_ in sides}:
        found |= {(currency, member(operator_id)), (currency, margin(operator_id))}
    return found


def legs(
    positions: Sequence[Position], flows: Sequence[Flow], mode: Mode, operator_id: UUID
) -> list[PlannedLeg]:
    """What is to be paid, each leg rounded once to the smallest unit of its currency.

    Multilaterally every member has one leg per currency with the clearing house, of zero too; the
    operator's holds its margin and the fees. Bilaterally every pair of members that owe each other
    anything has one; what goes into pools or comes out of them is still the clearing house's.
    """
    if mode is Mode.BILATERAL:
        return _bilateral(flows, operator_id)
    nets: dict[tuple[str, UUID], int] = {}
    for each in positions:
        if each.party.kind is not PartyKind.POOL:
            key = (each.currency, each.party.member_id)
            nets[key] = nets.get(key, 0) + each.net_micros
    return [
        PlannedLeg(currency, member_id, None, net, rounded(net, currency))
        for (currency, member_id), net in sorted(nets.items(), key=_by_text)
    ]


def _bilateral(flows: Sequence[Flow], operator_id: UUID) -> list[PlannedLeg]:
    nets: dict[tuple[str, UUID, UUID | None], int] = {}
    for flow in flows:
        payer, payee = (
            None if party.kind is PartyKind.POOL else party.member_id
            for party in (flow.payer, flow.payee)
        )
        if payer == payee:
            continue
        # Pairs are named by the lesser id, and members before the clearing house.
        swap = payer is None or (payee is not None and str(payee) < str(payer))
        first, second = (payee, payer) if swap else (payer, payee)
        key = (flow.currency, _named(first), second)
        nets[key] = nets.get(key, 0) + (flow.amount_micros if swap else -flow.amount_micros)
    found = []
    for (currency, first, second), net in sorted(nets.items(), key=_by_text):
        if second is not None and net > 0:
            first, second, net = second, first, -net
        found.append(PlannedLeg(currency, first, second, net, rounded(net, currency)))
    return found


def _by_text(item: tuple[tuple[object, ...], int]) -> list[str]:
    return [str(part) for part in item[0]]
