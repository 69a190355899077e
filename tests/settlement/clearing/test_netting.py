"""Netting agrees with a naive oracle on random coalitions: sums are zero, cycles vanish."""

from __future__ import annotations

from fractions import Fraction
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from marketplace.coalition.domain import Funding
from marketplace.ledger.domain import ObligationKind
from marketplace.ledger.totals import DEBT, Total
from settlement.clearing.domain import FlowKind, Mode
from settlement.clearing.netting import flows, legs, margin, member, positions, share
from settlement.clearing.rounding import rounded, unit_micros
from settlement.domain import PartyKind

MEMBERS = [UUID(int=number) for number in range(1, 7)]
OPERATOR = MEMBERS[0]
WINDOWS = [UUID(int=number) for number in range(100, 103)]
CURRENCIES = ["EUR", "JPY", "BHD"]
CONTRACTS = {each: UUID(int=1_000 + each.int) for each in MEMBERS}
"""One contract of each member, as issuer and acceptor."""


@st.composite
def some_total(draw: st.DrawFn) -> Total:
    """Anything that can be in a window."""
    issuer = draw(st.sampled_from(MEMBERS))
    acceptor = draw(st.sampled_from(MEMBERS))
    kind = draw(st.sampled_from([*ObligationKind, DEBT]))
    funding = draw(st.sampled_from([Funding.REDEMPTION, Funding.ISSUANCE]))
    funded = draw(st.integers(0, 10**13))
    cost = draw(st.integers(0, 10**13))
    if kind == DEBT:
        acceptor = MEMBERS[(MEMBERS.index(issuer) + 1) % len(MEMBERS)]
        cost = funded = draw(st.integers(-(10**9), 10**9))
    elif kind == ObligationKind.REFUND:
        funded, cost = -funded, -cost
    elif kind == ObligationKind.ISSUANCE:
        cost, funding = 0, Funding.ISSUANCE
    elif kind == ObligationKind.EXPIRY:
        cost, funding = draw(st.sampled_from([0, funded, funded // 2])), Funding.ISSUANCE
    takes = kind in (ObligationKind.CAPTURE, ObligationKind.REFUND)
    paid_to: UUID | None = acceptor
    if kind == ObligationKind.ISSUANCE:
        paid_to = None
    elif kind == ObligationKind.EXPIRY:
        paid_to = issuer if cost else None
    return Total(
        window_id=draw(st.sampled_from(WINDOWS)),
        currency=draw(st.sampled_from(CURRENCIES)),
        kind=kind,
        funding=None if kind == DEBT else funding,
        issuer_id=issuer,
        acceptor_id=paid_to,
        contract_id=None if kind == DEBT else CONTRACTS[issuer],
        acceptor_contract_id=CONTRACTS[acceptor] if takes else None,
        count=1,
        points=1,
        funded_micros=funded,
        cost_micros=cost,
        first_txid=1,
        last_txid=1,
    )


fee_bps = st.fixed_dictionaries({each: st.integers(0, 500) for each in CONTRACTS.values()})


def oracle(totals: list[Total], bps: dict[UUID, int]) -> dict[tuple[str, str, UUID], int]:
    """Net by currency, party and member, one row after the other; fees by fractions."""
    net: dict[tuple[str, str, UUID], int] = {}

    def move(currency: str, kind: str, who: UUID, micros: int) -> None:
        net[currency, kind, who] = net.get((currency, kind, who), 0) + micros

    bases: dict[tuple[UUID, str, UUID, str], int] = {}
    for each in totals:
        if each.kind == DEBT:
            move(each.currency, "member", each.issuer_id, -each.funded_micros)
            move(each.currency, "member", each.acceptor_id or OPERATOR, each.funded_micros)
            continue
        pooled = each.funding is Funding.ISSUANCE and each.kind != ObligationKind.ISSUANCE
        payer = "pool" if pooled else "member"
        move(each.currency, payer, each.issuer_id, -each.funded_micros)
        if each.kind == ObligationKind.ISSUANCE:
            move(each.currency, "pool", each.issuer_id, each.funded_micros)
            continue
        move(each.currency, "operator", OPERATOR, each.funded_micros - each.cost_micros)
        if each.acceptor_id:
            move(each.currency, "member", each.acceptor_id, each.cost_micros)
        if each.kind != ObligationKind.EXPIRY:
            for who, side, micros in (
                (each.issuer_id, "i", each.funded_micros),
                (each.acceptor_id, "a", each.cost_micros),
            ):
                assert who
                key = (each.window_id, each.currency, who, side)
                bases[key] = bases.get(key, 0) + micros
    for (_, currency, who, _), base in bases.items():
        fee = int(Fraction(base * bps[CONTRACTS[who]], 10_000))
        move(currency, "member", who, -fee)
        move(currency, "operator", OPERATOR, fee)
    return net


@given(st.lists(some_total(), max_size=40), fee_bps)
def test_positions_agree_with_a_naive_oracle(totals: list[Total], bps: dict[UUID, int]) -> None:
    gross = flows(totals, bps, OPERATOR)
    found = positions(gross, totals, OPERATOR)
    nets = {(each.currency, each.party.kind.value, each.party.member_id): each for each in found}
    expected = oracle(totals, bps)
    assert {key: each.net_micros for key, each in nets.items() if each.net_micros} == {
        key: net for key, net in expected.items() if net
    }
    for currency in CURRENCIES:
        mine = [each for each in found if each.currency == currency]
        assert sum(each.net_micros for each in mine) == 0
        assert sum(each.fee_micros for each in mine) == 0
        assert sum(each.debit_micros for each in mine) == sum(each.credit_micros for each in mine)
    for each in found:
        assert each.debit_micros >= 0
        assert each.credit_micros >= 0
        assert each.net_micros == each.credit_micros - each.debit_micros - each.fee_micros
    assert all(each.amount_micros > 0 and each.payer != each.payee for each in gross)
    # Everybody who took part has a row, of zero too.
    assert {(t.currency, "member", t.issuer_id) for t in totals} <= nets.keys()


@given(st.lists(some_total(), max_size=30), fee_bps, st.sampled_from(Mode))
def test_legs_pay_what_positions_come_to(
    totals: list[Total], bps: dict[UUID, int], mode: Mode
) -> None:
    gross = flows(totals, bps, OPERATOR)
    found = positions(gross, totals, OPERATOR)
    planned = legs(found, gross, mode, OPERATOR)
    due: dict[tuple[str, UUID], int] = {}
    for each in found:
        if each.party.kind is not PartyKind.POOL:
            key = (each.currency, each.party.member_id)
            due[key] = due.get(key, 0) + each.net_micros
    for leg in planned:
        unit = unit_micros(leg.currency)
        sign = -1 if leg.net_micros < 0 else 1
        paid = sign * leg.amount.amount_minor * unit
        assert leg.net_micros == paid + leg.amount.remainder_micros
        assert 2 * abs(leg.amount.remainder_micros) <= unit
        due[leg.currency, leg.member_id] -= leg.net_micros
        if leg.counterparty_id:
            assert leg.net_micros <= 0
            due[leg.currency, leg.counterparty_id] += leg.net_micros
    assert not any(due.values())
    ends = [(leg.currency, leg.member_id, leg.counterparty_id) for leg in planned]
    assert len(set(ends)) == len(ends)
    if mode is Mode.MULTILATERAL:
        assert len(planned) == len(due)


@given(st.lists(some_total(), max_size=20), fee_bps)
def test_windows_cost_the_same_together_and_apart(
    totals: list[Total], bps: dict[UUID, int]
) -> None:
    together: dict[object, int] = {}
    for each in positions(flows(totals, bps, OPERATOR), totals, OPERATOR):
        together[each.currency, each.party] = each.net_micros
    for window_id in WINDOWS:
        part = [each for each in totals if each.window_id == window_id]
        for each in positions(flows(part, bps, OPERATOR), part, OPERATOR):
            together[each.currency, each.party] -= each.net_micros
    assert not any(together.values())


@given(st.lists(some_total(), min_size=1, max_size=20), fee_bps, st.data())
def test_frozen_lines_are_left_out_as_if_they_were_not_there(
    totals: list[Total], bps: dict[UUID, int], data: st.DataObject
) -> None:
    frozen = data.draw(st.lists(st.sampled_from(totals), unique_by=id))
    rest = [each for each in totals if not any(each is one for one in frozen)]
    assert flows(totals, bps, OPERATOR, frozen=frozen) == flows(rest, bps, OPERATOR)


@given(st.integers(-(10**15), 10**15), st.integers(0, 10_000))
def test_a_refund_gives_back_the_fee_exactly(base: int, bps: int) -> None:
    assert share(base, bps) + share(-base, bps) == 0


def test_halves_go_to_the_even_side() -> None:
    assert rounded(1_005_000, "EUR").amount_minor == 100
    assert rounded(1_015_000, "EUR").amount_minor == 102
    assert rounded(-1_015_000, "EUR").remainder_micros == 5_000
    assert rounded(2_500_000, "JPY").amount_minor == 2
    assert rounded(1_000_500, "BHD").amount_minor == 1_000
    assert rounded(4_999, "EUR").remainder_micros == 4_999


def test_a_cycle_of_debts_vanishes() -> None:
    ring = MEMBERS[1:4]
    totals = [
        Total(
            window_id=WINDOWS[0],
            currency="EUR",
            kind=DEBT,
            funding=None,
            issuer_id=payer,
            acceptor_id=payee,
            contract_id=None,
            acceptor_contract_id=None,
            count=1,
            points=0,
            funded_micros=7,
            cost_micros=7,
            first_txid=1,
            last_txid=1,
        )
        for payer, payee in zip(ring, [*ring[1:], ring[0]], strict=True)
    ]
    gross = flows(totals, {}, OPERATOR)
    found = positions(gross, totals, OPERATOR)
    assert [each.what for each in gross] == [FlowKind.DEBT] * 3
    assert {each.party for each in found} == {*map(member, [*ring, OPERATOR]), margin(OPERATOR)}
    assert all(each.net_micros == 0 for each in found)
    assert all(
        leg.amount.amount_minor == 0 for leg in legs(found, gross, Mode.MULTILATERAL, OPERATOR)
    )
    assert len(legs(found, gross, Mode.BILATERAL, OPERATOR)) == 3
