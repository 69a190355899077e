"""`python -m marketplace_stripe.double`: a double of Stripe to try the rail with, on this machine.

It prints the settings to configure the plugin with, and a member's account. No money moves.
"""

from __future__ import annotations

import json
import time

import click
import msgspec

from marketplace_stripe.accounts import Charge
from marketplace_stripe.double import people
from marketplace_stripe.double.server import Double


@click.command()
@click.option("--port", default=12_111, show_default=True)
@click.option(
    "--balance", default=0, show_default=True, help="Smallest units of EUR there at first."
)
@click.option("--members", default=2, show_default=True, help="Accounts to make.")
def main(port: int, balance: int, members: int) -> None:
    """Run a double of Stripe until it is stopped. No money moves."""
    with Double(port=port) as double:
        if balance:
            people.fill(double.world, balance)
        click.echo(f"A double of Stripe for trials, at {double.address}. No money moves.")
        settings = {
            "secret_key": double.key,
            "webhook_key": double.webhook_key,
            "address": double.address,
        }
        click.echo(f"Settings: {json.dumps(settings)}")
        for _ in range(members):
            account = people.both(double.world, Charge.CARD)
            click.echo(f"A member's account: {msgspec.json.encode(account).decode()}")
        try:
            while True:
                time.sleep(3_600)
        except KeyboardInterrupt:
            click.echo("Stopped.")


if __name__ == "__main__":
    main()
