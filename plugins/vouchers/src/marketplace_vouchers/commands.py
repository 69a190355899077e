"""Command line: marketplace vouchers series | series-import | issue | export | ..."""

from __future__ import annotations

import getpass
import os
import sys
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

import click

from marketplace.api import Command, Host, InvalidRequest, NotFound
from marketplace_vouchers import batches, files, guard, repository, series
from marketplace_vouchers.domain import AcceptedBy, Use
from marketplace_vouchers.schemas import NewSeries

DAY = click.DateTime(["%Y-%m-%d"])


def actor() -> str:
    """Who is at the command line, for the audit trail."""
    return f"cli:{getpass.getuser()}"


def make_commands(host: Host) -> list[Command]:
    """The commands over a host."""
    made = [*_series_commands(host), *_batch_commands(host), *_house_commands(host)]
    return [Command(group=host.slug, command=each) for each in made]


def _series_commands(host: Host) -> list[click.Command]:
    @click.command("series")
    def show() -> None:
        """List every series: sku, owner, value, who accepts it, how long it is valid."""
        for each in series.listed(host, None):
            accepted = " ".join(each.acceptors) or each.accepted_by
            ends = f"{each.valid_days} days" if each.ends_at is None else f"{each.ends_at:%Y-%m-%d}"
            closed = "  CLOSED" if each.closed_at else ""
            click.echo(
                f"{each.sku:<32}{each.owner:<20}{_money(each.value_micros):>12} {each.currency}  "
                f"{each.use:<7} accepted by {accepted}, until {ends}{closed}"
            )

    @click.command("series-add")
    @click.argument("sku")
    @click.option("--owner", required=True, help="Slug of the member whose voucher it is.")
    @click.option("--name", required=True, help="What participants and tills read.")
    @click.option("--value", required=True, help="What one is worth, like 25.00.")
    @click.option("--currency", default="EUR", show_default=True)
    @click.option("--use", type=click.Choice([each.value for each in Use]), default="stored")
    @click.option("--starts-on", type=DAY, help="First day of validity (UTC).")
    @click.option("--ends-on", type=DAY, help="Last day of validity (UTC).")
    @click.option("--valid-days", type=int, help="Or so many days from issue.")
    @click.option("--coalition", is_flag=True, help="Every member accepts it.")
    @click.option("--acceptor", multiple=True, help="A member that accepts it, besides the owner.")
    def add(
        sku: str,
        owner: str,
        name: str,
        value: str,
        currency: str,
        use: str,
        starts_on: datetime | None,
        ends_on: datetime | None,
        valid_days: int | None,
        coalition: bool,
        acceptor: tuple[str, ...],
    ) -> None:
        """Make a series for the offers of SKU; the same again changes nothing."""
        listed = AcceptedBy.LISTED if acceptor else AcceptedBy.OWNER
        try:
            value_micros = files.micros(value)
        except ValueError as error:
            raise InvalidRequest(str(error)) from None
        new = NewSeries(
            sku=sku,
            name=name,
            value_micros=value_micros,
            currency=currency,
            use=Use(use),
            starts_on=starts_on and starts_on.date(),
            ends_on=ends_on and ends_on.date(),
            valid_days=valid_days,
            accepted_by=AcceptedBy.COALITION if coalition else listed,
            acceptors=list(acceptor),
        )
        with host.transaction() as session:
            owner_id = host.member_id(session, owner)
        series.make(host, owner_id, new, actor=actor())
        click.echo(f"{sku}: {_money(value_micros)} {currency}, owned by {owner}")

    @click.command("series-import")
    @click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
    @click.option("--dry-run", is_flag=True, help="Check the file; change nothing.")
    def import_file(file: Path, dry_run: bool) -> None:
        """Make the series of FILE (CSV: sku, owner, name, value, currency ...), all or none."""
        try:
            text = file.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            raise InvalidRequest(f"{file} is not UTF-8.") from None
        taken = files.import_series(host, text, actor=actor(), dry_run=dry_run)
        dry = " (dry run: nothing changed)" if dry_run else ""
        click.echo(f"{taken.series} series{dry}")

    @click.command("series-close")
    @click.argument("sku")
    def close(sku: str) -> None:
        """Issue no more vouchers of SKU; those that are out stay valid."""
        series.close(host, sku, None, actor=actor())
        click.echo(f"{sku}: closed")

    return [show, add, import_file, close]


def _batch_commands(host: Host) -> list[click.Command]:
    def make(batch_id: UUID) -> None:
        def told(made: int, quantity: int) -> None:
            click.echo(f"{made} of {quantity} ({made * 100 // quantity} %)", err=True)

        done = batches.make(host, batch_id, told)
        click.echo(f"{batch_id}: {done.made} vouchers of {done.sku}")

    @click.command("issue")
    @click.argument("sku")
    @click.argument("quantity", type=click.IntRange(1, 1_000_000))
    def issue(sku: str, quantity: int) -> None:
        """Issue QUANTITY vouchers of SKU in bulk; says the batch, which `resume` goes on with."""
        batch = batches.begin(host, sku, quantity, None, actor=actor())
        click.echo(f"batch {batch.id}", err=True)
        make(batch.id)

    @click.command("resume")
    @click.argument("batch", type=click.UUID)
    def resume(batch: UUID) -> None:
        """Go on with a BATCH that was interrupted."""
        make(batch)

    @click.command("batches")
    def show() -> None:
        """List the batches: how far each has come, whether its codes were handed out."""
        for each in batches.listed(host):
            marks = [
                *(["exported"] if each.exported_at else []),
                *(["CANCELLED"] if each.cancelled_at else []),
            ]
            click.echo(
                f"{each.id}  {each.sku:<32}{each.made:>9} of {each.quantity:<9}{' '.join(marks)}"
            )

    @click.command("export")
    @click.argument("batch", type=click.UUID)
    @click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
    @click.option("--again", is_flag=True, help="Though they were handed out before; audited.")
    def export(batch: UUID, file: Path, again: bool) -> None:
        """Write the codes of BATCH to FILE (CSV), once; only you can read the file."""
        draft = file.with_name(f"{file.name}.{os.getpid()}")
        lines = 0
        try:
            handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(handle, "w") as out, host.transaction() as session:
                batches.mark_exported(host, session, batch, None, actor=actor(), again=again)
                for line in batches.csv_lines(host, batch):
                    out.write(line)
                    lines += 1
                out.flush()
                os.fsync(out.fileno())
            draft.replace(file)
        finally:
            draft.unlink(missing_ok=True)
        click.echo(f"{file}: {lines - 1} codes")

    @click.command("cancel")
    @click.argument("batch", type=click.UUID)
    def cancel(batch: UUID) -> None:
        """Make every voucher of BATCH worthless; what was redeemed stays redeemed."""
        batches.cancel(host, batch, None, actor=actor())
        click.echo(f"{batch}: cancelled")

    return [issue, resume, show, export, cancel]


def _house_commands(host: Host) -> list[click.Command]:
    @click.command("lock-outs")
    def lock_outs() -> None:
        """List the tills that must wait because of wrong codes."""
        with host.transaction() as session:
            for subject, until in guard.locked_out(session, host.now(session)):
                click.echo(f"{subject}  until {until.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC")

    @click.command("forgive")
    @click.argument("subject")
    def forgive(subject: str) -> None:
        """Let the till SUBJECT, as `lock-outs` names it, try again at once."""
        with host.transaction() as session:
            if not guard.forgive(session, subject):
                raise NotFound(f"Nothing is held against {subject!r}.")
            host.audit(session, actor=actor(), action="forgiven", subject=subject)
        click.echo(f"{subject}: forgiven")

    @click.command("verify")
    def verify() -> None:
        """Prove that of each voucher exactly what was redeemed is gone; exits 1 where not."""
        with host.transaction() as session:
            wrong = repository.uneven(session)
        for row in wrong:
            click.echo(f"WRONG voucher {row.id}: {row.taken} micros gone, {row.redeemed} redeemed")
        if wrong:
            sys.exit(1)
        click.echo("The vouchers are right: what is gone was redeemed.")

    return [lock_outs, forgive, verify]


def _money(value_micros: int) -> str:
    return f"{value_micros / 1_000_000:.2f}"
