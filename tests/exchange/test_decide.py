"""The decision agrees with a slow, obvious oracle on any batch."""

from __future__ import annotations

from copy import deepcopy
from datetime import UTC, datetime
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from marketplace.exchange.decide import (
    Accepted,
    BurnRequest,
    Decision,
    ExposureState,
    LotState,
    Refused,
    Replayed,
    State,
    WalletState,
    decide,
    foretell,
)
from marketplace.exchange.domain import Eligibility, OfferStatus, OfferTerms
from marketplace.identity.domain import Principal, Scope

NOW = datetime(2026, 6, 1, tzinfo=UTC)
PRICE_MICROS = 8_000
OPERATOR = Principal(
    credential_id=UUID(int=1),
    caller_id=UUID(int=2),
    actor="key:1",
    is_operator=True,
    scopes=frozenset({Scope.BURNS_WRITE}),
)


def wallet_id(number: int) -> UUID:
    return UUID(int=1_000 + number)


def issuer_id(number: int) -> UUID:
    return UUID(int=2_000 + number)


def offer_id(number: int) -> UUID:
    return UUID(int=3_000 + number)


def offer(number: int, points: int, limit: int | None) -> OfferTerms:
    return OfferTerms(
        offer_id(number),
        1,
        f"offer-{number}",
        "gift",
        UUID(int=9),
        "giftfund",
        points,
        points,
        "EUR",
        limit,
        OfferStatus.ON_SALE,
        None,
        None,
        Eligibility(),
    )


lots = st.lists(st.tuples(st.integers(0, 2), st.integers(1, 60)), max_size=6)
wallets = st.lists(lots, min_size=1, max_size=3)
offers = st.lists(
    st.tuples(st.integers(1, 80), st.none() | st.integers(1, 3), st.none() | st.integers(0, 5)),
    min_size=1,
    max_size=3,
)
caps = st.lists(st.none() | st.integers(0, 150), min_size=3, max_size=3)
asks = st.lists(
    st.tuples(st.integers(0, 3), st.integers(0, 3), st.integers(1, 3), st.integers(0, 8)),
    max_size=12,
)


@given(wallets, offers, caps, asks)
def test_decide_agrees_with_an_oracle(
    given_wallets: list[list[tuple[int, int]]],
    given_offers: list[tuple[int, int | None, int | None]],
    given_caps: list[int | None],
    given_asks: list[tuple[int, int, int, int]],
) -> None:
    state = State(
        now=NOW,
        live_credentials={OPERATOR.credential_id},
        earlier={},
        wallets={
            wallet_id(number): WalletState(
                wallet_id(number),
                None,
                None,
                1,
                [
                    LotState(at, issuer_id(issuer), points, PRICE_MICROS, "EUR")
                    for at, (issuer, points) in enumerate(held)
                ],
            )
            for number, held in enumerate(given_wallets)
        },
        offers={
            offer_id(number): offer(number, points, limit)
            for number, (points, limit, _) in enumerate(given_offers)
        },
        stock={
            offer_id(number): stock
            for number, (_, _, stock) in enumerate(given_offers)
            if stock is not None
        },
        used={},
        exposures={
            issuer_id(number): ExposureState(0, cap * PRICE_MICROS)
            for number, cap in enumerate(given_caps)
            if cap is not None
        },
        who={},
        rules={},
    )
    requests = [
        BurnRequest(
            UUID(int=at), OPERATOR, f"key-{key}", b"", wallet_id(wallet), offer_id(number), quantity
        )
        for at, (wallet, number, quantity, key) in enumerate(given_asks)
    ]
    for request in requests:
        # What is foretold is what happens to the first of a batch, and leaves no trace.
        (first,) = decide([request], deepcopy(state))
        before = deepcopy(state)
        assert told(foretell(request, state)) == told(first)
        state.used = {pair: units for pair, units in state.used.items() if units}
        assert state == before
    decisions = decide(requests, state)
    assert [told(each) for each in decisions] == oracle(
        given_wallets, given_offers, given_caps, given_asks
    )
    for each in decisions:
        if isinstance(each, Accepted):
            positions = [part.position for part in each.draws]
            ends = [part.position + part.points for part in each.draws]
            assert positions == [0, *ends[:-1]]
            assert ends[-1] == each.points


def told(decision: Decision) -> object:
    if isinstance(decision, Accepted):
        return [(part.lot.id, part.points) for part in decision.draws]
    if isinstance(decision, Refused):
        return decision.error.code
    assert isinstance(decision, Replayed)
    return "replayed"


def oracle(
    wallets: list[list[tuple[int, int]]],
    offers: list[tuple[int, int | None, int | None]],
    caps: list[int | None],
    asks: list[tuple[int, int, int, int]],
) -> list[object]:
    """One point at a time, one rule after the other."""
    points = [[[issuer] * count for issuer, count in lots] for lots in wallets]
    stock = [left for _, _, left in offers]
    owed = [0, 0, 0]
    had: dict[tuple[int, int], int] = {}
    keys: set[int] = set()
    answers: list[object] = []
    for wallet, number, quantity, key in asks:
        if key in keys:
            answers.append("replayed")
            continue
        keys.add(key)
        if wallet >= len(wallets):
            answers.append("unknown_wallet")
            continue
        if number >= len(offers):
            answers.append("unknown_offer")
            continue
        price, limit, _ = offers[number]
        left = stock[number]
        if limit is not None and had.get((wallet, number), 0) + quantity > limit:
            answers.append("limit_reached")
            continue
        if left is not None and left < quantity:
            answers.append("sold_out")
            continue
        flat = [(at, issuer) for at, lot in enumerate(points[wallet]) for issuer in lot]
        taken = flat[: price * quantity]
        after = [owed[at] + sum(issuer == at for _, issuer in taken) for at in range(3)]
        if any(
            cap is not None and after[at] > cap and after[at] > owed[at]
            for at, cap in enumerate(caps)
        ):
            answers.append("exposure_cap")
            continue
        if len(taken) < price * quantity:
            answers.append("insufficient_points")
            continue
        owed = after
        if left is not None:
            stock[number] = left - quantity
        had[wallet, number] = had.get((wallet, number), 0) + quantity
        by_lot: dict[int, int] = {}
        for at, _ in taken:
            points[wallet][at].pop()
            by_lot[at] = by_lot.get(at, 0) + 1
        answers.append(list(by_lot.items()))
    return answers
