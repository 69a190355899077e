"""The fee of a window whose disputed lines are settled later, against the fee in one go."""

from __future__ import annotations

from uuid import UUID

from hypothesis import example, given, settings
from hypothesis import strategies as st

from marketplace.coalition.domain import Funding
from marketplace.ledger.domain import ObligationKind
from marketplace.ledger.totals import Total
from settlement.clearing import netting

WINDOW, OPERATOR, ISSUER, ACCEPTOR, CONTRACT = (UUID(int=number) for number in range(1, 6))
CAPTURES = st.integers(0, 30_000)
Lines = list[tuple[int, int]]
"""Micros funded, below zero for a refund, and which settlement takes it: 0 the first."""


def lines(amounts: st.SearchStrategy[int]) -> st.SearchStrategy[Lines]:
    return st.lists(st.tuples(amounts, st.integers(0, 3)), min_size=1, max_size=8)


def charged(amounts: list[int], bps: int) -> int:
    """What the issuer is charged on lines of one window in one settlement."""
    totals = [_total(each) for each in amounts]
    return sum(owed[3] for _, owed in netting.fees(totals, {CONTRACT: bps}, OPERATOR))


def _total(micros: int) -> Total:
    return Total(
        window_id=WINDOW,
        currency="EUR",
        kind=ObligationKind.CAPTURE if micros >= 0 else ObligationKind.REFUND,
        funding=Funding.REDEMPTION,
        issuer_id=ISSUER,
        acceptor_id=ACCEPTOR,
        contract_id=CONTRACT,
        acceptor_contract_id=None,
        count=1,
        points=1,
        funded_micros=micros,
        cost_micros=micros,
        first_txid=1,
        last_txid=1,
    )


def less_in_parts(taken: Lines, bps: int) -> tuple[int, int]:
    """How much less the parts come to than the fee in one go; how many settlements came later."""
    later = {number for _, number in taken} - {0}
    parts = [[micros for micros, number in taken if number == n] for n in {0} | later]
    whole = charged([micros for micros, _ in taken], bps)
    return whole - sum(charged(each, bps) for each in parts), len(later)


@settings(max_examples=200, deadline=None)
@given(lines(CAPTURES), st.integers(0, 10_000), st.sampled_from([1, -1]))
@example([(5_000, 0), (5_000, 1)], 1, 1)
def test_lines_of_one_sign_cost_a_micro_less_at_most_for_each_later_settlement(
    taken: Lines, bps: int, sign: int
) -> None:
    less, later = less_in_parts([(sign * micros, number) for micros, number in taken], bps)
    assert 0 <= sign * less <= later


@settings(max_examples=200, deadline=None)
@given(lines(CAPTURES | CAPTURES.map(lambda micros: -micros)), st.integers(0, 10_000))
def test_with_refunds_a_micro_either_way_for_each_later_settlement(taken: Lines, bps: int) -> None:
    less, later = less_in_parts(taken, bps)
    assert abs(less) <= later


def test_either_way_happens_and_the_bound_is_reached() -> None:
    one_bps = 1
    assert less_in_parts([(5_000, 0), (5_000, 1)], one_bps) == (1, 1)
    assert less_in_parts([(15_000, 0), (-6_000, 1)], one_bps) == (-1, 1)
    assert less_in_parts([(4_000, 0), (4_000, 1), (12_000, 2)], one_bps) == (1, 2)
    assert less_in_parts([(7_000, 0), (7_000, 1), (7_000, 2)], one_bps) == (2, 2)
