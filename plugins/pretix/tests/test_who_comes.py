"""What an organizer wants to know is asked before points are burnt, and goes with the order."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from uuid import uuid4

import msgspec
import pytest
import sqlalchemy as sa
from marketplace_pretix import asking, choosing, domain, models, stock, telling, words
from marketplace_pretix.asking import Asks, Person, Question
from marketplace_pretix.double.server import Double, Mischief
from marketplace_pretix.supplier import PretixSupplier

from marketplace import api
from marketplace.testing import Lab, SupplierConformance


@pytest.fixture
def order(
    lab: Lab, host: api.Host, supplier: PretixSupplier, sku: str
) -> Callable[..., api.Outcome]:
    """`order(people)` looks at the event, says who comes, and orders."""
    lab.offer("pretix", sku, stock=0)

    def make(*people: Person, quantity: int = 0, **more: Any) -> api.Outcome:
        stock.keep(host)
        if people:
            with host.transaction() as session:
                shop = lab.member("shop")
                more.setdefault("selection", telling.tell(host, session, shop, sku, people))
        units = quantity or len(people) or 1
        asked = SupplierConformance.order(sku, quantity=units)
        (outcome,) = supplier.fulfil([msgspec.structs.replace(asked, **more)])
        return outcome

    return make


def positions(double: Double, outcome: api.Outcome) -> list[dict[str, Any]]:
    """Of an order that pretix has."""
    assert isinstance(outcome, api.Fulfilled), outcome
    found: list[dict[str, Any]] = double.world.orders[domain.order_code(outcome.reference)][
        "positions"
    ]
    return found


def why(outcome: api.Outcome) -> str:
    """Of a refusal."""
    assert isinstance(outcome, api.Rejected), outcome
    return outcome.reason


def personal(double: Double, **settings: Any) -> int:
    """The event's product is for people with names, by these settings; returns its id."""
    (item,) = double.world.items
    double.world.items[item]["personalized"] = True
    double.world.settings.update(settings)
    return item


def test_nothing_is_ordered_before_a_required_name_was_said(
    order: Callable[..., api.Outcome], double: Double
) -> None:
    personal(double, attendee_names_required=True, name_scheme="given_family")
    double.world.settings.update(attendee_emails_asked=True, attendee_emails_required=True)
    assert why(order()) == words.NOT_TOLD.message
    half = Person(name={"given_name": "Ann"}, email="ann@firm.example")
    assert why(order(half)) == words.NOT_TOLD.message
    assert double.world.orders == {}
    ann = Person(name={"given_name": "Ann", "family_name": "Lee"}, email="ann@firm.example")
    (sent,) = positions(double, order(ann))
    assert sent["attendee_name_parts"] == {"_scheme": "given_family", **ann.name}
    assert sent["attendee_email"] == "ann@firm.example"


def test_a_name_that_is_optional_keeps_nobody_from_a_ticket(
    order: Callable[..., api.Outcome], double: Double
) -> None:
    personal(double)
    assert positions(double, order())[0]["attendee_name_parts"] == {}


def test_each_ticket_has_a_person_and_answers_of_its_own(
    order: Callable[..., api.Outcome], double: Double
) -> None:
    item = personal(double)
    ask = double.world.ask
    kinds = {
        ask("Age", "N", item): ["40,5"],
        ask("Diet", "C", item, options=["vegan", "none"]): ["201"],
        ask("Days", "M", item, options=["one", "two"]): ["300", "301"],
        ask("Terms", "B", item): ["True"],
        ask("Since", "D", item): ["2020-02-29"],
        ask("Arrives", "W", item): ["2027-07-01T10:30"],
        ask("Phone", "TEL", item): ["+48 22 123 45 67"],
        ask("Country", "CC", item): ["PL"],
        ask("Wishes", "T", item, required=False): ["none"],
    }
    double.world.ask("At the door", "S", item, ask_during_checkin=True)
    answers = {str(question): given for question, given in kinds.items()}
    people = [Person(name={"full_name": name}, answers=answers) for name in ("Ann", "Bo")]
    first, second = positions(double, order(*people))
    assert [first["attendee_name_parts"]["full_name"], second["attendee_name_parts"]] == [
        "Ann",
        {"_scheme": "full", "full_name": "Bo"},
    ]
    said = {each["question"]: (each["answer"], each["options"]) for each in first["answers"]}
    assert said[1] == ("40.5", [])
    assert said[2][1] == [201]
    assert said[3][1] == [300, 301]
    assert said[6][0] == "2027-07-01T10:30:00+02:00"  # where the event is
    assert len(said) == len(kinds)


@pytest.mark.parametrize(
    ("kind", "given", "problem"),
    [
        ("N", "four", asking.NO_NUMBER),
        ("N", "1000", asking.OUT_OF_BOUNDS),
        ("C", "999", asking.NOT_OFFERED),
        ("B", "False", asking.MISSING),
        ("B", "perhaps", asking.NOT_OFFERED),
        ("D", "30.02.2027", asking.NO_DATE),
        ("H", "25:00", asking.NO_DATE),
        ("W", "tomorrow", asking.NO_DATE),
        ("TEL", "22 123", asking.NO_PHONE),
        ("CC", "Poland", asking.NO_COUNTRY),
        ("S", "x" * 3_000, asking.TOO_LONG),
        ("S", "no nuts\0", asking.UNSEEN),
        ("T", "one\x0btwo", asking.UNSEEN),
        ("S", "", asking.MISSING),
    ],
)
def test_what_cannot_be_taken_is_named(kind: str, given: str, problem: api.Lazy) -> None:
    question = Question(id=7, question="?", type=kind, required=True, valid_number_max="99")
    asks = Asks(questions=[question])
    assert asking.problems(Person(answers={"7": [given]}), asks) == {"q-7": problem}


def test_names_hold_nothing_that_is_not_seen_and_answers_may_have_several_lines() -> None:
    asks = Asks(names="optional", questions=[Question(id=7, question="?", type="T")])
    person = Person(name={"full_name": "Ann\0"}, answers={"7": ["one\r\ntwo"]})
    assert asking.problems(person, asks) == {"name-full_name": asking.UNSEEN}


def test_a_question_is_asked_where_its_parent_was_answered_so(
    order: Callable[..., api.Outcome], double: Double
) -> None:
    item = personal(double)
    diet = double.world.ask("Diet", "C", item, options=["all", "other"])
    double.world.ask("Which", "S", item, dependency_question=diet, dependency_values=["other"])
    all_, other = (str(each["id"]) for each in double.world.questions[0]["options"])
    assert len(positions(double, order(Person(answers={"1": [all_]})))[0]["answers"]) == 1
    assert why(order(Person(answers={"1": [other]}))) == words.NOT_TOLD.message
    told = Person(answers={"1": [other], "2": ["no nuts"]})
    assert len(positions(double, order(told))[0]["answers"]) == 2


def test_what_was_said_is_used_once_and_for_what_it_was_said_of(
    order: Callable[..., api.Outcome], double: Double, host: api.Host, lab: Lab, sku: str
) -> None:
    personal(double, attendee_names_required=True)
    ann = Person(name={"full_name": "Ann"})

    def said() -> str:
        with host.transaction() as session:
            return telling.tell(host, session, lab.member("shop"), sku, [ann])

    selection = said()
    assert why(order(quantity=2, selection=selection)) == words.NOT_TOLD.message
    assert why(order(selection=selection)) == words.NOT_TOLD.message  # forgotten when refused
    assert why(order(selection="of-another-plugin")) == words.NOT_TOLD.message
    assert double.world.orders == {}
    selection = said()
    double.mischief = Mischief.BUSY
    assert isinstance(order(selection=selection), api.Retry)  # on its way
    double.mischief = Mischief.NONE
    assert why(order(selection=selection)) == words.USED.message


def test_who_comes_is_encrypted_and_forgotten_once_it_is_ordered(
    order: Callable[..., api.Outcome], double: Double, host: api.Host
) -> None:
    personal(double, attendee_names_required=True)
    with host.transaction() as session:
        session.execute(sa.delete(models.told))
    why(order(Person(name={"full_name": "Of nobody"}), quantity=2))
    order(Person(name={"full_name": "Ann Lee"}))
    rows = sa.select(models.told)
    with host.transaction() as session:
        assert b"Ann Lee" not in bytes(session.execute(rows).one().people)
        telling.forget(session)
        assert session.execute(rows).all() == []
        telling.tell(host, session, uuid4(), "summit/1", [Person()])
        telling.forget(session)
        assert len(session.execute(rows).all()) == 1
        old = sa.func.now() - sa.text("interval '25 hours'")
        session.execute(sa.update(models.told).values(made_at=old))
        telling.forget(session)
        assert session.execute(rows).all() == []


def test_a_refused_retry_never_hides_an_order_that_pretix_has(
    order: Callable[..., api.Outcome],
    supplier: PretixSupplier,
    double: Double,
    host: api.Host,
    sku: str,
) -> None:
    """Before its answer came the organizer made the name required: the order counts."""
    outcome = order()
    assert isinstance(outcome, api.Fulfilled)
    personal(double, attendee_names_required=True)
    stock.keep(host)
    asked = SupplierConformance.order(sku)
    (again,) = supplier.fulfil([msgspec.structs.replace(asked, reference=outcome.reference)])
    assert again == outcome


def test_a_numbered_seat_is_chosen_and_told_when_it_is_gone(
    order: Callable[..., api.Outcome], double: Double, lab: Lab, host: api.Host, sku: str
) -> None:
    item = personal(double)
    double.world.seat(item, "A1", "A2")
    assert why(order()) == words.NOT_TOLD.message
    (sent,) = positions(double, order(Person(seat="A1")))
    assert sent["seat"]["seat_guid"] == "A1"
    assert why(order(Person(seat="A1"))) == words.SEAT_TAKEN.message
    with host.transaction() as session:
        (offer,) = host.offers(session, sku=sku, member_id=lab.member("shop"))[:1]
    chosen = choosing.find(host, offer.reference, uuid4())
    assert [each.name for each in chosen.seats] == ["Stalls · A · 2"]
    twice = [Person(seat="A2"), Person(seat="A2")]
    assert choosing.problems_of(twice, chosen) == {"2-seat": asking.NOT_OFFERED}


def test_so_few_or_so_many_are_not_sold_at_once(
    order: Callable[..., api.Outcome], double: Double
) -> None:
    (item,) = double.world.items
    double.world.items[item].update(min_per_order=2, max_per_order=3)
    assert why(order()) == words.TOO_FEW.message
    assert why(order(quantity=4)) == words.TOO_MANY.message
    assert len(positions(double, order(quantity=3))) == 3
