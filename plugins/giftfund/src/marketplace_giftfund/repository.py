"""All SQL of the gift fund, set-wise."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime, timedelta
from typing import Any, NamedTuple, TypeVar

import msgspec
import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from marketplace.api import OpenOrder, Order
from marketplace_giftfund.models import pool

T = TypeVar("T")

ROWS_A_STATEMENT = 5_000
EXPIRING = timedelta(days=30)
"""Codes that run out within this time are told apart."""


class CodeRow(NamedTuple):
    """A code to be stored."""

    fingerprint: bytes
    secret: bytes
    """Encrypted."""
    label: str | None
    expires_on: date | None


class GivenCode(NamedTuple):
    """A code that an order gets or got."""

    id: int
    sku: str
    secret: str
    """Encrypted."""
    label: str | None
    expires_on: date | None


# What an order needs is sent and read as JSON, one value a statement: the driver takes longer over
# an array or a row than the server over the whole order, and json longer than msgspec.
# Secrets are ASCII; `escape` reads one that was spoilt too, where utf8 would end the statement.
_FREE = """
select cast(coalesce(json_agg(json_build_array(
    free.id, wanted.sku, encode(free.secret, 'escape'), free.label, free.expires_on
)), '[]') as text)
from json_to_recordset(cast(:wanted as json)) as wanted(sku text, units int)
cross join lateral (
    select id, secret, label, expires_on from giftfund_code
    where sku = wanted.sku and order_reference is null
      and (expires_on is null or expires_on >= :today)
      and id <> all(cast(:without as bigint[]))
    order by expires_on, id
    limit wanted.units
    {locking}
) free
"""
CLAIM_CODES = sa.text(_FREE.format(locking="for update skip locked"))
LOOK_AT_CODES = sa.text(_FREE.format(locking=""))

STILL_FREE = sa.text("""
select id from giftfund_code
where id = any(cast(:ids as bigint[])) and order_reference is null
  and (expires_on is null or expires_on >= :today)
""")

GIVE = sa.text("""
update giftfund_code
set order_reference = given.reference, position = given.position
from json_to_recordset(cast(:gifts as json)) as given(id bigint, reference text, position int)
where giftfund_code.id = given.id
""")

# Counting stops one past the threshold, so a full pool costs as little as an empty one; the order
# has it walk the index and not collect all that is free first.
GONE_LOW = sa.text("""
update giftfund_pool set low_since = :now
where sku = any(cast(:skus as text[])) and low_since is null
  and (select count(*) from (
           select 1 from giftfund_code
           where giftfund_code.sku = giftfund_pool.sku and order_reference is null
             and (expires_on is null or expires_on >= :today)
           order by expires_on, id
           limit giftfund_pool.low_at + 1) some_left) <= low_at
returning sku, low_at
""")

ADD_CODES = sa.text("""
insert into giftfund_code (sku, fingerprint, secret, label, expires_on)
select :sku, decode(fingerprint, 'hex'), decode(secret, 'hex'), label, cast(expires_on as date)
from unnest(cast(:fingerprints as text[]), cast(:secrets as text[]), cast(:labels as text[]),
            cast(:expires_on as text[])) as u(fingerprint, secret, label, expires_on)
on conflict (fingerprint) do nothing
returning 1
""")

KNOWN = sa.text("""
select encode(fingerprint, 'hex') as fingerprint, sku, expires_on, label from giftfund_code
where fingerprint in (select decode(u, 'hex') from unnest(cast(:fingerprints as text[])) u)
""")

ADD_ORDERS = sa.text("""
with added as (
    insert into giftfund_order (reference, sku, quantity, given)
    select reference, sku, quantity, true
    from json_to_recordset(cast(:orders as json)) as u(reference text, sku text, quantity int)
    order by reference
    on conflict (reference) do nothing
    returning reference
)
select cast(coalesce(json_agg(reference), '[]') as text) from added
""")

REFUSE = sa.text("""
update giftfund_order set given = false where reference = any(cast(:references as text[]))
""")

FORGET = sa.text("""
delete from giftfund_order where reference = any(cast(:references as text[]))
""")

ANSWERS = sa.text("""
select cast(coalesce(json_object_agg(reference, given), '{}') as text) from giftfund_order
where reference in (select json_array_elements_text(cast(:references as json)))
""")

# One statement, so one snapshot: an order given meanwhile has its codes or its promise, never both.
# Refused orders count as promised: they give their units back when they are voided.
COUNT_UNPROMISED = sa.text("""
select (select count(*) from giftfund_code
        where sku = :sku and order_reference is null
          and (expires_on is null or expires_on >= :today))
     - (select coalesce(sum(u.quantity), 0)
        from unnest(cast(:references as text[]), cast(:quantities as int[]))
          as u(reference, quantity)
        left join giftfund_order o using (reference)
        where o.given is not true)
""")

CODES_OF = sa.text("""
select cast(coalesce(json_agg(json_build_array(
    order_reference, json_build_array(id, sku, encode(secret, 'escape'), label, expires_on)
) order by order_reference, position), '[]') as text)
from giftfund_code
where order_reference in (select json_array_elements_text(cast(:references as json)))
""")

POOLS = sa.text("""
select p.sku, p.low_at, p.low_since,
       count(*) filter (where c.order_reference is null
                        and (c.expires_on is null or c.expires_on >= :today)) as free,
       count(*) filter (where c.order_reference is null
                        and c.expires_on between :today and :soon) as expiring,
       count(c.order_reference) as given,
       count(*) filter (where c.order_reference is null and c.expires_on < :today) as expired,
       min(c.expires_on) filter (where c.order_reference is null and c.expires_on >= :today)
         as next_expiry
from giftfund_pool p left join giftfund_code c on c.sku = p.sku
group by p.sku order by p.sku
""")

# A code leaves the stock the day after its last one, unless it was given before.
CHANGES = sa.text("""
select change.day, sum(change.uploaded) as uploaded, sum(change.given) as given,
       sum(change.expired) as expired
from giftfund_code c
left join giftfund_order o on o.reference = c.order_reference
cross join lateral (
    values ((c.uploaded_at at time zone 'utc')::date, 1, 0, 0),
           ((o.answered_at at time zone 'utc')::date, 0, 1, 0),
           (case when c.order_reference is null and c.expires_on < :today
                 then c.expires_on + 1 end, 0, 0, 1)
) as change(day, uploaded, given, expired)
where c.sku = :sku and change.day is not null
group by change.day order by change.day
""")


def lock_pool(session: Session, sku: str) -> None:
    """Lock the pool of `sku` until the session ends; makes it where there is none."""
    session.execute(insert(pool).values(sku=sku).on_conflict_do_nothing())
    session.execute(sa.select(pool.c.sku).where(pool.c.sku == sku).with_for_update())


def add_codes(session: Session, sku: str, codes: Sequence[CodeRow]) -> int:
    """Insert codes whose fingerprint is new; returns how many were."""
    added = 0
    # In one order everywhere, so that two uploads wait for each other and never deadlock.
    ordered = sorted(codes)
    for start in range(0, len(ordered), ROWS_A_STATEMENT):
        rows = ordered[start : start + ROWS_A_STATEMENT]
        result = session.execute(
            ADD_CODES,
            {
                "sku": sku,
                "fingerprints": [row.fingerprint.hex() for row in rows],
                "secrets": [row.secret.hex() for row in rows],
                "labels": [row.label for row in rows],
                "expires_on": [row.expires_on and row.expires_on.isoformat() for row in rows],
            },
        )
        added += len(result.all())
    return added


def known_codes(session: Session, fingerprints: Sequence[bytes]) -> dict[bytes, Any]:
    """Codes of any pool by fingerprint: sku, expires_on, label."""
    found: dict[bytes, Any] = {}
    for start in range(0, len(fingerprints), ROWS_A_STATEMENT):
        chunk = [each.hex() for each in fingerprints[start : start + ROWS_A_STATEMENT]]
        rows = session.execute(KNOWN, {"fingerprints": chunk})
        found.update({bytes.fromhex(row.fingerprint): row for row in rows})
    return found


def add_orders(session: Session, orders: Sequence[Order]) -> set[str]:
    """Insert orders not seen before; returns their references.

    Waits for a transaction that is answering the same order right now.
    """
    sent = [
        {"reference": each.reference, "sku": each.sku, "quantity": each.quantity} for each in orders
    ]
    return _read(session.execute(ADD_ORDERS, {"orders": _sent(sent)}), set[str])


def claim_codes(
    session: Session,
    units: Mapping[str, int],
    today: date,
    *,
    without: Iterable[int] = (),
    lock: bool = True,
) -> dict[str, list[GivenCode]]:
    """Lock up to so many free codes of each sku, those that run out first; codes by sku.

    None of the codes `without`. Not `lock`: look only, also at codes that others have locked.
    """
    skus = sorted(units)
    wanted = _sent([{"sku": sku, "units": units[sku]} for sku in skus])
    passed = "{" + ",".join(map(str, without)) + "}"
    statement = CLAIM_CODES if lock else LOOK_AT_CODES
    rows = session.execute(statement, {"wanted": wanted, "today": today, "without": passed})
    found: dict[str, list[GivenCode]] = {sku: [] for sku in skus}
    for code in _read(rows, list[GivenCode]):
        found[code.sku].append(code)
    return found


def still_free(session: Session, ids: Iterable[int], today: date) -> set[int]:
    """Which of these codes may still be given."""
    asked = "{" + ",".join(map(str, ids)) + "}"
    return set(session.execute(STILL_FREE, {"ids": asked, "today": today}).scalars())


def give(session: Session, gifts: Sequence[tuple[int, str, int]]) -> None:
    """Give codes (id, order reference, position)."""
    sent = [
        {"id": code_id, "reference": reference, "position": position}
        for code_id, reference, position in gifts
    ]
    session.execute(GIVE, {"gifts": _sent(sent)})


def refuse(session: Session, references: Sequence[str]) -> None:
    """Note that these orders got nothing."""
    session.execute(REFUSE, {"references": list(references)})


def forget(session: Session, references: Sequence[str]) -> None:
    """Let these orders, which were added in this transaction, never have been asked."""
    session.execute(FORGET, {"references": list(references)})


def answers(session: Session, references: Sequence[str]) -> dict[str, bool]:
    """Whether each order seen was given its codes."""
    rows = session.execute(ANSWERS, {"references": _sent(list(references))})
    return _read(rows, dict[str, bool])


def codes_of(session: Session, references: Sequence[str]) -> dict[str, list[GivenCode]]:
    """Codes of orders by reference, in order of position."""
    rows = session.execute(CODES_OF, {"references": _sent(list(references))})
    found: dict[str, list[GivenCode]] = {}
    for reference, code in _read(rows, list[tuple[str, GivenCode]]):
        found.setdefault(reference, []).append(code)
    return found


def _sent(value: Any) -> str:
    return msgspec.json.encode(value).decode()


def _read(rows: sa.Result[Any], kind: type[T]) -> T:
    """The one value that a statement gives, as JSON."""
    return msgspec.json.decode(rows.scalar_one(), type=kind)


def count_unpromised(session: Session, sku: str, orders: Sequence[OpenOrder], today: date) -> int:
    """Codes of a pool that can be given, less those that `orders` will still get."""
    count: int = session.execute(
        COUNT_UNPROMISED,
        {
            "sku": sku,
            "today": today,
            "references": [each.reference for each in orders],
            "quantities": [each.quantity for each in orders],
        },
    ).scalar_one()
    return count


def gone_low(
    session: Session, skus: Iterable[str], today: date, now: datetime
) -> list[tuple[str, int]]:
    """Pools among `skus` that have just become low, with their thresholds."""
    rows = session.execute(GONE_LOW, {"skus": sorted(skus), "today": today, "now": now})
    return [(row.sku, row.low_at) for row in rows]


def no_longer_low(session: Session, sku: str, free: int) -> None:
    """Forget a pool's warning where it has enough again."""
    session.execute(
        sa.update(pool).where(pool.c.sku == sku, pool.c.low_at < free).values(low_since=None)
    )


def set_low_at(session: Session, sku: str, low_at: int) -> bool:
    """Change a pool's threshold; False where there is no such pool."""
    changed = session.execute(
        sa.update(pool)
        .where(pool.c.sku == sku)
        .values(low_at=low_at, low_since=None)
        .returning(pool.c.sku)
    )
    return changed.first() is not None


def pools(session: Session, today: date) -> Sequence[Any]:
    """All pools with their counts."""
    return session.execute(POOLS, {"today": today, "soon": today + EXPIRING}).all()


def changes_by_day(session: Session, sku: str, today: date) -> Sequence[Any]:
    """Days on which codes of a pool came or went, in order: uploaded, given, expired."""
    return session.execute(CHANGES, {"sku": sku, "today": today}).all()
