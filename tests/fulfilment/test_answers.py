"""What a supplier's answers are worth: nonsense harms its own order, and never a price."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import msgspec
import pytest
from msgspec.structs import replace

from marketplace import api
from marketplace.containment import messages
from marketplace.contract.judging import MOST_FAULTS
from marketplace.fulfilment.domain import judge
from marketplace.letters import shown

ORDERS = [
    api.Order(
        reference=f"ref-{number}",
        offer_reference="offer",
        sku="card",
        quantity=1,
        points=1_000,
        cost_micros=7_000_000,
        currency="EUR",
        attempt=1,
        acceptor_id=UUID(int=1),
    )
    for number in range(3)
]
CODE = api.Artefact(kind="code", label="A card", secret="ABC")


def delivered(number: int, **changes: Any) -> api.Fulfilled:
    values: dict[str, Any] = {"supplier_reference": f"S-{number}", "artefacts": (CODE,)}
    return api.Fulfilled(reference=f"ref-{number}", **(values | changes))


def with_artefact(**changes: Any) -> api.Fulfilled:
    return delivered(0, artefacts=(replace(CODE, **changes),))


@pytest.mark.parametrize(
    ("answer", "fault"),
    [
        (delivered(0, artefacts=(CODE, CODE)), "2 artefacts for 1 units"),
        (delivered(0, supplier_reference="x" * 201), "201 characters"),
        (delivered(0, supplier_reference="a\nb"), "control characters"),
        (delivered(0, supplier_reference=" "), "without a supplier reference"),
        (with_artefact(secret="x" * 20_001), "more than 20000 characters"),
        (with_artefact(secret=""), "empty"),
        (with_artefact(secret="a\0b"), "zero byte"),
        (with_artefact(label="a\x1b[2Jb"), "control characters"),
        (with_artefact(label="A\u2800card"), "not seen"),
        (delivered(0, supplier_reference="S\u200b-1"), "not seen"),
        (with_artefact(kind="cash"), "kind 'cash'"),
        (with_artefact(expires_at=datetime(2026, 1, 1)), "no time zone"),  # noqa: DTZ001
        (with_artefact(expires_at=datetime(9999, 12, 31, tzinfo=UTC)), "year 9999"),
        (api.Rejected(reference="ref-0", reason="x" * 2_001), "more than 2000"),
        (api.NeverOrdered(reference="ref-0"), "answer of lookup only"),
        ("yes", "str is no outcome"),
    ],
)
def test_nonsense_harms_its_own_order_only(answer: Any, fault: str) -> None:
    outcomes, faults = judge(ORDERS, [answer, delivered(1), delivered(2)], lookup=False)
    assert fault in faults[0]
    assert isinstance(outcomes["ref-0"], api.Unknown)
    assert outcomes["ref-1"] == delivered(1)
    assert outcomes["ref-2"] == delivered(2)


def test_millions_of_answers_are_not_read() -> None:
    def endless() -> Any:
        while True:
            yield api.Rejected(reference="nobody's", reason="no")

    outcomes, faults = judge(ORDERS, endless(), lookup=False)
    assert len(faults) <= MOST_FAULTS
    assert all(isinstance(each, api.Unknown) for each in outcomes.values())


def test_a_supplier_has_no_word_for_an_amount() -> None:
    """What a burn costs is the order's: an outcome has no field that could say another amount."""
    fields = {name for kind in api.Outcome.__args__ for name in kind.__struct_fields__}
    assert fields == {"reference", "supplier_reference", "artefacts", "after_s", "reason"}
    assert not any("micros" in name or "points" in name for name in api.Artefact.__struct_fields__)


def test_answers_survive_the_way_between_processes_each_by_itself() -> None:
    sent = [delivered(0), "yes", delivered(1, supplier_reference=7), object(), delivered(2)]
    raw = msgspec.Raw(msgspec.msgpack.encode(messages.encode_answers(sent)))
    outcomes, faults = judge(ORDERS, messages.outcomes_of(raw), lookup=False)
    assert outcomes["ref-0"] == delivered(0)
    assert outcomes["ref-2"] == delivered(2)
    assert isinstance(outcomes["ref-1"], api.Unknown)
    assert [words for words in faults if "Expected `str`" in words]
    assert [words for words in faults if "str is no outcome" in words]


def test_a_giant_answer_harms_its_own_order_only() -> None:
    giant = delivered(0, supplier_reference="x" * (messages.MOST_ANSWER_BYTES + 1))
    first, second = messages.encode_answers([giant, delivered(1)])
    assert "bytes" in first.fault
    assert second.outcome


def test_words_of_a_plugin_are_shown_in_one_clean_line() -> None:
    assert shown("sold\x1b[2J out\r\n\0now", 100) == "sold [2J out now"
    assert shown("x" * 300, 200) == "x" * 200
