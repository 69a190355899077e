"""At the till: look at a voucher, keep it, take value off it, put that back."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import sqlalchemy as sa
from sqlalchemy.orm import Session

from marketplace.api import Host, InvalidRequest, NotFound
from marketplace_vouchers import guard, repository, requests
from marketplace_vouchers.codes import read_code
from marketplace_vouchers.domain import State, Voucher
from marketplace_vouchers.errors import (
    AlreadyRolledBack,
    LockEnded,
    MistypedCode,
    NotAParent,
    UnknownVoucher,
    VoucherCancelled,
    VoucherLocked,
)
from marketplace_vouchers.models import voucher as vouchers
from marketplace_vouchers.schemas import (
    LockView,
    NewLock,
    NewRedemption,
    NewRollback,
    RedemptionView,
    VoucherView,
)
from marketplace_vouchers.tills import Till


def validate(host: Host, till: Till, code: str) -> VoucherView:
    """How a voucher stands; changes nothing. Raises MistypedCode, UnknownVoucher, LockedOut."""
    with guard.watch(host, till), host.transaction() as session:
        found = repository.find_voucher(session, _by_code(host, code), till.member_id)
        if found is None:
            raise UnknownVoucher
        return _seen(host, session, found, till)


def lock(host: Host, till: Till, asked: NewLock, key: str) -> tuple[LockView, bool]:
    """Keep a usable voucher for this till for a while; returns whether the key did so before.

    A till that locks again has a new lock, and its old one is over.
    """
    request = requests.make(till.caller_id, key, "lock", asked)
    with guard.watch(host, till), host.transaction() as session:
        earlier = requests.made_before(session, request)
        if earlier is not None:
            return read_lock(host, session, till, UUID(earlier)), True
        found = _take(session, till, _by_code(host, asked.code))
        now = host.now(session)
        _require_free(host, session, found, till, now)
        lock_id = uuid4()
        repository.add_lock(
            session,
            id=lock_id,
            voucher_id=found.id,
            member_id=till.member_id,
            caller_id=till.caller_id,
            till=till.name,
            expires_at=now + timedelta(seconds=asked.seconds),
            made_at=now,
        )
        requests.remember(session, request, lock_id)
        return read_lock(host, session, till, lock_id), False


def read_lock(host: Host, session: Session, till: Till, lock_id: UUID) -> LockView:
    """A till's own lock and the voucher under it; LockEnded where there is no such lock."""
    row = repository.find_lock(session, lock_id, till.member_id, till.caller_id)
    if row is None:
        raise LockEnded
    found = repository.find_voucher(session, vouchers.c.id == row.voucher_id, till.member_id)
    if found is None:
        raise LockEnded
    return LockView(
        lock_id=lock_id, expires_at=row.expires_at, voucher=_seen(host, session, found, till)
    )


def is_in_force(host: Host, session: Session, lock_id: UUID) -> bool:
    """Whether a lock keeps its voucher now."""
    kept = repository.expiry_of_lock_in_force(session, lock_id)
    return kept is not None and kept > host.now(session)


def release(host: Host, till: Till, lock_id: UUID) -> None:
    """Let others have the voucher again; nothing happens where the lock is over anyway."""
    with host.transaction() as session:
        row = repository.find_lock(session, lock_id, till.member_id, till.caller_id)
        if row is None:
            raise NotFound
        repository.lock_row(session, vouchers.c.id == row.voucher_id)
        session.execute(
            sa.update(vouchers)
            .where(vouchers.c.id == row.voucher_id, vouchers.c.lock_id == lock_id)
            .values(lock_id=None)
        )


def redeem(host: Host, till: Till, asked: NewRedemption, key: str) -> tuple[RedemptionView, bool]:
    """Take value off a voucher, once per key; returns whether the key did so before.

    Where another member than the owner accepts it, the owner owes that member the value, booked in
    the same transaction.
    """
    if (asked.code is None) == (asked.lock_id is None):
        raise InvalidRequest("Give either `code` or `lock_id`.")
    request = requests.make(till.caller_id, key, "redeem", asked)
    with guard.watch(host, till), host.transaction() as session:
        earlier = requests.made_before(session, request)
        if earlier is not None:
            return read_redemption(host, session, till.member_id, int(earlier)), True
        now = host.now(session)
        found = (
            _take(session, till, _by_code(host, asked.code))
            if asked.code is not None
            else _locked(session, till, asked.lock_id, now)
        )
        now = host.now(session)  # whoever had the row may have kept us waiting
        _require_free(host, session, found, till, now)
        amount = found.amount_to_take(asked.amount_micros, asked.currency)
        left = found.left_micros - amount
        repository.set_voucher(session, found.id, left_micros=left, lock_id=None)
        number = _write(
            host, session, till, found, amount, left, reference=asked.reference, now=now
        )
        requests.remember(session, request, number)
        return read_redemption(host, session, till.member_id, number), False


def roll_back(
    host: Host, till: Till, redemption_id: int, asked: NewRollback, key: str
) -> tuple[RedemptionView, bool]:
    """Put a whole redemption back by a negative row, once; returns whether the key did so before.

    For the till that redeemed alone: other members do not see the redemption, and a redemption
    that names a till is rolled back by that till. A voucher that has expired meanwhile, or was
    cancelled, stays so.
    """
    request = requests.make(till.caller_id, key, "rollback", redemption_id, asked)
    with host.transaction() as session:
        earlier = requests.made_before(session, request)
        if earlier is not None:
            return read_redemption(host, session, till.member_id, int(earlier)), True
        origin = repository.find_redemption(session, redemption_id)
        if origin is None or origin.member_id != till.member_id or origin.undoes_id is not None:
            raise NotFound
        if origin.till not in ("", till.name):
            raise NotAParent(f"It was redeemed by the till {origin.till!r}.")
        found = _take(session, till, vouchers.c.id == origin.voucher_id)
        rolled_back_by = repository.find_redemption(session, redemption_id).rolled_back_by
        if rolled_back_by is not None:
            raise AlreadyRolledBack(rolled_back_by)
        left = found.left_micros + origin.amount_micros
        repository.set_voucher(session, found.id, left_micros=left)
        number = _write(
            host,
            session,
            till,
            found,
            -origin.amount_micros,
            left,
            reference=asked.reference,
            now=host.now(session),
            undoes_id=redemption_id,
        )
        requests.remember(session, request, number)
        return read_redemption(host, session, till.member_id, number), False


def read_redemption(
    host: Host, session: Session, member_id: UUID | None, redemption_id: int
) -> RedemptionView:
    """One redemption or rollback, for its acceptor, its owner and (None) the operator."""
    row = repository.find_redemption(session, redemption_id)
    if row is None or member_id not in (None, row.member_id, row.owner_id):
        raise NotFound
    return shown(row, _slugs(host, session))


def shown(row: Any, slugs: dict[UUID, str]) -> RedemptionView:
    """A row of a redemption as it is answered."""
    return RedemptionView(
        id=row.id,
        voucher_id=row.voucher_id,
        sku=row.sku,
        name=row.name,
        issued_by=slugs[row.owner_id],
        accepted_by=slugs[row.member_id],
        till=row.till,
        reference=row.reference,
        amount_micros=row.amount_micros,
        currency=row.currency,
        left_micros=row.left_micros,
        made_at=row.made_at,
        undoes=row.undoes_id,
        rolled_back_by=row.rolled_back_by,
    )


def redemptions(
    host: Host, member_id: UUID | None, *, before: int | None, limit: int
) -> list[RedemptionView]:
    """What a member accepted, and what was accepted of its own series; newest first."""
    with host.transaction() as session:
        slugs = _slugs(host, session)
        rows = repository.list_redemptions(session, member_id, before=before, limit=limit)
        return [shown(row, slugs) for row in rows]


# -- within a transaction --------------------------------------------------------------------------


def _by_code(host: Host, text: str) -> sa.ColumnElement[bool]:
    """Finds the voucher with a code; MistypedCode before the database is asked for one."""
    code = read_code(text)
    if code is None:
        raise MistypedCode
    return vouchers.c.fingerprint == host.fingerprint(code)


def _take(session: Session, till: Till, where: sa.ColumnElement[bool]) -> Voucher:
    """A voucher that this till accepts, its row locked; UnknownVoucher for every other."""
    repository.lock_row(session, where)
    # A statement of its own: it sees what was committed while we waited for the row.
    found = repository.find_voucher(session, where, till.member_id)
    if found is None:
        raise UnknownVoucher
    return found


def _locked(session: Session, till: Till, lock_id: UUID | None, now: datetime) -> Voucher:
    """The voucher of this till's lock, if that is in force."""
    row = (
        None
        if lock_id is None
        else repository.find_lock(session, lock_id, till.member_id, till.caller_id)
    )
    if row is None or row.till != till.name or row.expires_at <= now:
        raise LockEnded
    found = _take(session, till, vouchers.c.id == row.voucher_id)
    if found.lock_id != lock_id:
        raise LockEnded
    return found


def _require_free(host: Host, session: Session, found: Voucher, till: Till, now: datetime) -> None:
    """Raise what says why a voucher cannot be used by this till now."""
    if _refunded(host, session, found):
        raise VoucherCancelled("The points that it was burnt for were given back.")
    found.require_usable(now)
    until = found.locked_for(till.caller_id, till.name, now)
    if until is not None:
        raise VoucherLocked(until, int((until - now).total_seconds()) + 1)


def _refunded(host: Host, session: Session, found: Voucher) -> bool:
    """Whether the points of a voucher are all back; until the session ends they will not be.

    Asked of the exchange itself: the fact of the refund may not have been told yet.
    """
    if found.order_reference is None:
        return False
    placed = host.placed_orders(session, [found.order_reference], keep=True)
    burn = placed.get(found.order_reference)
    return burn is not None and (burn.voided or burn.refunded_points == burn.points)


def _write(
    host: Host,
    session: Session,
    till: Till,
    found: Voucher,
    amount: int,
    left: int,
    *,
    reference: str,
    now: datetime,
    undoes_id: int | None = None,
) -> int:
    """Write a redemption or rollback and what members owe each other by it; returns its id."""
    number = repository.add_redemption(
        session,
        voucher_id=found.id,
        undoes_id=undoes_id,
        member_id=till.member_id,
        actor=till.actor,
        till=till.name,
        reference=reference,
        amount_micros=amount,
        left_micros=left,
        made_at=now,
    )
    if till.member_id != found.series.owner_id:
        host.owe(
            session,
            debtor_id=found.series.owner_id,
            creditor_id=till.member_id,
            amount_micros=amount,
            currency=found.series.currency,
            reference=str(number),
            reason=f"voucher {found.id} of {found.series.sku}",
            undoes=None if undoes_id is None else str(undoes_id),
        )
    return number


def _seen(host: Host, session: Session, found: Voucher, till: Till) -> VoucherView:
    now = host.now(session)
    state = State.CANCELLED if _refunded(host, session, found) else found.state(now)
    return VoucherView(
        voucher_id=found.id,
        sku=found.series.sku,
        name=found.series.name,
        issued_by=_slugs(host, session)[found.series.owner_id],
        use=found.series.use,
        value_micros=found.value_micros,
        left_micros=found.left_micros,
        currency=found.series.currency,
        starts_at=found.starts_at,
        ends_at=found.ends_at,
        state=state,
        locked_until=found.locked_for(till.caller_id, till.name, now),
    )


def _slugs(host: Host, session: Session) -> dict[UUID, str]:
    return {each.id: each.slug for each in host.members(session)}
