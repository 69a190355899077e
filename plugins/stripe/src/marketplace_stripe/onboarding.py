"""Members at Stripe: connected accounts that can be paid, customers that can be charged."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any, Final
from uuid import UUID

import msgspec
import sqlalchemy as sa
import stripe
from sqlalchemy.dialects.postgresql import insert

from marketplace.api import Host
from marketplace_stripe import refusals
from marketplace_stripe.client import client_of
from marketplace_stripe.models import account
from marketplace_stripe.settings import House

log = logging.getLogger(__name__)

MOST_AT_ONCE: Final = 50
VERSION: Final = sa.literal_column("stripe_account.xmin::text", sa.Text)
"""Of the row of an account: whoever writes to it makes another."""


class State(msgspec.Struct, frozen=True, kw_only=True):
    """A connected account as Stripe last described it."""

    id: str
    member: str
    transfers: str
    """`active`, `pending`, `inactive`; `unknown` before it was asked."""
    payouts_enabled: bool
    wanted: str
    """What Stripe still wants to know, or why the account is restricted."""


def connect(host: Host, member: str, *, country: str, email: str) -> str:
    """The connected account of a member, made where there is none; one however often asked."""
    house: House = host.settings()
    with host.transaction() as session:
        member_id = host.member_id(session, member)
        known = session.scalar(sa.select(account.c.id).where(account.c.member_id == member_id))
    if known is not None:
        return str(known)
    made = client_of(house).v1.accounts.create(
        {
            "country": country,
            "email": email,
            "controller": {
                "stripe_dashboard": {"type": "express"},
                "fees": {"payer": "application"},
                "losses": {"payments": "application"},
            },
            "capabilities": {"transfers": {"requested": True}},
            "metadata": {"member": member},
        },
        {"idempotency_key": f"account-{member_id}"},
    )
    _keep(host, made.id, member_id)
    refresh_one(host, client_of(house), made.id)
    return made.id


def _keep(host: Host, account_id: str, member_id: UUID) -> None:
    with host.transaction() as session:
        row = {"id": account_id, "member_id": member_id}
        session.execute(insert(account).values(row).on_conflict_do_nothing())


def onboarding_link(host: Host, account_id: str, *, back_to: str) -> str:
    """An address where the member gives Stripe what it wants to know; good for some minutes."""
    house: House = host.settings()
    made = client_of(house).v1.account_links.create(
        {
            "account": account_id,
            "type": "account_onboarding",
            "refresh_url": back_to,
            "return_url": back_to,
        }
    )
    return made.url


def customer(host: Host, member: str, *, email: str) -> str:
    """A customer for a member; the same for a day of asking."""
    house: House = host.settings()
    with host.transaction() as session:
        member_id = host.member_id(session, member)
        names = {each.id: each.name for each in host.members(session)}
    made = client_of(house).v1.customers.create(
        {"name": names[member_id], "email": email, "metadata": {"member": member}},
        {"idempotency_key": f"customer-{member_id}"},
    )
    return made.id


def setup_link(host: Host, customer_id: str, *, charge: str, back_to: str) -> str:
    """An address where the member saves a card, or a bank account with a mandate, for later."""
    house: House = host.settings()
    asked: Any = {
        "mode": "setup",
        "customer": customer_id,
        "allowed_payment_method_types": [charge],
        "success_url": back_to,
    }
    made = client_of(house).v1.checkout.sessions.create(asked)
    return made.url or ""


def refresh(host: Host, *, everything: bool = False) -> int:
    """Ask about accounts that something was told of; returns how many."""
    house: House = host.settings()
    query = sa.select(account.c.id).order_by(account.c.id)
    if not everything:
        query = query.where(account.c.stale).limit(MOST_AT_ONCE)
    with host.transaction() as session:
        ids = list(session.scalars(query))
    if not ids:
        return 0
    client = client_of(house)
    failed: Exception | None = None
    for each in ids:
        try:
            refresh_one(host, client, each)
        except (stripe.InvalidRequestError, stripe.PermissionError) as error:
            # One that is gone, or let us go, keeps nobody from looking at the others.
            failed = error
        except stripe.StripeError:
            raise
        except Exception as error:
            # Nor does one that we cannot read.
            log.exception("the connected account %s was not looked at", each)
            failed = error
    if failed is not None:
        raise failed
    return len(ids)


def refresh_one(host: Host, client: stripe.StripeClient, account_id: str) -> None:
    """Ask what an account may do now. It is asked again if this process ends meanwhile."""
    with host.transaction() as session:
        seen = session.scalar(sa.select(VERSION).where(account.c.id == account_id))
    try:
        found = client.v1.accounts.retrieve(account_id)
    except (stripe.InvalidRequestError, stripe.PermissionError) as error:
        # It is not asked for again before something is told of it.
        gone = {"transfers": "unknown", "payouts_enabled": False, "wanted": refusals.reason(error)}
        _answered(host, account_id, seen, gone)
        raise
    except stripe.StripeError:
        with host.transaction() as session:
            session.execute(sa.update(account).where(account.c.id == account_id).values(stale=True))
        raise
    values = {
        "transfers": _transfers(found),
        "payouts_enabled": bool(getattr(found, "payouts_enabled", False)),
        "wanted": _wanted(found),
        "seen_at": sa.func.clock_timestamp(),
    }
    _answered(host, account_id, seen, values)


def _answered(host: Host, account_id: str, seen: str | None, values: Mapping[str, Any]) -> None:
    """What was told since the question is newer than the answer: then it is asked again."""
    told = VERSION.is_distinct_from(seen)
    with host.transaction() as session:
        session.execute(
            sa.update(account).where(account.c.id == account_id).values(**values, stale=told)
        )


def _transfers(found: Any) -> str:
    capabilities = getattr(found, "capabilities", None)
    return getattr(capabilities, "transfers", None) or "inactive"


def _wanted(found: Any) -> str:
    requirements = getattr(found, "requirements", None)
    if requirements is None:
        return ""
    parts = [getattr(requirements, "disabled_reason", None) or ""]
    parts += getattr(requirements, "currently_due", None) or []
    return ", ".join(part for part in parts if part)


def states(host: Host) -> list[State]:
    """Every connected account."""
    with host.transaction() as session:
        names = {each.id: each.slug for each in host.members(session)}
        rows = session.execute(sa.select(account).order_by(account.c.id)).all()
    return [
        State(
            id=row.id,
            member=names.get(row.member_id, str(row.member_id)),
            transfers=row.transfers,
            payouts_enabled=row.payouts_enabled,
            wanted=row.wanted,
        )
        for row in rows
    ]
