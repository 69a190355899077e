"""HTTP for tills: /v1/vouchers/validations, locks, redemptions. Series are in series_routes.py."""

from __future__ import annotations

import re
from typing import Annotated, Any
from uuid import UUID

from litestar import Request, Response, get, post
from litestar.di import NamedDependency
from litestar.params import Body, FromPath, HeaderParameter, QueryParameter

from marketplace.api import Host, NotFound, Principal, Role, Routes, Scope, access
from marketplace_vouchers import redeeming
from marketplace_vouchers.schemas import (
    Check,
    LockView,
    NewLock,
    NewRedemption,
    NewRollback,
    RedemptionPage,
    RedemptionView,
    VoucherView,
)
from marketplace_vouchers.tills import till_of

Key = Annotated[str, HeaderParameter(name="Idempotency-Key", min_length=1, max_length=200)]
AnyRequest = Request[Any, Any, Any]
TILLS = access(roles=[Role.PARTNER], scope=Scope.VOUCHERS_REDEEM)
READERS = access(roles=[Role.PARTNER, Role.OPERATOR], scope=Scope.VOUCHERS_REDEEM)
TAGS = ["vouchers"]
REPLAYED = {"Idempotent-Replayed": "true"}
ON_A_PAGE = 50


def make_till_routes(host: Host) -> Routes:
    """The handlers of tills over a host."""
    return [*_looking(host), *_locking(host), *_redeeming(host)]


def _looking(host: Host) -> Routes:
    @post(
        "/validations",
        opt=TILLS,
        status_code=200,
        sync_to_thread=True,
        summary="How a voucher stands",
        tags=TAGS,
    )
    def validate(
        data: Annotated[Check, Body()], principal: NamedDependency[Principal], request: AnyRequest
    ) -> VoucherView:
        """Changes nothing. A voucher that others accept is as unknown as one that never was."""
        return redeeming.validate(host, till_of(request, principal), data.code)

    @get(
        "/redemptions",
        opt=READERS,
        sync_to_thread=True,
        summary="Redemptions, newest first",
        tags=TAGS,
    )
    def list_redemptions(
        principal: NamedDependency[Principal],
        before: Annotated[int | None, QueryParameter(ge=1, le=2**62)] = None,
        limit: Annotated[int, QueryParameter(ge=1, le=200)] = ON_A_PAGE,
    ) -> RedemptionPage:
        """What the caller's member accepted and what was accepted of its own series; all for the
        operator."""
        found = redeeming.redemptions(host, whose(principal), before=before, limit=limit + 1)
        items = found[:limit]
        return RedemptionPage(items, items[-1].id if len(found) > limit else None)

    @get(
        "/redemptions/{number:str}",
        opt=READERS,
        sync_to_thread=True,
        summary="One redemption or rollback",
        tags=TAGS,
    )
    def get_redemption(
        number: FromPath[str], principal: NamedDependency[Principal]
    ) -> RedemptionView:
        """For its acceptor, the voucher's owner and the operator."""
        with host.transaction() as session:
            return redeeming.read_redemption(host, session, whose(principal), number_of(number))

    return [validate, list_redemptions, get_redemption]


def _locking(host: Host) -> Routes:
    @post(
        "/locks",
        opt=TILLS,
        sync_to_thread=True,
        summary="Keep a voucher for this till",
        tags=TAGS,
    )
    def lock(
        data: Annotated[NewLock, Body()],
        idempotency_key: Key,
        principal: NamedDependency[Principal],
        request: AnyRequest,
    ) -> Response[LockView]:
        """For `seconds`; meanwhile no other till can lock or redeem it."""
        till = till_of(request, principal, data.till)
        view, replayed = redeeming.lock(host, till, data, idempotency_key)
        return Response(view, headers=REPLAYED if replayed else {})

    @post(
        "/locks/{lock_id:uuid}/release",
        opt=TILLS,
        status_code=204,
        sync_to_thread=True,
        summary="Let others have the voucher again",
        tags=TAGS,
    )
    def release(
        lock_id: FromPath[UUID], principal: NamedDependency[Principal], request: AnyRequest
    ) -> None:
        """Nothing happens where the lock is over anyway."""
        redeeming.release(host, till_of(request, principal), lock_id)

    return [lock, release]


def _redeeming(host: Host) -> Routes:
    @post(
        "/redemptions",
        opt=TILLS,
        sync_to_thread=True,
        summary="Redeem a voucher, whole or in part",
        tags=TAGS,
    )
    def redeem(
        data: Annotated[NewRedemption, Body()],
        idempotency_key: Key,
        principal: NamedDependency[Principal],
        request: AnyRequest,
    ) -> Response[RedemptionView]:
        """By `code`, or by the `lock_id` of this till. A key redeems once."""
        till = till_of(request, principal, data.till)
        view, replayed = redeeming.redeem(host, till, data, idempotency_key)
        return Response(view, headers=REPLAYED if replayed else {})

    @post(
        "/redemptions/{number:str}/rollback",
        opt=TILLS,
        sync_to_thread=True,
        summary="Put a redemption back",
        tags=TAGS,
    )
    def roll_back(
        number: FromPath[str],
        data: Annotated[NewRollback, Body()],
        idempotency_key: Key,
        principal: NamedDependency[Principal],
        request: AnyRequest,
    ) -> Response[RedemptionView]:
        """Whole and once, by the till that redeemed: a record of its own, negative."""
        till = till_of(request, principal, data.till)
        view, replayed = redeeming.roll_back(host, till, number_of(number), data, idempotency_key)
        return Response(view, headers=REPLAYED if replayed else {})

    return [redeem, roll_back]


def number_of(text: str) -> int:
    """The number of a redemption in an address; NotFound where it can be none."""
    if not re.fullmatch(r"[0-9]{1,18}", text):
        raise NotFound
    return int(text)


def whose(principal: Principal) -> UUID | None:
    """The member whose things the caller sees; None for the operator, who sees all."""
    return None if principal.is_operator else principal.member_id or principal.caller_id
