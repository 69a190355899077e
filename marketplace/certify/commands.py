"""Command line: `marketplace plugins new | check | verify`."""

from __future__ import annotations

import sys
import textwrap
from collections.abc import Sequence
from pathlib import Path
from typing import BinaryIO

import click
import msgspec

from marketplace.certify import check as checking
from marketplace.certify import report as reports
from marketplace.certify.domain import Result, Status, Target, Terms, Verdict
from marketplace.certify.target import digest, find
from marketplace.commands import Group
from marketplace.errors import UsageError
from marketplace.scaffold.write import KINDS, scaffold
from marketplace.settings import load

EXIT = {Verdict.PASSED: 0, Verdict.FAILED: 1, Verdict.INCOMPLETE: 3}
WIDTH = 96
WORDS = {
    Status.PASSED: "passed",
    Status.FAILED: "FAILED",
    Status.NOT_SHOWN: "not shown",
    Status.EXCUSED: "excused",
}
VERDICTS = {
    Verdict.PASSED: "PASSED",
    Verdict.FAILED: "FAILED",
    Verdict.INCOMPLETE: "INCOMPLETE: nothing failed, and not everything was shown",
}


@click.group("plugins", cls=Group)
def plugins_group() -> None:
    """Write plugins and certify them."""


@plugins_group.command("new")
@click.argument("slug")
@click.option("--kind", type=click.Choice(KINDS), default="supplier", help="What it adds.")
@click.option(
    "--into",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path(),
    help="Folder to make marketplace-SLUG in.  [this one]",
)
def new(slug: str, kind: str, into: Path) -> None:
    """Write a complete plugin SLUG, ready to test, into a new folder marketplace-SLUG."""
    folder = scaffold(slug, kind, into)
    click.echo(f"Wrote {folder}. Next:\n")
    click.echo(f"    cd {folder}")
    click.echo("    python -m pip install -e .")
    click.echo("    python -m pytest")
    click.echo(f"    marketplace plugins check {slug}")
    click.echo(f"    marketplace plugins activate {slug}")


@plugins_group.command("check")
@click.argument("name_or_path")
@click.option("--sku", help="What to order, for a supplier without a rehearsal.")
@click.option("--empty-sku", help="What it can never deliver, likewise.")
@click.option("--only", multiple=True, help="Play this scenario only; repeat for more.")
@click.option("--json", "as_json", is_flag=True, help="Print the signed report.")
@click.option(
    "--report",
    "report_path",
    type=click.Path(path_type=Path, dir_okay=False),
    help="File for the signed report.  [reports/SLUG-VERSION.json in MARKETPLACE_VAR_DIR]",
)
def check(
    name_or_path: str,
    sku: str | None,
    empty_sku: str | None,
    only: Sequence[str],
    as_json: bool,
    report_path: Path | None,
) -> None:
    """Play every scenario against a plugin and write a signed report."""
    settings = load()
    target = find(name_or_path)
    files_digest = digest(target)
    reports.public_keys(settings)  # without keys nothing could be signed: say so now
    terms = Terms(
        sku=sku,
        empty_sku=empty_sku,
        call_limit_s=settings.supplier_timeout_s,
        only=tuple(only),
    )
    results = checking.check(target, terms, Teller(terms).tell)
    report = reports.make_report(target, results, files_digest=files_digest)
    if only:
        # A part of a check is no certificate.
        _summary(target, report, None)
        sys.exit(EXIT[report.verdict])
    signed = reports.sign(report, settings)
    content = msgspec.json.format(msgspec.json.encode(signed), indent=2)
    path = report_path or settings.var_dir / "reports" / f"{target.slug}-{target.version}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content + b"\n")
    if as_json:
        click.echo(content.decode())
    else:
        _summary(target, report, path)
    sys.exit(EXIT[report.verdict])


class Teller:
    """Tells on standard error how far a check is, and what it found."""

    def __init__(self, terms: Terms) -> None:
        self._names = checking.names(terms.only)

    def tell(self, name: str, result: Result | None) -> None:
        """A scenario begins, or has ended."""
        if result is None:
            if sys.stderr.isatty():
                click.echo(f"{self._place(name)} {name} ...\r", nl=False, err=True)
            return
        took = f"{result.took_ms / 1000:.1f} s"
        click.echo(
            f"{self._place(name)} {WORDS[result.status]:<10}{name:<22}{took:>7}  {result.title}",
            err=True,
        )
        for label, text in (("", result.found), ("What to do: ", result.advice)):
            if text:
                click.echo(
                    textwrap.fill(
                        label + text, WIDTH, initial_indent=" " * 8, subsequent_indent=" " * 8
                    ),
                    err=True,
                )

    def _place(self, name: str) -> str:
        return f"[{self._names.index(name) + 1:>2}/{len(self._names)}]"


def _summary(target: Target, report: reports.Report, path: Path | None) -> None:
    counts = [
        f"{number} {WORDS[status].lower()}"
        for status in Status
        if (number := sum(each.status is status for each in report.results))
    ]
    click.echo(
        f"{target.distribution} {target.version}: {VERDICTS[report.verdict]} ({', '.join(counts)})"
    )
    if path is not None:
        click.echo(f"The signed report is in {path}")


@plugins_group.command("verify")
@click.argument("report_file", metavar="REPORT", type=click.File("rb"))
@click.option("--key", "keys", multiple=True, help="A public key to trust besides ours.")
@click.option("--of", "name_or_path", help="A plugin whose files must be those of the report.")
def verify(report_file: BinaryIO, keys: Sequence[str], name_or_path: str | None) -> None:
    """Check the signature of a REPORT, and which files it speaks of."""
    report = reports.verify(report_file.read(), [*reports.public_keys(load()), *keys])
    if name_or_path is not None and digest(find(name_or_path)) != report.digest:
        raise UsageError(
            f"The report is genuine, and speaks of other files than those of {name_or_path}."
        )
    click.echo(
        f"Genuine: {report.distribution} {report.version}, checked "
        f"{report.checked_at:%Y-%m-%d %H:%M} UTC against API {report.api_version}: "
        f"{VERDICTS[report.verdict]}"
    )
    click.echo(f"Files: SHA-256 {report.digest}")
    sys.exit(EXIT[report.verdict])
