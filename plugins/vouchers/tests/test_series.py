"""An owner makes kinds of voucher, sells them, issues them in bulk, and takes them back."""

from __future__ import annotations

import csv
import io
import logging
import stat
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest
import sqlalchemy as sa
from click.testing import CliRunner
from marketplace_vouchers import batches, cancelling, files, redeeming, series
from marketplace_vouchers.codes import read_code
from marketplace_vouchers.commands import make_commands
from marketplace_vouchers.domain import AcceptedBy
from marketplace_vouchers.errors import (
    BadSeriesFile,
    BatchExported,
    BatchNotReady,
    SeriesClosed,
    SeriesExists,
    VoucherCancelled,
)
from marketplace_vouchers.models import voucher as vouchers
from marketplace_vouchers.plugin import marketplace_register_tables
from marketplace_vouchers.schemas import NewSeries
from marketplace_vouchers.supplier import NOT_ISSUED, NOT_THE_OWNERS, TOO_MANY, Vouchers
from msgspec.structs import replace
from sqlalchemy.orm import Session

from marketplace.api import (
    Fulfilled,
    Host,
    InvalidRequest,
    NotFound,
    Order,
    RefundFact,
    Rejected,
)
from marketplace.testing import Lab, SupplierConformance

EUR = 1_000_000
Sell = Callable[..., list[str]]
Open = Callable[..., Any]


def new(sku: str, **terms: Any) -> NewSeries:
    given = {"name": "Spa", "value_micros": 75 * EUR, "currency": "EUR", "valid_days": 365, **terms}
    return NewSeries(sku=sku, **given)


def order(sku: str, quantity: int = 1, reference: str | None = None) -> Order:
    made = SupplierConformance.order(sku, quantity=quantity)
    if reference is None:
        return made
    return replace(made, reference=reference)


def run(host: Host, name: str, *arguments: str) -> Any:
    commands = {each.command.name: each.command for each in make_commands(host)}
    return CliRunner().invoke(commands[name], list(arguments))


def test_models_and_migrations_agree(lab: Lab) -> None:
    assert lab.schema_differences(marketplace_register_tables()) == []


def test_a_series_is_made_once_and_stays_what_it_is(lab: Lab, host: Host, sku: str) -> None:
    shop = lab.member("shop")
    made = series.make(host, shop, new(sku), actor="cli:test")
    assert series.make(host, shop, new(sku), actor="cli:test") == made
    for other in (new(sku, value_micros=1), new(sku, accepted_by=AcceptedBy.COALITION)):
        with pytest.raises(SeriesExists):
            series.make(host, shop, other, actor="cli:test")
    with pytest.raises(SeriesExists):
        series.make(host, lab.member("tickets"), new(sku), actor="cli:test")
    assert lab.audit("vouchers.series_made", sku) == [{"name": "Spa"}]
    lab.offer("vouchers", f"{sku}-2", acceptor="tickets")
    with pytest.raises(SeriesExists, match="another member"):
        series.make(host, shop, new(f"{sku}-2"), actor="cli:test")


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"sku": "a b"}, "sku"),
        ({"name": " "}, "name"),
        ({"value_micros": 0}, "value_micros"),
        ({"currency": "eur"}, "currency"),
        ({"valid_days": None}, "either"),
        ({"ends_on": date(2999, 1, 1)}, "either"),
        ({"valid_days": 0}, "valid_days"),
        ({"valid_days": None, "ends_on": date(2020, 1, 1)}, "passed"),
        ({"valid_days": None, "starts_on": date(2999, 2, 1), "ends_on": date(2999, 1, 1)}, "after"),
        ({"valid_days": None, "ends_on": date.max}, "year"),
        ({"starts_on": date.max}, "year"),
        ({"accepted_by": AcceptedBy.LISTED}, "acceptors"),
        ({"acceptors": ["shop"]}, "acceptors"),
    ],
)
def test_terms_that_make_no_sense_are_refused(
    wrong: dict[str, Any], words: str, lab: Lab, host: Host, sku: str
) -> None:
    with pytest.raises(InvalidRequest, match=words):
        series.make(host, lab.member("shop"), new(**{"sku": sku, **wrong}), actor="cli:test")


def test_a_member_that_is_listed_over_and_over_is_looked_up_once(
    lab: Lab, host: Host, sku: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop, tickets = lab.member("shop"), lab.member("tickets")
    looked_up: list[str] = []
    find = host.member_id

    def noted(session: Session, slug: str) -> UUID:
        looked_up.append(slug)
        return find(session, slug)

    monkeypatch.setattr(host, "member_id", noted)
    terms = new(sku, accepted_by=AcceptedBy.LISTED, acceptors=["tickets"] * 1_000)
    with host.transaction() as session:
        _, acceptors = series.make_in(host, session, shop, terms, actor="cli:test")
    assert acceptors == {tickets}
    assert looked_up == ["tickets"]


def test_a_voucher_sold_before_its_first_day_is_valid_for_all_its_days(
    sell: Sell, desk: Open, host: Host
) -> None:
    first = datetime.now(UTC).date() + timedelta(days=60)
    (code,) = sell(1, starts_on=first, valid_days=30)
    found = redeeming.validate(host, desk().till, code)
    assert found.starts_at is not None
    assert found.ends_at - found.starts_at == timedelta(days=30)


def test_orders_that_are_not_delivered_say_why(lab: Lab, host: Host, sku: str) -> None:
    series.make(host, lab.member("shop"), new(sku), actor="cli:test")
    supplier = Vouchers(host)
    offer = lab.offer("vouchers", sku, acceptor="shop")
    foreign = lab.hold("vouchers", offer, acceptor="tickets")
    with host.transaction() as session:
        placed = host.placed_orders(session, [foreign, str(uuid4()), "none"])
    assert list(placed) == [foreign]
    orders = [order("no-such"), order(sku, quantity=1_001), order(sku, reference=foreign)]
    lost, many, stranger = supplier.fulfil(orders)
    assert lost == Rejected(reference=orders[0].reference, reason=NOT_ISSUED)
    assert many == Rejected(reference=orders[1].reference, reason=TOO_MANY)
    assert stranger == Rejected(reference=foreign, reason=NOT_THE_OWNERS)
    series.close(host, sku, lab.member("shop"), actor="cli:test")
    late = order(sku)
    assert supplier.fulfil([late]) == [Rejected(reference=late.reference, reason=NOT_ISSUED)]
    with pytest.raises(SeriesClosed):
        batches.begin(host, sku, 5, None, actor="cli:test")
    with pytest.raises(NotFound):
        series.close(host, sku, lab.member("tickets"), actor="cli:test")


def test_a_file_of_series_names_its_bad_lines_and_takes_all_or_none(
    lab: Lab, host: Host, sku: str, tmp_path: Path
) -> None:
    for slug in ("shop", "tickets", "hotel"):
        lab.member(slug)
    header = "sku,owner,name,value,currency,use,starts_on,ends_on,valid_days,accepted_by"
    good = [
        f"{sku}-A,shop,Spa,75.50,EUR,,,,365,",
        f"{sku}-B,shop,Night,120,EUR,single,2030-01-01,2031-12-31,,coalition",
        f"{sku}-C,hotel,Dinner,60,EUR,stored,,,90,shop tickets",
    ]
    bad = [
        f"{sku}-D,nobody,Spa,75,EUR,,,,365,",
        f"{sku}-E,shop,Spa,lots,EUR,,,,365,",
        f"{sku}-F,shop,Spa,75,EUR,twice,,,365,",
        f"{sku}-G,shop,Spa,75,EUR,,,,,",
        f"{sku}-A,shop,Spa,80,EUR,,,,365,",
        f"{sku}-H,shop,Spa",
        f"{sku}-I,shop,Spa,1e999999,EUR,,,,365,",
    ]
    path = tmp_path / "series.csv"
    path.write_text("\n".join([header, *good]), encoding="utf-8")
    dry = run(host, "series-import", str(path), "--dry-run")
    assert dry.output == "3 series (dry run: nothing changed)\n"
    assert f"{sku}-A" not in run(host, "series").output
    with pytest.raises(BadSeriesFile) as refused:
        files.import_series(host, "\n".join([header, *good, *bad]), actor="t", dry_run=False)
    assert [each["line"] for each in refused.value.extra["errors"]] == [5, 6, 7, 8, 9, 10, 11]
    assert f"{sku}-A" not in run(host, "series").output
    for _ in range(2):
        assert run(host, "series-import", str(path)).output == "3 series\n"
    listed = run(host, "series").output
    assert "accepted by shop tickets" in listed
    assert "75.50 EUR" in listed
    for text in ("sku,owner\n", "", 'sku,owner,name,value,currency\n"x'):
        with pytest.raises(BadSeriesFile):
            files.import_series(host, text, actor="t", dry_run=True)


def test_batches_of_one_owner_keep_no_other_waiting(
    lab: Lab, host: Host, sku: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(batches, "CHUNK", 2)
    for owner in ("shop", "tickets"):
        series.make(host, lab.member(owner), new(f"{sku}-{owner}"), actor="cli:test")
    large = batches.begin(host, f"{sku}-shop", 40, None, actor="cli:test")
    second = batches.begin(host, f"{sku}-shop", 40, None, actor="cli:test")
    small = batches.begin(host, f"{sku}-tickets", 3, None, actor="cli:test")
    batches.make_some(host)
    made = [batches.read(host, each.id, None).made for each in (large, second, small)]
    assert made == [10, 0, 3]
    last = batches.begin(host, f"{sku}-tickets", 3, None, actor="cli:test")
    issue = batches.issuing.issue_for_batch

    def fail(host: Host, session: Any, of: Any, batch_id: Any, *more: Any) -> None:
        if batch_id == large.id:
            raise ZeroDivisionError
        issue(host, session, of, batch_id, *more)

    monkeypatch.setattr(batches.issuing, "issue_for_batch", fail)
    batches.make_some(host)
    made = [batches.read(host, each.id, None).made for each in (large, last)]
    assert made == [10, 3]
    for each in (large, second):
        batches.cancel(host, each.id, None, actor="cli:test")


def test_a_batch_goes_on_where_it_was_interrupted_and_is_handed_out_once(
    lab: Lab, host: Host, sku: str, tmp_path: Path, desk: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(batches, "CHUNK", 100)
    series.make(host, lab.member("shop"), new(sku), actor="cli:test")
    batch = batches.begin(host, sku, 350, lab.member("shop"), actor="cli:test")
    target = tmp_path / "codes.csv"

    def stop_in_the_middle(made: int, quantity: int) -> None:
        if made == 200:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        batches.make(host, batch.id, stop_in_the_middle)
    assert batches.read(host, batch.id, None).made == 200
    early = run(host, "export", str(batch.id), str(target))
    assert isinstance(early.exception, BatchNotReady)
    assert not list(tmp_path.iterdir())
    done = run(host, "resume", str(batch.id))
    assert done.exit_code == 0
    assert "350 of 350 (100 %)" in done.stderr
    batches.make_some(host)
    assert run(host, "export", str(batch.id), str(target)).output == f"{target}: 350 codes\n"
    assert stat.S_IMODE(target.stat().st_mode) == 0o600
    rows = list(csv.DictReader(io.StringIO(target.read_text())))
    codes = [row["code"] for row in rows]
    assert len(set(codes)) == 350
    assert all(read_code(code) == code for code in codes)
    assert rows[0] | {"number": "", "code": "", "valid_until": ""} == {
        "number": "",
        "code": "",
        "name": "Spa",
        "value": "75.000000",
        "currency": "EUR",
        "valid_until": "",
    }
    assert desk("shop").redeem(codes[-1]).amount_micros == 75 * EUR
    again = run(host, "export", str(batch.id), str(tmp_path / "again.csv"))
    assert isinstance(again.exception, BatchExported)
    allowed = run(host, "export", str(batch.id), str(tmp_path / "again.csv"), "--again")
    assert allowed.exit_code == 0
    assert len(lab.audit("vouchers.batch_exported", sku)) == 2
    assert run(host, "cancel", str(batch.id)).exit_code == 0
    with pytest.raises(VoucherCancelled):
        desk("shop").redeem(codes[0])
    (told,) = lab.audit("vouchers.batch_cancelled", sku)
    assert told == {"vouchers": 350, "used_micros": 75 * EUR}
    assert "exported CANCELLED" in run(host, "batches").output
    with pytest.raises(NotFound):
        batches.read(host, batch.id, lab.member("tickets"))
    assert run(host, "verify").output == "The vouchers are right: what is gone was redeemed.\n"


def test_codes_are_not_in_the_database(host: Host, sell: Sell) -> None:
    (code,) = sell()
    with host.transaction() as session:
        mine = vouchers.c.fingerprint == host.fingerprint(code)
        row = session.execute(sa.select(vouchers).where(mine)).one()
    assert all(code.replace("-", "") not in str(each).replace("-", "") for each in row)
    assert host.decrypt(bytes(row.secret)) == code


def refunded(host: Host, reference: str) -> None:
    fact = RefundFact(
        refund_id=uuid4(),
        burn_id=UUID(reference),
        wallet_id=uuid4(),
        points=1_000,
        reason="test",
        effective_at=datetime.now(UTC),
    )
    cancelling.cancel_refunded(host, fact)


def test_a_refunded_voucher_is_worthless_before_the_plugin_hears_of_it(
    lab: Lab, host: Host, sku: str, desk: Open, caplog: pytest.LogCaptureFixture
) -> None:
    series.make(host, lab.member("shop"), new(sku), actor="cli:test")
    offer = lab.offer("vouchers", sku, acceptor="shop")
    reference = lab.hold("vouchers", offer, acceptor="shop")
    (answer,) = Vouchers(host).fulfil([order(sku, quantity=2, reference=reference)])
    assert isinstance(answer, Fulfilled)
    used, unused = [each.secret for each in answer.artefacts]
    till = desk("shop")
    till.redeem(used, 10)
    refunded(host, reference)  # of a part: nothing happens
    assert till.left(unused) == 75
    lab.refund(reference)
    with pytest.raises(VoucherCancelled):
        till.redeem(unused)
    with caplog.at_level(logging.WARNING):
        refunded(host, reference)
        refunded(host, reference)
    assert caplog.text.count("10000000 micros of its vouchers were used already") == 1
    assert lab.audit("vouchers.cancelled", reference) == [{"vouchers": 2, "used_micros": 10 * EUR}]
    with pytest.raises(VoucherCancelled):
        till.redeem(used)
    refunded(host, str(uuid4()))


def test_vouchers_of_a_burn_that_was_voided_are_worthless(
    lab: Lab, host: Host, sku: str, desk: Open
) -> None:
    """They were made by a worker that was slow, when another had made sure that there were none."""
    series.make(host, lab.member("shop"), new(sku), actor="cli:test")
    reference = lab.hold("vouchers", lab.offer("vouchers", sku, acceptor="shop"), acceptor="shop")
    (answer,) = Vouchers(host).fulfil([order(sku, reference=reference)])
    assert isinstance(answer, Fulfilled)
    lab.void(reference)
    with pytest.raises(VoucherCancelled):
        desk("shop").redeem(answer.artefacts[0].secret)


def test_vouchers_are_valid_for_days_from_issue(host: Host, sell: Sell) -> None:
    before = datetime.now(UTC)
    (code,) = sell(valid_days=30)
    with host.transaction() as session:
        mine = vouchers.c.fingerprint == host.fingerprint(code)
        ends_at = session.scalar(sa.select(vouchers.c.ends_at).where(mine))
    assert ends_at is not None
    assert timedelta(0) <= ends_at - before - timedelta(days=30) < timedelta(minutes=1)
