"""The balance at Stripe, line by line: what webhooks missed is found, and a day is a statement."""

from __future__ import annotations

import io
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta

import pytest
import sqlalchemy as sa
from marketplace_stripe import statement, sweeping, webhooks
from marketplace_stripe.accounts import Charge
from marketplace_stripe.double import house, payments, people, transfers
from marketplace_stripe.double.server import Double
from marketplace_stripe.models import line
from marketplace_stripe.rail import Stripe

from marketplace import api

MakeLeg = Callable[..., api.Leg]


def told(host: api.Host) -> set[str]:
    with host.transaction() as session:
        rows = session.execute(sa.text("delete from rail_news returning reference"))
        return {row.reference for row in rows}


def test_what_webhooks_missed_is_asked_about(
    host: api.Host, rail: Stripe, double: Double, leg: MakeLeg
) -> None:
    collected = leg()
    paid = leg(direction=api.Direction.PAY, amount_minor=500)
    rail.submit([collected, paid])
    (intent,) = people.found(double.world, "payment_intent", collected.reference)
    for event in double.world.events:
        if event["data"]["object"]["object"] == "charge":
            body, signature = double.signed(event)
            webhooks.take(host, body, signature)
    payments.dispute(double.world, intent, reason="fraudulent", inquiry=False)
    told(host)
    swept = sweeping.run(host)
    assert {collected.reference, paid.reference} <= told(host)
    # The charge was told of; money from elsewhere, the transfer and the dispute were not.
    assert swept.missed == swept.lines - 1
    again = sweeping.run(host)
    assert (again.lines, told(host)) == (0, set())


def test_it_is_due_once_a_day_and_when_something_was_told(host: api.Host, double: Double) -> None:
    sweeping.run(host)
    assert not sweeping.due(host)
    body, signature = double.signed(double.world.tell("payout.paid", {"id": "po_1"}))
    webhooks.take(host, body, signature)
    assert sweeping.due(host)


def test_hundreds_of_lines_are_read_page_by_page(host: api.Host, double: Double) -> None:
    sweeping.run(host)
    for n in range(230):
        people.fill(double.world, n + 1)
    assert sweeping.run(host).lines == 230


def test_a_line_that_stripe_does_not_show_is_a_difference(host: api.Host, double: Double) -> None:
    before = sweeping.run(host).differences.get("EUR", 0)
    people.fill(double.world, 700)
    gone = double.world.lines.pop()
    real = double.world.balance
    double.world.balance = lambda currency: real(currency) + gone["net"] * (currency == "eur")  # type: ignore[method-assign]
    assert sweeping.run(host).differences["EUR"] == before + 700


def a_day(double: Double, ago: int = 5) -> date:
    """Some days ago, where the double's clock stands from now on."""
    double.world.ahead_s = -ago * 86_400
    return datetime.fromtimestamp(double.world.now(), UTC).date()


def test_a_day_is_a_statement_that_foots_and_names_its_legs(
    host: api.Host, rail: Stripe, double: Double, leg: MakeLeg
) -> None:
    day = a_day(double)
    collected = leg(account=people.customer(double.world, Charge.CARD), currency="CHF")
    paid = leg(direction=api.Direction.PAY, amount_minor=500, currency="CHF")
    rail.submit([collected])
    rail.submit([paid])
    transfers.payout(double.world, 300, "chf")
    sweeping.run(host)
    with host.transaction() as session:
        content = statement.write(session, day, "CHF")
        assert statement.write(session, day, "CHF") == content
    start, *entries, end = list(rail.read(io.BytesIO(content)))
    assert isinstance(start, api.StatementStart)
    assert isinstance(end, api.StatementEnd)
    assert start.account.startswith("STRIPE/")
    booked = [each for each in entries if isinstance(each, api.BankEntry)]
    assert end.entries == len(booked)
    # Settlement takes the balances from the end; a statement without them is refused.
    assert (end.opening_micros, end.closing_micros) == (start.opening_micros, start.closing_micros)
    seen = sorted((each.amount_micros, each.details[0].end_to_end_id, each.code) for each in booked)
    assert seen == [
        (-5_000_000, paid.reference, "transfer"),
        (-3_000_000, "", "payout"),
        (-2_100_000, "", "fee"),
        (123_450_000, collected.reference, "charge"),
    ]
    assert start.opening_micros is not None
    moved = sum(each.amount_micros for each in booked)
    assert start.closing_micros == start.opening_micros + moved


def test_a_day_that_is_not_swept_to_its_end_is_no_statement(host: api.Host, double: Double) -> None:
    sweeping.run(host)
    with host.transaction() as session, pytest.raises(api.InvalidRequest, match="sweep"):
        statement.write(session, datetime.now(UTC).date(), "EUR")


def test_what_is_seen_after_its_statement_was_written_is_on_the_next_one(
    host: api.Host, rail: Stripe, double: Double
) -> None:
    """A list that lags, or a clock that is ahead, loses no movement and changes no statement."""
    day = a_day(double, 2)
    people.fill(double.world, 700, "nok")
    sweeping.run(host)
    with host.transaction() as session:
        first = statement.write(session, day, "NOK")
    people.fill(double.world, 50, "nok")  # made on that day too
    double.world.ahead_s += 86_400
    people.fill(double.world, 1, "nok")
    sweeping.run(host)
    following = day + timedelta(days=1)
    with host.transaction() as session:
        assert statement.write(session, day, "NOK") == first
        second = statement.write(session, following, "NOK")
    (_, *_, ended), (begun, *entries, _) = (
        list(rail.read(io.BytesIO(each))) for each in (first, second)
    )
    assert isinstance(ended, api.StatementEnd)
    assert isinstance(begun, api.StatementStart)
    assert begun.opening_micros == ended.closing_micros
    moved = [each.amount_micros for each in entries if isinstance(each, api.BankEntry)]
    assert sorted(moved) == [10_000, 500_000]


def test_movements_of_other_balances_and_odd_currencies(
    host: api.Host, rail: Stripe, double: Double
) -> None:
    """What issuing or prefunded disputes move is not ours; a hundredth of a krona is not either."""
    day = a_day(double, 2)
    before = sweeping.run(host).differences
    for other in ("issuing", "refund_and_dispute_prefunding"):
        there = double.world.book("adjustment", "other_adjustment", 900, 0, "isk", None, "Other")
        double.world.lines[-1] = {**there, "balance_type": other}
    house.tax(double.world, 95, "isk")
    assert sweeping.run(host).differences.get("ISK") == before.get("ISK")
    with host.transaction() as session:
        (_, tax, _) = rail.read(io.BytesIO(statement.write(session, day, "ISK")))
    assert isinstance(tax, api.BankEntry)
    assert (tax.amount_micros, tax.charge) == (-950_000, True)


@pytest.mark.parametrize(
    "content",
    [b"", b"{}\n", b"\xff\xfe\n", b'{"format": "x"}\n', b"[" * 70_000],
)
def test_what_is_no_statement_is_refused(rail: Stripe, content: bytes) -> None:
    with pytest.raises(api.InvalidRequest, match="Line 1"):
        list(rail.read(io.BytesIO(content)))


def test_lines_keep_what_stripe_took(host: api.Host, rail: Stripe, leg: MakeLeg) -> None:
    one = leg(amount_minor=10_000)
    rail.submit([one])
    sweeping.run(host)
    with host.transaction() as session:
        row = session.execute(sa.select(line).where(line.c.reference == one.reference)).one()
    assert (row.amount_minor, row.fee_minor, row.net_minor) == (10_000, 175, 9_825)
