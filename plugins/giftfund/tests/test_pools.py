"""A supplier uploads codes; people get them; the stock of the offer follows."""

from __future__ import annotations

import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from uuid import uuid4

import msgspec
import pytest
import sqlalchemy as sa
from click.testing import CliRunner
from marketplace_giftfund import service
from marketplace_giftfund.commands import make_commands
from marketplace_giftfund.errors import BadUpload
from marketplace_giftfund.plugin import marketplace_register_tables
from marketplace_giftfund.supplier import GiftFund
from sqlalchemy.orm import Session

from marketplace.api import Artefact, Fulfilled, Host, NotFound, Order, Outcome, Rejected
from marketplace.testing import Lab, SupplierConformance

Fill = Callable[..., list[str]]
order = SupplierConformance.order


def upload(host: Host, sku: str, *lines: str, header: str = "code,expires_on,label") -> object:
    """Upload a file of these lines."""
    return service.upload(host, sku, "\n".join([header, *lines]), actor="cli:test")


def give(host: Host, *orders: Order) -> list[Outcome]:
    """Outcomes in the order of `orders`."""
    found = {outcome.reference: outcome for outcome in GiftFund(host).fulfil(orders)}
    return [found[each.reference] for each in orders]


def secrets_of(outcome: Outcome) -> list[str]:
    """The codes delivered."""
    assert isinstance(outcome, Fulfilled), outcome
    return [artefact.secret for artefact in outcome.artefacts]


def expire(host: Host, sku: str, day: date) -> None:
    """Let the free codes of a pool have expired on a day."""
    with host.transaction() as session:
        session.execute(
            sa.text(
                "update giftfund_code set expires_on = :day "
                "where sku = :sku and order_reference is null"
            ),
            {"day": day, "sku": sku},
        )


def held_order(reference: str, sku: str, quantity: int) -> Order:
    """What the worker orders for a held burn."""
    return Order(
        reference=reference,
        offer_reference=sku,
        sku=sku,
        quantity=quantity,
        points=1_000 * quantity,
        cost_micros=7_000_000 * quantity,
        currency="EUR",
        attempt=1,
        acceptor_id=uuid4(),
    )


def pool(host: Host, sku: str) -> tuple[int, int, int, bool]:
    """(free, given, expired, low) of a pool."""
    (found,) = [each for each in service.pools(host) if each.sku == sku]
    return found.free, found.given, found.expired, found.low


def test_models_and_migrations_agree(lab: Lab) -> None:
    assert lab.schema_differences(marketplace_register_tables()) == []


def test_an_upload_raises_the_stock_and_the_same_file_again_changes_nothing(
    lab: Lab, host: Host, sku: str
) -> None:
    offer = lab.offer("giftfund", sku)
    assert lab.stock(offer) is None
    lines = ["AAA-" + sku, f"BBB-{sku},2031-05-01", f"CCC-{sku},,EUR 25"]
    lines = [line + "," * (2 - line.count(",")) for line in lines]
    first = upload(host, sku, *lines)
    assert (first.new, first.already, first.free) == (3, 0, 3)  # type: ignore[attr-defined]
    again = upload(host, sku, *lines)
    assert (again.new, again.already, again.free) == (0, 3, 3)  # type: ignore[attr-defined]
    assert lab.stock(offer) == 3
    assert lab.audit("giftfund.codes_uploaded", sku) == [{"codes": 3}]


def test_codes_are_encrypted_and_shown_with_their_label_and_expiry(
    lab: Lab, host: Host, sku: str
) -> None:
    lab.offer("giftfund", sku)
    upload(host, sku, f"SECRET-{sku},2031-05-01,EUR 25")
    with host.transaction() as session:
        stored = session.execute(sa.text("select secret::text from giftfund_code")).scalars().all()
    assert not any(f"SECRET-{sku}".encode().hex() in text for text in stored)
    (outcome,) = give(host, order(sku))
    assert isinstance(outcome, Fulfilled)
    assert outcome.artefacts == (
        Artefact(
            kind="code",
            label="EUR 25",
            secret=f"SECRET-{sku}",
            expires_at=datetime(2031, 5, 1, 23, 59, 59, 999999, tzinfo=UTC),
        ),
    )


def test_bad_lines_are_named_and_nothing_is_taken(lab: Lab, host: Host, sku: str) -> None:
    offer = lab.offer("giftfund", sku)
    with pytest.raises(BadUpload) as refused:
        upload(
            host,
            sku,
            f"GOOD-{sku},2031-01-31,",
            ",2031-01-31,",
            f"DATE-{sku},31.1.2031,",
            f"OLD-{sku},2001-01-31,",
            f"GOOD-{sku},,",
            f"MORE-{sku},,,x",
            f"LESS-{sku}",
            "X" * 501 + ",,",
        )
    found = {error["line"]: error["reason"] for error in refused.value.extra["errors"]}
    assert found == {
        3: "no code",
        4: "'31.1.2031' is no date like 2026-12-31",
        5: "expired on 2001-01-31",
        6: "the same code as line 2",
        7: "more fields than the header has",
        8: "fewer fields than the header has",
        9: "a code is up to 500 printable characters",
    }
    assert lab.stock(offer) is None


@pytest.mark.parametrize("header", ["codes", "code,code", "code,price", ""])
def test_a_file_without_our_columns_is_refused(header: str, lab: Lab, host: Host, sku: str) -> None:
    lab.offer("giftfund", sku)
    with pytest.raises(BadUpload, match="header"):
        upload(host, sku, "X", header=header)


def test_a_code_is_taken_once_ever(lab: Lab, host: Host, sku: str) -> None:
    lab.offer("giftfund", sku)
    lab.offer("giftfund", sku + "-B")
    upload(host, sku, f"ONE-{sku},,", f"TWO-{sku},,")
    with pytest.raises(BadUpload, match="line 3: the code is in another pool"):
        upload(host, sku + "-B", f"NEW-{sku},,", f"ONE-{sku},,")
    with pytest.raises(BadUpload, match=r"line 2: .* and other lines are not"):
        upload(host, sku, f"ONE-{sku},,", f"NEW-{sku},,")
    with pytest.raises(BadUpload, match=r"line 2: .* another expires_on"):
        upload(host, sku, f"ONE-{sku},2031-01-31,", f"TWO-{sku},,")
    # Given codes stay known.
    give(host, order(sku, quantity=2))
    assert upload(host, sku, f"ONE-{sku},,", f"TWO-{sku},,").new == 0  # type: ignore[attr-defined]
    assert pool(host, sku) == (0, 2, 0, True)


def test_two_uploads_of_one_file_at_once_take_it_once(lab: Lab, host: Host, sku: str) -> None:
    offer = lab.offer("giftfund", sku)
    lines = [f"C{number}-{sku},," for number in range(500)]
    with ThreadPoolExecutor(3) as threads:
        calls = [threads.submit(upload, host, sku, *lines) for _ in range(3)]
        assert sorted(call.result().new for call in calls) == [0, 0, 500]  # type: ignore[attr-defined]
    assert lab.stock(offer) == 500


def test_codes_that_run_out_first_are_given_first(
    lab: Lab, host: Host, sku: str, fill: Fill
) -> None:
    lab.offer("giftfund", sku)
    (never,) = fill(sku, 1)
    (late,) = fill(sku, 1, "2032-01-01")
    (early,) = fill(sku, 1, "2031-01-01")
    assert [secrets_of(each) for each in give(host, *(order(sku) for _ in range(3)))] == [
        [early],
        [late],
        [never],
    ]


def test_an_order_gets_all_its_codes_or_none(lab: Lab, host: Host, sku: str, fill: Fill) -> None:
    lab.offer("giftfund", sku)
    fill(sku, 4)
    three, two, one = order(sku, quantity=3), order(sku, quantity=2), order(sku)
    outcomes = give(host, three, two, one)
    assert len(secrets_of(outcomes[0])) == 3
    assert outcomes[1] == Rejected(reference=two.reference, reason="out of codes")
    assert len(secrets_of(outcomes[2])) == 1
    assert pool(host, sku)[:2] == (0, 4)


def test_expired_codes_are_never_given_and_leave_the_stock(
    lab: Lab, host: Host, sku: str, fill: Fill
) -> None:
    offer = lab.offer("giftfund", sku)
    fill(sku, 3)
    expire(host, sku, datetime.now(UTC).date() - timedelta(days=1))
    fill(sku, 2)
    assert lab.stock(offer) == 2
    outcomes = give(host, order(sku, quantity=2), order(sku))
    assert isinstance(outcomes[1], Rejected)
    assert pool(host, sku)[:3] == (0, 2, 3)


def test_the_stock_leaves_room_for_what_held_orders_were_promised(
    lab: Lab, host: Host, sku: str, fill: Fill
) -> None:
    offer = lab.offer("giftfund", sku)
    fill(sku, 10)
    reference = lab.hold("giftfund", offer, quantity=3)
    assert lab.stock(offer) == 7
    service.align_all(host)
    assert lab.stock(offer) == 7
    give(host, held_order(reference, sku, quantity=3))
    service.align_all(host)
    assert lab.stock(offer) == 7
    # A second offer of the same pool gets its stock too.
    second = lab.offer("giftfund", sku)
    expire(host, sku, datetime.now(UTC).date() - timedelta(days=1))
    service.align_all(host)
    assert (lab.stock(offer), lab.stock(second)) == (0, 0)


def test_a_pool_that_cannot_be_aligned_holds_up_no_other(
    lab: Lab, host: Host, sku: str, fill: Fill, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("a", "b"):
        lab.offer("giftfund", f"{sku}-{name}")
        fill(f"{sku}-{name}", 1)
    aligned = []

    def fail(host: Host, session: Session, of: str, today: date) -> None:
        if of == f"{sku}-a":
            raise ZeroDivisionError
        aligned.append(of)

    monkeypatch.setattr(service, "align", fail)
    service.align_all(host)
    assert f"{sku}-b" in aligned


def test_codes_given_while_the_stock_is_counted_are_not_taken_off_twice(
    lab: Lab, host: Host, sku: str, fill: Fill
) -> None:
    offer = lab.offer("giftfund", sku)
    fill(sku, 10)
    waiting = [held_order(lab.hold("giftfund", offer), sku, quantity=1) for _ in range(6)]
    others: list[Order] = []

    def give_the_next(*_: object) -> None:
        if waiting and not others:
            others.append(waiting.pop())
            give(host, others[0])
            others.clear()

    # After each statement of the alignment another process gives an order its code.
    with host.transaction() as session:
        sa.event.listen(session.get_bind(), "after_cursor_execute", give_the_next)
        service.align(host, session, sku, datetime.now(UTC).date())
        sa.event.remove(session.get_bind(), "after_cursor_execute", give_the_next)
    assert len(waiting) < 6
    assert lab.stock(offer) == 4


def test_a_pool_that_runs_low_warns_once_until_it_is_filled(
    lab: Lab, host: Host, sku: str, fill: Fill, caplog: pytest.LogCaptureFixture
) -> None:
    lab.offer("giftfund", sku)
    fill(sku, 6)
    service.set_low_at(host, sku, 4, actor="cli:test")
    with caplog.at_level(logging.WARNING):
        give(host, order(sku))
        assert lab.audit("giftfund.stock_low", sku) == []
        give(host, order(sku))
        give(host, order(sku))
    assert lab.audit("giftfund.stock_low", sku) == [{"low_at": 4}]
    assert caplog.text.count(f"pool {sku} is down to 4 codes") == 1
    assert pool(host, sku)[3]
    fill(sku, 5)
    assert not pool(host, sku)[3]
    give(host, order(sku, quantity=4))
    assert len(lab.audit("giftfund.stock_low", sku)) == 2


def test_codes_need_an_offer(host: Host, sku: str) -> None:
    with pytest.raises(NotFound, match="No offer of the gift fund"):
        upload(host, sku, "X,,")


def test_the_command_line_uploads_checks_and_lists(
    lab: Lab, host: Host, sku: str, tmp_path: Path
) -> None:
    offer = lab.offer("giftfund", sku)
    commands = {each.command.name: each.command for each in make_commands(host)}
    file = tmp_path / "codes.csv"
    file.write_text(f"\ufeffcode\nA-{sku}\nB-{sku}\n", encoding="utf-8")
    run = CliRunner().invoke
    dry = run(commands["upload"], [sku, str(file), "--dry-run"])
    assert dry.output == f"{sku}: 2 new, 0 already there, 2 free (dry run: nothing changed)\n"
    assert lab.stock(offer) is None
    assert run(commands["upload"], [sku, str(file)]).output == (
        f"{sku}: 2 new, 0 already there, 2 free\n"
    )
    assert run(commands["low-at"], [sku, "1"]).output == f"{sku}: low at 1 codes\n"
    (line,) = [line for line in run(commands["pools"]).output.splitlines() if sku in line]
    assert line.split() == [sku, "2", "0", "0", "-"]


def test_a_trial_order_takes_no_code(lab: Lab, host: Host, fill: Fill, sku: str) -> None:
    lab.offer("giftfund", sku)
    fill(sku, 2)
    trial = msgspec.structs.replace(order(sku, quantity=2), sandbox=True)
    real, shown = give(host, order(sku), trial)
    assert secrets_of(shown) == ["TRIAL-1", "TRIAL-2"]
    assert len(secrets_of(real)) == 1
    assert pool(host, sku)[:2] == (1, 1)
