"""`python -m marketplace_stripe.double`: a double of Stripe to try the rail with, on this machine.

It prints the settings to configure the plugin with, and members' accounts. No money moves.
"""

from __future__ import annotations

import json
import os
import signal
import threading
from pathlib import Path

import click
import msgspec

from marketplace_stripe.accounts import Account, Charge
from marketplace_stripe.double import people
from marketplace_stripe.double.server import Double
from marketplace_stripe.double.world import World


@click.command()
@click.option("--port", default=12_111, show_default=True)
@click.option(
    "--balance", default=0, show_default=True, help="Smallest units of EUR there at first."
)
@click.option("--members", default=2, show_default=True, help="Accounts to make at first.")
@click.option("--key", default="rk_test_double", show_default=True, help="The key it takes.")
@click.option("--webhook-key", help="Signs events: whsec_ ...; made up where it is left out.")
@click.option("--keep", type=click.Path(dir_okay=False, path_type=Path), help="File of its state.")
@click.option("--complete", is_flag=True, help="New connected accounts can be paid at once.")
@click.option("--tied", is_flag=True, help="Stop when standard input closes.")
def main(
    port: int,
    balance: int,
    members: int,
    key: str,
    webhook_key: str | None,
    keep: Path | None,
    complete: bool,
    tied: bool,
) -> None:
    """Run a double of Stripe until it is stopped. No money moves."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with Double(key=key, port=port, webhook_key=webhook_key, keep=keep) as double:
        double.world.complete = complete
        if not double.found:
            if balance:
                people.fill(double.world, balance)
            for _ in range(members):
                people.both(double.world, Charge.CARD)
            double.save()
        _tell(double)
        try:
            if tied:
                _wait_for_the_end_of_input()
            else:
                threading.Event().wait()
        except KeyboardInterrupt:
            click.echo("Stopped.")


def _wait_for_the_end_of_input() -> None:
    while os.read(0, 1024):
        pass


def _tell(double: Double) -> None:
    click.echo(f"A double of Stripe for trials, at {double.address}. No money moves.")
    settings = {
        "secret_key": double.key,
        "webhook_key": double.webhook_key,
        "address": double.address,
    }
    click.echo(f"Settings: {json.dumps(settings)}")
    for account in _members(double.world):
        click.echo(f"A member's account: {msgspec.json.encode(account).decode()}")
    click.echo("Ready.")


def _members(world: World) -> list[Account]:
    """Customers with a card, each with the connected account that was made after it."""
    found = []
    objects = list(world.objects.values())
    for number, each in enumerate(objects):
        if each["object"] == "payment_method" and each["type"] == Charge.CARD:
            after = (one["id"] for one in objects[number:] if one["object"] == "account")
            found.append(
                Account(
                    customer=each["customer"],
                    charge=Charge.CARD,
                    payment_method=each["id"],
                    connected=next(after, ""),
                )
            )
    return found


if __name__ == "__main__":
    main()
