"""Who pays whom as a picture: nothing is lost in it, and everything is in words too."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from marketplace.web.flows import MOST, SHADES, SPREAD, Flows, Payment
from marketplace.web.i18n import core_languages, speak
from marketplace.web.templates import core_environment


def flows(*rows: Payment) -> Flows:
    return Flows(
        title="Who owes whom",
        currency="EUR",
        payer="Owes",
        payee="Is owed",
        amount="Amount",
        others="All others",
        rows=rows,
    )


def drawn(macro: str, it: Flows) -> str:
    source = f'{{% from "web/components/flows.html" import {macro} %}}{{{{ {macro}(it) }}}}'
    with speak(core_languages()["en"]):
        return core_environment().from_string(source).render(it=it)


TRADE = flows(
    Payment("alpha", "shop", 8_000_000, "/why"),
    Payment("beta", "shop", 500_000),
    Payment("alpha", "margin", 1_000_000),
)


def test_a_heat_map_says_every_amount_and_every_sum() -> None:
    html = drawn("heat_map", TRADE)
    assert '<a href="/why">€8.00</a>' in html
    for words in ("€0.50", "€1.00", "€9.00", "€8.50", "€9.50"):
        assert words in html
    assert [cell.shade for _, row, _ in TRADE.cells for cell in row] == [SHADES, 1, 1, 0]


def test_bands_leave_and_arrive_as_high_as_the_amounts() -> None:
    (alpha, beta), (shop, margin) = TRADE.nodes
    assert [alpha.name, beta.name, shop.name, margin.name] == ["alpha", "beta", "shop", "margin"]
    assert alpha.height > shop.height - 2 > margin.height > beta.height
    assert beta.y == alpha.y + alpha.height + SPREAD
    assert len(list(TRADE.ribbons)) == 3
    html = drawn("sankey", TRADE)
    assert html.count("<path") == 3
    assert "alpha → shop: €8.00" in html
    assert "<td" in html.split("<details", 1)[1]


def test_nothing_is_said_and_not_drawn() -> None:
    for macro in ("heat_map", "sankey"):
        assert "Nothing in this time." in drawn(macro, flows())


@given(
    st.dictionaries(
        st.tuples(st.integers(0, 30), st.integers(0, 30)), st.integers(1, 10**15), max_size=80
    )
)
def test_many_parties_are_drawn_as_one_and_nothing_is_lost(
    amounts: dict[tuple[int, int], int],
) -> None:
    many = flows(*(Payment(f"p{a}", f"q{b}", micros) for (a, b), micros in amounts.items()))
    left, right = many.nodes
    assert max(len(left), len(right), 0) <= MOST + 1
    for side in (left, right):
        assert sum(node.micros for node in side) == many.total
        assert all(node.name for node in side)
        assert all(a.middle < b.middle for a, b in pairwise(side))
    assert sum(each.payment.micros for each in many.ribbons) == many.total
    assert sum(sum_ for _, _, sum_ in many.cells) == sum(many.payee_sums) == many.total


def test_a_flow_has_a_direction_and_each_pair_one() -> None:
    with pytest.raises(ValueError, match="above zero"):
        flows(Payment("alpha", "shop", -1))
    with pytest.raises(ValueError, match="add them up"):
        flows(Payment("alpha", "shop", 1), Payment("alpha", "shop", 2))
