"""Vouchers in bulk, for print and mail: made in chunks, resumable, handed out once."""

from __future__ import annotations

import csv
import io
import logging
from collections.abc import Callable, Iterator
from typing import Any
from uuid import UUID, uuid4

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import distinct_on
from sqlalchemy.orm import Session

from marketplace.api import Host, NotFound
from marketplace_vouchers import cancelling, issuing, repository, requests, series
from marketplace_vouchers.domain import Series
from marketplace_vouchers.errors import BatchExported, BatchNotReady, SeriesClosed
from marketplace_vouchers.models import batch
from marketplace_vouchers.models import series as series_table
from marketplace_vouchers.models import voucher as vouchers
from marketplace_vouchers.schemas import BatchView

log = logging.getLogger(__name__)

CHUNK = 2_000
"""Vouchers made in one transaction: what an interruption costs, and what memory holds."""
CHUNKS_A_TURN = 5
"""Of one batch by the background task, before it looks again."""
HEADER = ("number", "code", "name", "value", "currency", "valid_until")


def begin(host: Host, sku: str, quantity: int, member_id: UUID | None, *, actor: str) -> BatchView:
    """A new batch of a member's series (None: anybody's), nothing of it made yet."""
    with host.transaction() as session:
        return _begin(host, session, sku, quantity, member_id, actor)


def begin_once(
    host: Host,
    sku: str,
    quantity: int,
    member_id: UUID | None,
    *,
    actor: str,
    caller: UUID,
    key: str,
) -> tuple[BatchView, bool]:
    """As `begin`, once per key of a caller; returns whether the key did so before."""
    request = requests.make(caller, key, "batch", sku, quantity)
    with host.transaction() as session:
        earlier = requests.made_before(session, request)
        if earlier is not None:
            return _view(_find(session, UUID(earlier), member_id)), True
        made = _begin(host, session, sku, quantity, member_id, actor)
        requests.remember(session, request, made.id)
        return made, False


def _begin(
    host: Host, session: Session, sku: str, quantity: int, member_id: UUID | None, actor: str
) -> BatchView:
    of = series.own(session, sku, member_id)
    if not of.issues(host.now(session)):
        raise SeriesClosed
    batch_id = uuid4()
    session.execute(
        sa.insert(batch).values(id=batch_id, series_id=of.id, quantity=quantity, actor=actor)
    )
    host.audit(session, actor=actor, action="batch_begun", subject=sku, vouchers=quantity)
    return _view(_find(session, batch_id, member_id))


def read(host: Host, batch_id: UUID, member_id: UUID | None) -> BatchView:
    """A batch and how far it has come."""
    with host.transaction() as session:
        return _view(_find(session, batch_id, member_id))


def listed(host: Host) -> list[BatchView]:
    """Every batch, newest first."""
    with host.transaction() as session:
        return [
            _view(row) for row in session.execute(_batches().order_by(batch.c.created_at.desc()))
        ]


def make(host: Host, batch_id: UUID, told: Callable[[int, int], None]) -> BatchView:
    """Make what is left of a batch, chunk by chunk; `told` hears (made, quantity) after each.

    Whatever stops it, what is made stays, and the next call goes on there. Two at once take turns.
    """
    while _make_chunk(host, batch_id, told):
        pass
    return read(host, batch_id, None)


def _make_chunk(host: Host, batch_id: UUID, told: Callable[[int, int], None]) -> bool:
    """Make one chunk; False when there was nothing left to make."""
    with host.transaction() as session:
        row = _find(session, batch_id, None, lock=True)
        if row.cancelled_at is not None or row.made >= row.quantity:
            return False
        of = _series_of(session, row.sku)
        stop: int = min(row.made + CHUNK, row.quantity)
        issuing.issue_for_batch(
            host, session, of, batch_id, range(row.made, stop), host.now(session)
        )
        session.execute(sa.update(batch).where(batch.c.id == batch_id).values(made=stop))
    told(stop, row.quantity)
    return stop < int(row.quantity)


def make_some(host: Host) -> None:
    """What the background process does every few seconds: go on with unfinished batches.

    With the oldest of each owner, so that nobody waits for another's.
    """
    with host.transaction() as session:
        unfinished = session.scalars(
            sa.select(batch.c.id)
            .join(series_table, series_table.c.id == batch.c.series_id)
            .where(batch.c.made < batch.c.quantity, batch.c.cancelled_at.is_(None))
            .order_by(series_table.c.owner_id, batch.c.created_at)
            .ext(distinct_on(series_table.c.owner_id))
        ).all()
    for batch_id in unfinished:
        try:
            for _ in range(CHUNKS_A_TURN):
                if not _make_chunk(host, batch_id, lambda made, quantity: None):
                    break
        except Exception:
            # Others wait for theirs; the next run goes on with this one.
            log.exception("vouchers: batch %s does not go on", batch_id)


def cancel(host: Host, batch_id: UUID, member_id: UUID | None, *, actor: str) -> BatchView:
    """Make every voucher of a batch worthless, e.g. when its print was stolen."""
    with host.transaction() as session:
        row = _find(session, batch_id, member_id, lock=True)
        now = host.now(session)
        cancelled, used_micros = cancelling.cancel_batch(session, batch_id, now)
        session.execute(
            sa.update(batch)
            .where(batch.c.id == batch_id, batch.c.cancelled_at.is_(None))
            .values(cancelled_at=now)
        )
        host.audit(
            session,
            actor=actor,
            action="batch_cancelled",
            subject=row.sku,
            vouchers=cancelled,
            used_micros=used_micros,
        )
        return _view(_find(session, batch_id, member_id))


# -- handing out the codes -------------------------------------------------------------------------


def mark_exported(
    host: Host, session: Session, batch_id: UUID, member_id: UUID | None, *, actor: str, again: bool
) -> None:
    """The codes are handed out now; BatchExported where they were, unless `again` is said."""
    row = _find(session, batch_id, member_id, lock=True)
    if row.made < row.quantity or row.cancelled_at is not None:
        raise BatchNotReady
    if row.exported_at is not None and not again:
        raise BatchExported
    session.execute(
        sa.update(batch).where(batch.c.id == batch_id).values(exported_at=host.now(session))
    )
    host.audit(session, actor=actor, action="batch_exported", subject=row.sku, batch=str(batch_id))


def csv_lines(host: Host, batch_id: UUID) -> Iterator[str]:
    """The codes of a batch as CSV, line by line; a chunk of them is in memory at a time."""
    yield _line(HEADER)
    after = -1
    while True:
        with host.transaction() as session:
            rows = _chunk(session, batch_id, after)
        for row in rows:
            yield _line(
                (
                    row.id,
                    host.decrypt(bytes(row.secret)),
                    row.name,
                    f"{row.value_micros // 1_000_000}.{row.value_micros % 1_000_000:06d}",
                    row.currency,
                    row.ends_at.isoformat(),
                )
            )
        if len(rows) < CHUNK:
            return
        after = rows[-1].position


def _chunk(session: Session, batch_id: UUID, after: int) -> list[Any]:
    asked = (
        sa.select(
            vouchers.c.id,
            vouchers.c.position,
            vouchers.c.secret,
            vouchers.c.value_micros,
            vouchers.c.ends_at,
            series_table.c.name,
            series_table.c.currency,
        )
        .join(series_table, series_table.c.id == vouchers.c.series_id)
        .where(vouchers.c.batch_id == batch_id, vouchers.c.position > after)
        .order_by(vouchers.c.position)
        .limit(CHUNK)
    )
    return list(session.execute(asked))


def _line(fields: tuple[object, ...]) -> str:
    written = io.StringIO()
    csv.writer(written, lineterminator="\n").writerow(fields)
    return written.getvalue()


# -- rows ------------------------------------------------------------------------------------------


def _batches() -> sa.Select[Any]:
    return sa.select(batch, series_table.c.sku, series_table.c.owner_id).join(
        series_table, series_table.c.id == batch.c.series_id
    )


def _find(session: Session, batch_id: UUID, member_id: UUID | None, *, lock: bool = False) -> Any:
    """A batch of a member's series (None: anybody's); NotFound for every other."""
    asked = _batches().where(batch.c.id == batch_id)
    if lock:
        asked = asked.with_for_update(of=batch)
    row = session.execute(asked).one_or_none()
    if row is None or member_id not in (None, row.owner_id):
        raise NotFound(f"There is no batch {batch_id} of yours.")
    return row


def _series_of(session: Session, sku: str) -> Series:
    return repository.find_series(session, [sku])[sku]


def _view(row: Any) -> BatchView:
    return BatchView(
        id=row.id,
        sku=row.sku,
        quantity=row.quantity,
        made=row.made,
        created_at=row.created_at,
        exported_at=row.exported_at,
        cancelled_at=row.cancelled_at,
    )
