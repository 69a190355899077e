"""Command line: marketplace stripe connect | customer | accounts | sweep | statement | ..."""

from __future__ import annotations

import getpass
from collections.abc import Callable, Sequence
from datetime import datetime
from functools import wraps
from pathlib import Path
from typing import ParamSpec, TypeVar

import click
import sqlalchemy as sa
import stripe

from marketplace.api import Command, Conflict, Host, MarketplaceError, NotFound
from marketplace_stripe import onboarding, paying, refusals, statement, sweeping
from marketplace_stripe.accounts import Charge
from marketplace_stripe.asking import Unclear
from marketplace_stripe.client import account_of, client_of
from marketplace_stripe.models import payment
from marketplace_stripe.settings import House

P = ParamSpec("P")
R = TypeVar("R")
DAY = click.DateTime(["%Y-%m-%d"])
SAVED = click.Choice([Charge.SEPA_DEBIT.value, Charge.CARD.value])
BACK = click.option("--back-to", required=True, help="Address that people come back to.")
MAIL = click.option("--email", required=True, help="Of who signs for the member.")


class StripeRefused(MarketplaceError):
    """Stripe did not do what it was asked; in its own words."""

    code = "stripe_refused"
    title = "Stripe refused"
    status = 502


def make_commands(host: Host) -> Sequence[Command]:
    """The commands over a host."""
    made = [*_member_commands(host), *_balance_commands(host), _reverse(host)]
    return [Command(group=host.slug, command=each) for each in made]


def _told(work: Callable[P, R]) -> Callable[P, R]:
    """Stripe's refusals in words, with exit status 1."""

    @wraps(work)
    def inside(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return work(*args, **kwargs)
        except stripe.StripeError as error:
            raise StripeRefused(refusals.reason(error)) from None
        except Unclear as error:
            raise StripeRefused(str(error)) from None

    return inside


def _member_commands(host: Host) -> list[click.Command]:
    @click.command("connect")
    @click.argument("member")
    @click.option("--country", required=True, help="Where the member is registered, like DE.")
    @MAIL
    @BACK
    @_told
    def connect(member: str, country: str, email: str, back_to: str) -> None:
        """Make the connected account of MEMBER, and an address where it tells about itself."""
        made = onboarding.connect(host, member, country=country, email=email)
        click.echo(f"{member}: {made}")
        click.echo(onboarding.onboarding_link(host, made, back_to=back_to))

    @click.command("customer")
    @click.argument("member")
    @click.option("--charge", type=SAVED, default=Charge.SEPA_DEBIT.value, show_default=True)
    @MAIL
    @BACK
    @_told
    def customer(member: str, charge: str, email: str, back_to: str) -> None:
        """Make MEMBER a customer, and an address where it saves what is to be charged."""
        made = onboarding.customer(host, member, email=email)
        click.echo(f"{member}: {made}")
        click.echo(onboarding.setup_link(host, made, charge=charge, back_to=back_to))

    @click.command("accounts")
    @click.option("--refresh", is_flag=True, help="Ask Stripe about each now.")
    @_told
    def accounts(refresh: bool) -> None:
        """List connected accounts: member, what they may do, what Stripe wants to know."""
        if refresh:
            onboarding.refresh(host, everything=True)
        for each in onboarding.states(host):
            payouts = "payouts on" if each.payouts_enabled else "payouts off"
            wanted = f"  wanted: {each.wanted}" if each.wanted else ""
            click.echo(
                f"{each.member:<20}{each.id:<28}transfers {each.transfers}, {payouts}{wanted}"
            )

    return [connect, customer, accounts]


def _balance_commands(host: Host) -> list[click.Command]:
    @click.command("sweep")
    @_told
    def sweep() -> None:
        """Read the balance at Stripe line by line; legs that webhooks missed are asked about."""
        swept = sweeping.run(host)
        click.echo(f"{swept.lines} new lines, {swept.missed} that no webhook told of")
        for currency, gap in swept.differences.items():
            click.echo(f"{currency}: Stripe's balance is {gap} off the sum of its lines", err=True)
        if swept.differences:
            raise click.exceptions.Exit(1)

    @click.command("statement")
    @click.argument("day", type=DAY)
    @click.option("--currency", required=True, help="Like EUR.")
    @click.option("--out", type=click.Path(dir_okay=False, path_type=Path), required=True)
    def write(day: datetime, currency: str, out: Path) -> None:
        """Write the balance of DAY (UTC) as a statement for marketplace settlement bank import."""
        with host.transaction() as session:
            content = statement.write(session, day.date(), currency.upper())
        out.write_bytes(content)
        entries = len(content.splitlines()) - 1
        click.echo(f"{out}: {entries} entries")

    return [sweep, write]


def _reverse(host: Host) -> click.Command:
    @click.command("reverse")
    @click.argument("reference")
    @_told
    def reverse(reference: str) -> None:
        """Take the transfer of a leg back, whole: for a wrong payee. The leg is returned then."""
        house: House = host.settings()
        with host.transaction() as session:
            query = sa.select(payment.c.object_id, payment.c.direction, payment.c.account).where(
                payment.c.reference == reference, payment.c.object_id.is_not(None)
            )
            rows = session.execute(query.order_by(payment.c.part)).all()
        if not rows:
            raise NotFound(f"No payment of leg {reference!r} is known at Stripe.")
        if rows[0].direction != "pay":
            raise Conflict(f"Leg {reference} was collected; refund it in Stripe's dashboard.")
        own = account_of(house)
        elsewhere = next((row.account for row in rows if row.account not in (None, own)), None)
        if elsewhere is not None:
            raise Conflict(
                f"Leg {reference} was paid from the Stripe account {elsewhere}; the key is of "
                f"{own}."
            )
        for row in rows:
            paying.reverse(client_of(house), row.object_id)
        with host.transaction() as session:
            actor = f"cli:{getpass.getuser()}"
            host.audit(session, actor=actor, action="reversed", subject=reference)
            host.ask_about_legs(session, [reference])
        for row in rows:
            click.echo(f"{reference}: {row.object_id} is reversed")

    return reverse
