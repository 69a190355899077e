"""Command line: marketplace giftfund upload | pools | low-at."""

from __future__ import annotations

import getpass
from pathlib import Path

import click

from marketplace.api import Command, Host, InvalidRequest
from marketplace_giftfund import service


def actor() -> str:
    """Who is at the command line, for the audit trail."""
    return f"cli:{getpass.getuser()}"


def make_commands(host: Host) -> list[Command]:
    """The commands over a host."""

    @click.command("upload")
    @click.argument("sku")
    @click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
    @click.option("--dry-run", is_flag=True, help="Check the file; change nothing.")
    def upload(sku: str, file: Path, dry_run: bool) -> None:
        """Take the codes of FILE (CSV: code, expires_on, label) into the pool of SKU."""
        try:
            text = file.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            raise InvalidRequest(f"{file} is not UTF-8.") from None
        done = service.upload(host, sku, text, actor=actor(), dry_run=dry_run)
        dry = " (dry run: nothing changed)" if dry_run else ""
        click.echo(f"{sku}: {done.new} new, {done.already} already there, {done.free} free{dry}")

    @click.command("pools")
    def pools() -> None:
        """Show every pool: free, given and expired codes; LOW where it needs filling."""
        click.echo(f"{'sku':<32}{'free':>8}{'given':>8}{'expired':>8}  next expiry")
        for each in service.pools(host):
            low = f"  LOW (at {each.low_at})" if each.low else ""
            click.echo(
                f"{each.sku:<32}{each.free:>8}{each.given:>8}{each.expired:>8}"
                f"  {each.next_expiry or '-'}{low}"
            )

    @click.command("low-at")
    @click.argument("sku")
    @click.argument("codes", type=click.IntRange(min=0))
    def low_at(sku: str, codes: int) -> None:
        """Warn when the pool of SKU is down to CODES codes."""
        service.set_low_at(host, sku, codes, actor=actor())
        click.echo(f"{sku}: low at {codes} codes")

    return [Command(group=host.slug, command=each) for each in (upload, pools, low_at)]
