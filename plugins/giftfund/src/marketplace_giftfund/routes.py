"""HTTP: pools and uploads, under /v1/giftfund."""

from __future__ import annotations

from litestar import get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, FromQuery, RawBody

from marketplace.api import Host, InvalidRequest, NotFound, Principal, Role, Routes, Scope, access
from marketplace_giftfund import service
from marketplace_giftfund.schemas import Pool, Uploaded

MOST_BYTES = 16 * 1_048_576
MAY_STOCK = access(roles=[Role.PARTNER, Role.OPERATOR], scope=Scope.STOCK_WRITE)


def make_routes(host: Host) -> Routes:
    """The handlers over a host."""

    @get(
        "/pools",
        opt=MAY_STOCK,
        sync_to_thread=True,
        summary="List pools of codes",
        tags=["gift fund"],
    )
    def list_pools(principal: NamedDependency[Principal]) -> list[Pool]:
        """The pools of the caller's member, or all of them for the operator."""
        found = service.pools(host)
        if principal.is_operator:
            return found
        with host.transaction() as session:
            return [
                each
                for each in found
                if service.stocks(host, session, each.sku, principal.member_id)
            ]

    @post(
        "/pools/{sku:str}/codes",
        opt=MAY_STOCK,
        status_code=200,
        sync_to_thread=True,
        request_max_body_size=MOST_BYTES,
        summary="Upload codes",
        tags=["gift fund"],
    )
    def upload_codes(
        sku: FromPath[str],
        principal: NamedDependency[Principal],
        body: RawBody,
        dry_run: FromQuery[bool] = False,
    ) -> Uploaded:
        """Add the codes of a CSV (`text/csv`: code, expires_on, label) to a pool, all or nothing.

        For the member that is paid for the sku, and the operator. The same file again changes
        nothing and says so.
        """
        _check_owner(host, principal, sku)
        try:
            text = body.decode("utf-8")
        except UnicodeDecodeError:
            raise InvalidRequest("The file is not UTF-8.") from None
        return service.upload(host, sku, text, actor=principal.actor, dry_run=dry_run)

    return [list_pools, upload_codes]


def _check_owner(host: Host, principal: Principal, sku: str) -> None:
    """Raise NotFound unless the caller may stock this sku."""
    with host.transaction() as session:
        whose = None if principal.is_operator else principal.member_id
        may = service.stocks(host, session, sku, whose)
    if not may:
        raise NotFound(f"There is no offer of yours with the sku {sku!r}.")
