"""A voucher at the till: looked at, kept, taken in parts, put back; and who owes whom by it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
import sqlalchemy as sa
from marketplace_vouchers import redeeming, repository
from marketplace_vouchers.codes import new_code
from marketplace_vouchers.domain import AcceptedBy, Use
from marketplace_vouchers.errors import (
    AlreadyRolledBack,
    LockEnded,
    MistypedCode,
    NotAParent,
    UnknownVoucher,
    VoucherCancelled,
    VoucherExpired,
    VoucherLocked,
    VoucherNotYetValid,
    VoucherSingleUse,
    VoucherTooLittleLeft,
    VoucherUsed,
    WrongCurrency,
)
from marketplace_vouchers.schemas import NewLock, NewRedemption

from marketplace.api import Host, IdempotencyKeyReused, InvalidRequest, MarketplaceError, NotFound
from marketplace.testing import Lab

EUR = 1_000_000
Sell = Callable[..., list[str]]
Open = Callable[..., Any]


def between(lab: Lab, debtor: str, creditor: str) -> int:
    """Micros that one owes the other by now."""
    return lab.owed().get((debtor, creditor, "EUR"), 0)


def change(host: Host, code: str, **values: Any) -> None:
    """Change a voucher behind the plugin's back."""
    with host.transaction() as session:
        fingerprint = host.fingerprint(code)
        table = redeeming.vouchers
        session.execute(sa.update(table).where(table.c.fingerprint == fingerprint).values(values))


def test_a_voucher_of_one_member_taken_by_another_in_parts_is_owed(
    lab: Lab, host: Host, sell: Sell, desk: Open
) -> None:
    (code,) = sell(owner="shop", euros=50)
    till, before = desk("tickets", "desk 2"), between(lab, "shop", "tickets")
    assert till.left(code) == 50
    first = till.redeem(code, 12.34, currency="EUR", reference="R-1")
    assert (first.amount_micros, first.left_micros) == (12_340_000, 37_660_000)
    assert (first.issued_by, first.accepted_by, first.till) == ("shop", "tickets", "desk 2")
    rest = till.redeem(code.lower().replace("-", " "))
    assert (rest.amount_micros, rest.left_micros) == (37_660_000, 0)
    assert between(lab, "shop", "tickets") - before == 50 * EUR
    with pytest.raises(VoucherUsed):
        till.redeem(code)
    back = till.roll_back(first.id)
    assert (back.amount_micros, back.undoes, back.left_micros) == (
        -12_340_000,
        first.id,
        12_340_000,
    )
    assert between(lab, "shop", "tickets") - before == 37_660_000
    assert till.left(code) == 12.34
    assert lab.money_findings() == []


def test_the_owners_own_till_owes_nobody(lab: Lab, sell: Sell, desk: Open) -> None:
    (code,) = sell(owner="hotel")
    done = desk("hotel").redeem(code)
    desk("hotel").roll_back(done.id)
    assert not any(debtor == "hotel" for debtor, _, _ in lab.owed())


def test_what_cannot_be_taken_says_why_and_takes_nothing(
    lab: Lab, host: Host, sell: Sell, desk: Open
) -> None:
    (code,) = sell(euros=50)
    till = desk()
    with pytest.raises(VoucherTooLittleLeft) as too_much:
        till.redeem(code, 50.01)
    assert too_much.value.problem()["left_micros"] == 50 * EUR
    with pytest.raises(WrongCurrency, match="EUR"):
        till.redeem(code, 1, currency="USD")
    for wrong in ({"code": code, "lock_id": uuid4()}, {}):
        with pytest.raises(InvalidRequest, match="either"):
            redeeming.redeem(host, till.till, NewRedemption(**wrong), "k")
    now = datetime.now(UTC)
    change(host, code, starts_at=now + timedelta(hours=1))
    with pytest.raises(VoucherNotYetValid) as early:
        till.redeem(code)
    assert early.value.extra["starts_at"] > now
    change(host, code, starts_at=None, ends_at=now - timedelta(seconds=1))
    with pytest.raises(VoucherExpired):
        till.redeem(code)
    assert till.left(code) == 50
    change(host, code, cancelled_at=now)
    with pytest.raises(VoucherCancelled):
        till.redeem(code)


def test_a_single_use_voucher_is_taken_whole_and_once(sell: Sell, desk: Open) -> None:
    (code,) = sell(use=Use.SINGLE, euros=30)
    till = desk()
    with pytest.raises(VoucherSingleUse):
        till.redeem(code, 10)
    done = till.redeem(code, 30)
    with pytest.raises(VoucherUsed):
        till.redeem(code)
    till.roll_back(done.id)
    assert till.redeem(code).amount_micros == 30 * EUR


def test_a_fixed_end_counts_to_the_last_moment_of_its_day(
    host: Host, sell: Sell, desk: Open
) -> None:
    end = datetime.now(UTC).date() + timedelta(days=3)
    (code,) = sell(ends_on=end, starts_on=date(2020, 1, 1))
    seen = redeeming.validate(host, desk().till, code)
    assert seen.ends_at == datetime(end.year, end.month, end.day, tzinfo=UTC) + timedelta(days=1)
    assert seen.state == "usable"


def test_who_accepts_it_and_nobody_else(lab: Lab, sell: Sell, desk: Open) -> None:
    lab.member("tickets")
    lab.member("stranger")
    (code,) = sell(owner="shop", accepted_by=AcceptedBy.LISTED, acceptors=["tickets"])
    assert desk("shop").left(code) == desk("tickets").left(code) == 50
    with pytest.raises(UnknownVoucher) as foreign:
        desk("stranger").redeem(code)
    with pytest.raises(UnknownVoucher) as unknown:
        desk("stranger").redeem(new_code())
    assert foreign.value.problem() == unknown.value.problem()
    with pytest.raises(MistypedCode):
        desk("shop").redeem(code[:-1] + ("2" if code[-1] != "2" else "3"))


def test_a_locked_voucher_is_for_one_till_until_the_time_is_over(
    host: Host, sell: Sell, desk: Open
) -> None:
    (code,) = sell()
    one, two = desk("tickets", "one"), desk("tickets", "two")
    kept, replayed = redeeming.lock(host, one.till, NewLock(code=code, till="one"), code + "k1")
    assert not replayed
    assert redeeming.lock(host, one.till, NewLock(code=code, till="one"), code + "k1")[1]
    with pytest.raises(IdempotencyKeyReused):
        redeeming.lock(host, one.till, NewLock(code=code, till="one", seconds=7), code + "k1")
    for attempt in (lambda: two.redeem(code), lambda: desk("shop").redeem(code)):
        with pytest.raises(VoucherLocked) as locked:
            attempt()
        assert 0 < int(locked.value.headers["Retry-After"]) <= 121
    assert redeeming.validate(host, two.till, code).locked_until == kept.expires_at
    by_lock = NewRedemption(lock_id=kept.lock_id, amount_micros=5 * EUR, till="two")
    with pytest.raises(LockEnded):
        redeeming.redeem(host, two.till, by_lock, code + "k2")
    mine = NewRedemption(lock_id=kept.lock_id, amount_micros=5 * EUR, till="one")
    done, _ = redeeming.redeem(host, one.till, mine, code + "k3")
    assert redeeming.redeem(host, one.till, mine, code + "k3") == (done, True)
    with pytest.raises(LockEnded):
        redeeming.redeem(host, one.till, mine, code + "k4")
    assert two.redeem(code, 5).left_micros == 40 * EUR


def test_a_lock_ends_by_time_by_release_and_by_a_new_one(
    host: Host, sell: Sell, desk: Open
) -> None:
    (code,) = sell()
    one, two = desk("tickets", "one"), desk("shop")
    first, _ = redeeming.lock(host, one.till, NewLock(code=code, till="one"), code + "k1")
    second, _ = redeeming.lock(host, one.till, NewLock(code=code, till="one"), code + "k2")
    with pytest.raises(LockEnded):
        redeeming.redeem(
            host, one.till, NewRedemption(lock_id=first.lock_id, till="one"), code + "k3"
        )
    with pytest.raises(NotFound):
        redeeming.release(host, two.till, second.lock_id)
    redeeming.release(host, one.till, second.lock_id)
    redeeming.release(host, one.till, second.lock_id)
    assert two.redeem(code, 1).left_micros == 49 * EUR
    third, _ = redeeming.lock(
        host, one.till, NewLock(code=code, till="one", seconds=5), code + "k4"
    )
    with pytest.MonkeyPatch.context() as patch:
        later = third.expires_at + timedelta(milliseconds=1)
        patch.setattr(type(host), "now", lambda *_: later)
        with pytest.raises(LockEnded):
            redeeming.redeem(
                host, one.till, NewRedemption(lock_id=third.lock_id, till="one"), code + "k5"
            )
        assert two.redeem(code, 1).left_micros == 48 * EUR


def test_only_the_till_that_redeemed_rolls_back_and_once(sell: Sell, desk: Open) -> None:
    (code,) = sell(owner="shop")
    till = desk("tickets", "one")
    done = till.redeem(code, 20)
    with pytest.raises(NotAParent):
        desk("tickets", "two").roll_back(done.id)
    for other in (desk("shop"), desk("stranger", "one")):
        with pytest.raises(NotFound):
            other.roll_back(done.id)
    with pytest.raises(NotFound):
        till.roll_back(2**40)
    back = till.roll_back(done.id, key=code)
    assert till.roll_back(done.id, key=code) == back
    with pytest.raises(AlreadyRolledBack) as twice:
        till.roll_back(done.id)
    assert twice.value.extra["rollback_id"] == back.id
    with pytest.raises(NotFound):
        till.roll_back(back.id)
    with pytest.raises(IdempotencyKeyReused):
        till.roll_back(till.redeem(code, 1).id, key=code)
    assert till.left(code) == 49


def test_a_key_redeems_once_and_a_failure_uses_no_key_up(sell: Sell, desk: Open) -> None:
    (code,) = sell()
    till = desk()
    with pytest.raises(VoucherTooLittleLeft):
        till.redeem(code, 51, key=code)
    done = till.redeem(code, 50, key=code)
    assert till.redeem(code, 50, key=code) == done
    with pytest.raises(IdempotencyKeyReused):
        till.redeem(code, 51, key=code)


def all_at_once(attempts: list[Callable[[], Any]]) -> Counter[str]:
    """What came of attempts that many tills make at the same moment, by error code or `done`."""

    def attempt(work: Callable[[], Any]) -> str:
        try:
            work()
        except MarketplaceError as error:
            return error.code
        return "done"

    with ThreadPoolExecutor(16) as threads:
        return Counter(threads.map(attempt, attempts))


def test_a_hundred_at_once_get_exactly_what_is_there(lab: Lab, sell: Sell, desk: Open) -> None:
    (code,) = sell(owner="shop", euros=50)
    before = between(lab, "shop", "tickets")
    tills = [desk("tickets", f"desk {number}") for number in range(100)]
    outcomes = all_at_once([lambda till=each: till.redeem(code, 7) for each in tills])  # type: ignore[misc]
    assert outcomes == {"done": 7, "vouchers_too_little_left": 93}
    assert tills[0].left(code) == 1
    assert between(lab, "shop", "tickets") - before == 49 * EUR


def test_one_key_and_one_rollback_a_hundred_times_at_once(
    host: Host, sell: Sell, desk: Open
) -> None:
    (code,) = sell(euros=50)
    till = desk("tickets")
    outcomes = all_at_once([lambda: till.redeem(code, 8, key=code)] * 50)
    assert outcomes == {"done": 50}
    assert till.left(code) == 42
    done = till.redeem(code, 8, key=code)
    outcomes = all_at_once([lambda: till.roll_back(done.id)] * 50)
    assert outcomes == {"done": 1, "vouchers_already_rolled_back": 49}
    assert till.left(code) == 50
    with host.transaction() as session:
        assert repository.uneven(session) == []


def test_redemptions_are_read_by_both_sides_page_by_page(
    lab: Lab, host: Host, sell: Sell, desk: Open
) -> None:
    (code,) = sell(owner="baths")
    done = [desk("tickets").redeem(code, 1) for _ in range(3)]

    def ids(member: str, before: int | None = None) -> list[int]:
        found = redeeming.redemptions(host, lab.member(member), before=before, limit=2)
        return [each.id for each in found]

    assert ids("baths") == [done[2].id, done[1].id]
    assert ids("baths", done[1].id) == [done[0].id]
    assert ids("tickets", done[2].id) == [done[1].id, done[0].id]
    assert ids("bystander") == []
