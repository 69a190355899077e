"""HTTP for owners of vouchers: series and batches, under /v1/vouchers."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated
from uuid import UUID

from litestar import Response, get, post
from litestar.di import NamedDependency
from litestar.params import Body, FromPath
from litestar.response import Stream

from marketplace.api import Host, NotAllowed, Principal, Role, Routes, Scope, access
from marketplace_vouchers import batches, series
from marketplace_vouchers.routes import REPLAYED, TAGS, Key, whose
from marketplace_vouchers.schemas import BatchView, NewBatch, NewSeries, SeriesView

OWNERS = access(roles=[Role.PARTNER, Role.OPERATOR], scope=Scope.STOCK_WRITE)


def make_series_routes(host: Host) -> Routes:
    """The handlers of owners over a host."""
    return [*_series(host), *_batches(host)]


def _series(host: Host) -> Routes:
    @get("/series", opt=OWNERS, sync_to_thread=True, summary="List series", tags=TAGS)
    def list_series(principal: NamedDependency[Principal]) -> list[SeriesView]:
        """The series of the caller's member, or all of them for the operator."""
        return series.listed(host, whose(principal))

    @post("/series", opt=OWNERS, sync_to_thread=True, summary="Make a series", tags=TAGS)
    def make_series(
        data: Annotated[NewSeries, Body()], principal: NamedDependency[Principal]
    ) -> SeriesView:
        """A kind of voucher of the caller's member. The same again changes nothing."""
        return series.make(host, _owner(host, principal, data), data, actor=principal.actor)

    @post(
        "/series/{sku:str}/close",
        opt=OWNERS,
        status_code=200,
        sync_to_thread=True,
        summary="Issue no more of a series",
        tags=TAGS,
    )
    def close_series(sku: FromPath[str], principal: NamedDependency[Principal]) -> SeriesView:
        """Vouchers that are out stay valid."""
        return series.close(host, sku, whose(principal), actor=principal.actor)

    return [list_series, make_series, close_series]


def _batches(host: Host) -> Routes:
    @post(
        "/series/{sku:str}/batches",
        opt=OWNERS,
        status_code=202,
        sync_to_thread=True,
        summary="Issue vouchers in bulk",
        tags=TAGS,
    )
    def begin_batch(
        sku: FromPath[str],
        data: Annotated[NewBatch, Body()],
        idempotency_key: Key,
        principal: NamedDependency[Principal],
    ) -> Response[BatchView]:
        """The background process makes them; read the batch to see how far it has come."""
        view, replayed = batches.begin_once(
            host,
            sku,
            data.quantity,
            whose(principal),
            actor=principal.actor,
            caller=principal.caller_id,
            key=idempotency_key,
        )
        return Response(view, headers=REPLAYED if replayed else {})

    @get(
        "/batches/{batch_id:uuid}",
        opt=OWNERS,
        sync_to_thread=True,
        summary="How far a batch has come",
        tags=TAGS,
    )
    def get_batch(batch_id: FromPath[UUID], principal: NamedDependency[Principal]) -> BatchView:
        """`made` of `quantity`."""
        return batches.read(host, batch_id, whose(principal))

    @post(
        "/batches/{batch_id:uuid}/export",
        opt=OWNERS,
        status_code=200,
        sync_to_thread=True,
        summary="The codes of a batch, once",
        tags=TAGS,
    )
    def export_batch(batch_id: FromPath[UUID], principal: NamedDependency[Principal]) -> Stream:
        """CSV. A second time is refused; the operator's command line can, and that is audited."""
        with host.transaction() as session:
            batches.mark_exported(
                host, session, batch_id, whose(principal), actor=principal.actor, again=False
            )

        def lines() -> Iterator[bytes]:
            for line in batches.csv_lines(host, batch_id):
                yield line.encode()

        headers = {
            "Content-Disposition": f'attachment; filename="vouchers-{batch_id}.csv"',
            "Cache-Control": "no-store",
        }
        return Stream(lines, media_type="text/csv", headers=headers)

    @post(
        "/batches/{batch_id:uuid}/cancel",
        opt=OWNERS,
        status_code=200,
        sync_to_thread=True,
        summary="Make a batch worthless",
        tags=TAGS,
    )
    def cancel_batch(batch_id: FromPath[UUID], principal: NamedDependency[Principal]) -> BatchView:
        """What was redeemed of its vouchers stays redeemed."""
        return batches.cancel(host, batch_id, whose(principal), actor=principal.actor)

    return [begin_batch, get_batch, export_batch, cancel_batch]


def _owner(host: Host, principal: Principal, new: NewSeries) -> UUID:
    """Whose series it becomes: the caller's, or whom the operator names."""
    if new.owner is not None:
        with host.transaction() as session:
            named = host.member_id(session, new.owner)
        if principal.is_operator or named == principal.member_id:
            return named
        raise NotAllowed("A series is made for your own member.")
    if principal.member_id is None:
        raise NotAllowed("A series belongs to a member; you work for none.")
    return principal.member_id
