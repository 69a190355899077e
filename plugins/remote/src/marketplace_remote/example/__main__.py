"""Runs the example: `python -m marketplace_remote.example --stock MUG=100`."""

from __future__ import annotations

import argparse
import base64
import secrets
from collections.abc import Sequence
from pathlib import Path

from marketplace_remote.example.service import Mischief, Service
from marketplace_remote.example.shop import Shop


def new_key() -> str:
    """A signing key."""
    return "whsec_" + base64.b64encode(secrets.token_bytes(32)).decode()


def parse(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """The options."""
    parser = argparse.ArgumentParser(prog="python -m marketplace_remote.example")
    parser.add_argument("--port", type=int, default=8123)
    parser.add_argument("--their-key", help="the marketplace signs with it (its `our_key`)")
    parser.add_argument("--our-key", help="this service signs with it (its `your_key`)")
    parser.add_argument("--stock", action="append", default=[], metavar="SKU=UNITS")
    parser.add_argument("--keep", type=Path, metavar="FILE", help="remember orders here")
    parser.add_argument(
        "--misbehave", choices=[each.value for each in Mischief], default=Mischief.NONE.value
    )
    return parser.parse_args(arguments)


def main() -> None:
    """Serve until Ctrl-C."""
    given = parse()
    their_key, our_key = given.their_key or new_key(), given.our_key or new_key()
    shop = Shop(given.keep)
    for each in given.stock:
        sku, _, units = each.partition("=")
        shop.fill(sku, int(units))
    service = Service([their_key], [our_key], shop=shop, port=given.port)
    service.mischief = Mischief(given.misbehave)
    print(f"url       {service.url}\nour_key   {their_key}\nyour_key  {our_key}", flush=True)
    service.start()
    try:
        while True:
            input()
    except (KeyboardInterrupt, EOFError):
        service.stop()


if __name__ == "__main__":
    main()
