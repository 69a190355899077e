"""Kinds of voucher: made, listed, closed."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, time, timedelta
from uuid import UUID, uuid4

import msgspec
from sqlalchemy.orm import Session

from marketplace.api import Host, InvalidRequest, NotFound
from marketplace_vouchers import repository
from marketplace_vouchers.domain import AcceptedBy, Series, Use
from marketplace_vouchers.errors import SeriesExists
from marketplace_vouchers.schemas import NewSeries, SeriesView

SKU = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
CURRENCY = re.compile(r"[A-Z]{3}")
LONGEST_NAME = 200
MOST_VALUE_MICROS = 1_000_000 * 1_000_000
MOST_DAYS = 3_650
LAST_YEAR = 2999
"""Of a term; the exchange takes no code that ends long after it."""


def make(
    host: Host, owner_id: UUID, new: NewSeries, *, actor: str, dry_run: bool = False
) -> SeriesView:
    """Make a series of a member. The same again changes nothing; other terms raise SeriesExists.

    Raises InvalidRequest with what is wrong, NotFound for an acceptor that is no member.
    """
    with host.transaction() as session:
        made, acceptors = make_in(host, session, owner_id, new, actor=actor)
        view = _view(made, acceptors, _slugs(host, session))
        if dry_run:
            session.rollback()
    return view


def make_in(
    host: Host, session: Session, owner_id: UUID, new: NewSeries, *, actor: str
) -> tuple[Series, set[UUID]]:
    """As `make`, in a transaction that is under way."""
    now = host.now(session)
    _check(new, now)
    seller = host.offer_owner(session, new.sku)
    if seller not in (None, owner_id):
        raise SeriesExists(f"The offer with the sku {new.sku!r} is another member's.")
    acceptors = {host.member_id(session, slug) for slug in set(new.acceptors)}
    made = _series(new, owner_id)
    if repository.add_series(session, made, sorted(acceptors)):
        host.audit(session, actor=actor, action="series_made", subject=new.sku, name=new.name)
        return made, acceptors
    known = repository.find_series(session, [new.sku])[new.sku]
    same = msgspec.structs.replace(made, id=known.id, closed_at=known.closed_at) == known
    if not same or repository.acceptors_of(session, known.id) != acceptors:
        raise SeriesExists(f"There is a series {new.sku!r} already; make another sku.")
    return known, acceptors


def _check(new: NewSeries, now: datetime) -> None:
    wrong = None
    if not SKU.fullmatch(new.sku):
        wrong = "`sku` is up to 100 letters, digits, dots, dashes and underscores."
    elif not new.name.strip() or len(new.name) > LONGEST_NAME or not new.name.isprintable():
        wrong = f"`name` is up to {LONGEST_NAME} printable characters."
    elif not 0 < new.value_micros <= MOST_VALUE_MICROS:
        wrong = "`value_micros` is above zero and at most a million currency units."
    elif not CURRENCY.fullmatch(new.currency):
        wrong = "`currency` is an ISO 4217 code, like EUR."
    elif (new.ends_on is None) == (new.valid_days is None):
        wrong = "Give either `ends_on` or `valid_days`."
    elif new.valid_days is not None and not 0 < new.valid_days <= MOST_DAYS:
        wrong = f"`valid_days` is 1 to {MOST_DAYS}."
    elif max((day.year for day in (new.starts_on, new.ends_on) if day), default=0) > LAST_YEAR:
        wrong = f"`starts_on` and `ends_on` are in the year {LAST_YEAR} at the latest."
    elif new.ends_on is not None and _after(new.ends_on) <= now:
        wrong = "`ends_on` has passed."
    elif None not in (new.starts_on, new.ends_on) and new.starts_on > new.ends_on:  # type: ignore[operator]
        wrong = "`starts_on` is after `ends_on`."
    elif (new.accepted_by is AcceptedBy.LISTED) != bool(new.acceptors):
        wrong = "`acceptors` names members where `accepted_by` is `listed`, and only there."
    if wrong:
        raise InvalidRequest(wrong)


def _series(new: NewSeries, owner_id: UUID) -> Series:
    return Series(
        id=uuid4(),
        sku=new.sku,
        owner_id=owner_id,
        name=new.name.strip(),
        use=new.use,
        value_micros=new.value_micros,
        currency=new.currency,
        starts_at=None if new.starts_on is None else _midnight(new.starts_on),
        ends_at=None if new.ends_on is None else _after(new.ends_on),
        valid_days=new.valid_days,
        accepted_by=new.accepted_by,
        closed_at=None,
    )


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time(), tzinfo=UTC)


def _after(day: date) -> datetime:
    """The moment a day is over."""
    return _midnight(day + timedelta(days=1))


def own(session: Session, sku: str, member_id: UUID | None) -> Series:
    """A series of this member (None: anybody's); NotFound for every other."""
    found = repository.find_series(session, [sku]).get(sku)
    if found is None or member_id not in (None, found.owner_id):
        raise NotFound(f"There is no series of yours with the sku {sku!r}.")
    return found


def listed(host: Host, member_id: UUID | None) -> list[SeriesView]:
    """The series of a member, or everybody's, by sku."""
    with host.transaction() as session:
        slugs = _slugs(host, session)
        return [
            _view(each, repository.acceptors_of(session, each.id), slugs)
            for each in repository.list_series(session, member_id)
        ]


def close(host: Host, sku: str, member_id: UUID | None, *, actor: str) -> SeriesView:
    """No more vouchers of it are issued; those that are out stay valid."""
    with host.transaction() as session:
        found = own(session, sku, member_id)
        repository.close_series(session, found.id, host.now(session))
        host.audit(session, actor=actor, action="series_closed", subject=sku)
        closed = own(session, sku, member_id)
        return _view(closed, repository.acceptors_of(session, closed.id), _slugs(host, session))


def _slugs(host: Host, session: Session) -> dict[UUID, str]:
    return {each.id: each.slug for each in host.members(session)}


def _view(
    of: Series, acceptors: Sequence[UUID] | set[UUID], slugs: Mapping[UUID, str]
) -> SeriesView:
    return SeriesView(
        sku=of.sku,
        owner=slugs[of.owner_id],
        name=of.name,
        use=Use(of.use),
        value_micros=of.value_micros,
        currency=of.currency,
        starts_at=of.starts_at,
        ends_at=of.ends_at,
        valid_days=of.valid_days,
        accepted_by=of.accepted_by,
        acceptors=sorted(slugs[each] for each in acceptors),
        closed_at=of.closed_at,
    )
