"""Bank statements: the memory of importing a large one, and matching lines with as many legs.

    python -m bench.bank [--json] [--megabytes N] [--legs N]

First row: the largest process of `marketplace settlement bank import` of a statement of so many
megabytes, against the same of one of a megabyte. The others: a pass over as many lines as there are
legs with the bank, by the line, against a pass over a tenth of them: what it costs does not grow.
`named`: each line carries its leg's reference. `twice`: each comes twice. `parts`: each leg in two
lines. `alike`: no references, all amounts the same, so that everything might be everything. Exit
status: 0 when every figure could be taken and all legs are as they must be, whether goals are met
or not; 1 otherwise.
"""

from __future__ import annotations

import asyncio
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

import click

from bench import machine
from bench.rows import Row, ratio_row, tell
from bench.server import BenchError, environment, execute, fresh_database, program, server_url
from marketplace.runtime import open_runtime
from marketplace.settings import Settings
from settlement.bank import accounts, importing, matching

IBAN: Final = "DE89370400440532013000"
DAY: Final = date(2026, 1, 5)
SMALL_MB: Final = 1
GOAL_MEMORY: Final = 1.25
GOAL_MATCH: Final = 1.5
KINDS: Final = ("named", "twice", "parts", "alike")
MINOR: Final = 12_340
"""What a leg pays, where all are alike; else its number is added."""

HEAD: Final = """<?xml version="1.0" encoding="UTF-8"?>
<Document xmlns="urn:iso:std:iso:20022:tech:xsd:camt.053.001.08"><BkToCstmrStmt>
<GrpHdr><MsgId>M-{day}</MsgId><CreDtTm>{day}T23:00:00Z</CreDtTm></GrpHdr>
<Stmt><Id>ST-{day}</Id><CreDtTm>{day}T23:00:00Z</CreDtTm>
<FrToDt><FrDtTm>{day}T00:00:00</FrDtTm><ToDtTm>{day}T23:59:59</ToDtTm></FrToDt>
<Acct><Id><IBAN>{iban}</IBAN></Id><Ccy>EUR</Ccy></Acct>
"""
BALANCE: Final = """<Bal><Tp><CdOrPrtry><Cd>{code}</Cd></CdOrPrtry></Tp>
<Amt Ccy="EUR">{amount}</Amt><CdtDbtInd>CRDT</CdtDbtInd><Dt><Dt>{day}</Dt></Dt></Bal>
"""
ENTRY: Final = """<Ntry><Amt Ccy="EUR">{amount}</Amt><CdtDbtInd>CRDT</CdtDbtInd>
<Sts><Cd>BOOK</Cd></Sts><BookgDt><Dt>{day}</Dt></BookgDt><ValDt><Dt>{day}</Dt></ValDt>
<AcctSvcrRef>BANK{number}</AcctSvcrRef>
<NtryDtls><TxDtls><Refs><EndToEndId>{reference}</EndToEndId></Refs><Amt Ccy="EUR">{amount}</Amt>
<CdtDbtInd>CRDT</CdtDbtInd><RltdPties><Dbtr><Pty><Nm>{name}</Nm></Pty></Dbtr></RltdPties>
</TxDtls></NtryDtls></Ntry>
"""
TAIL: Final = "</Stmt></BkToCstmrStmt></Document>\n"

SETTLEMENT: Final = """
insert into settlement_settlement (id, reference, kind, mode, status, due_on, made_at, made_by)
values ('00000000-0000-7000-8000-{base:012}', 'S-2026-{base:04}', 'ordinary', 'multilateral',
        'submitted', '2026-01-05', now(), 'bench')
"""
LEGS: Final = """
insert into settlement_leg (id, settlement_id, reference, member_id, currency, direction,
    net_micros, amount_minor, remainder_micros, status, rail, account, rail_reference, due_on,
    reason, name)
select gen_random_uuid(), '00000000-0000-7000-8000-{base:012}',
       'S-2026-{base:04}-EUR-' || lpad(n::text, 6, '0'), gen_random_uuid(), 'EUR', 'collect',
       -({minor}) * 10000, {minor}, 0, 'submitted', 'sepa', '{{}}', '', '2026-01-05',
       '', 'Member ' || n
from generate_series(1, {count}) n
"""
OPERATOR: Final = """
insert into member (id, slug, name, country, is_operator)
values ('00000000-0000-7000-a000-000000000001', 'house', 'House', 'DE', true)
"""
PEAK: Final = (
    "import os, subprocess, sys; p = subprocess.Popen(sys.argv[1:], stdout=subprocess.DEVNULL); "
    "_, status, used = os.wait4(p.pid, 0); print(used.ru_maxrss, status)"
)
"""A process of its own says it: what a process starts is charged with what itself holds."""


def say(text: str) -> None:
    """Progress, on stderr."""
    click.echo(text, err=True)


class Line:
    """An entry to be written."""

    def __init__(self, minor: int, reference: str, name: str) -> None:
        self.minor, self.reference, self.name = minor, reference, name


def write_statement(path: Path, lines: Iterator[Line], day: date, opening_minor: int = 0) -> int:
    """A statement of a day, never held whole; returns its closing balance."""
    total = opening_minor
    with path.open("w", encoding="utf-8") as file:
        file.write(HEAD.format(day=day, iban=IBAN))
        file.write(BALANCE.format(code="OPBD", amount=_units(opening_minor), day=day))
        for number, line in enumerate(lines):
            total += line.minor
            entry = {"amount": _units(line.minor), "day": day, "number": number}
            file.write(ENTRY.format(**entry, reference=line.reference, name=line.name))
        file.write(BALANCE.format(code="CLBD", amount=_units(total), day=day))
        file.write(TAIL)
    return total


def _units(minor: int) -> str:
    return f"{minor // 100}.{minor % 100:02}"


def strangers(megabytes: float) -> Iterator[Line]:
    """As many lines of nobody's as come to so many megabytes."""
    size = len(ENTRY.format(amount="1.00", day=DAY, number=1, reference="X-1", name="Nobody 1"))
    for number in range(int(megabytes * 1_000_000 / size)):
        yield Line(100 + number % 9, f"X-{number}", f"Nobody {number}")


def peak_mb(settings: Settings, path: Path) -> float:
    """What the largest process of importing a file holds at most."""
    command = [sys.executable, "-c", PEAK, *program("settlement", "bank", "import", str(path))]
    own = environment(settings)
    done = subprocess.run(command, env=own, stdout=subprocess.PIPE, text=True, check=True)
    peak, status = map(int, done.stdout.split())
    if status:
        raise BenchError(f"the import of {path.name} ended with the status {status}")
    return peak / (1_000_000 if sys.platform == "darwin" else 1_000)


async def open_account(settings: Settings) -> None:
    """The house has an account."""
    async with open_runtime(settings) as runtime, runtime.database.begin() as session:
        await accounts.add(
            session, identifier=IBAN, currency="EUR", rail="sepa", name="House", actor="bench"
        )


def measure_memory(url: str, megabytes: float) -> Row:
    """The peak of a large statement against that of a small one."""
    with fresh_database(url, "bench_bank") as settings, TemporaryDirectory() as folder:
        execute(settings.database_url or "", OPERATOR)
        asyncio.run(open_account(settings))
        found, balance = [], 0
        for number, size in enumerate((SMALL_MB, megabytes)):
            path, day = Path(folder) / f"{number}.xml", DAY + timedelta(days=number)
            balance = write_statement(path, strangers(size), day, balance)
            began = time.monotonic()
            found.append(peak_mb(settings, path))
            took = time.monotonic() - began
            say(f"  {path.stat().st_size / 1e6:,.0f} MB: {found[-1]:,.0f} MB, {took:.0f} s")
    return ratio_row(
        "bank_import_memory",
        found[1],
        f"MB for {megabytes:g} MB",
        against=f"for {SMALL_MB} MB, MB",
        reference=found[0],
        at_most=GOAL_MEMORY,
    )


def lines_of(kind: str, base: int, count: int) -> Iterator[Line]:
    """Lines for legs of this settlement."""
    for number in range(1, count + 1):
        reference, name = f"S-2026-{base:04}-EUR-{number:06}", f"Member {number}"
        if kind == "alike":
            yield Line(MINOR, f"X-{number}", name)
            continue
        whole = MINOR + number
        parts = [5_000, whole - 5_000] if kind == "parts" else [whole]
        for part in parts * (2 if kind == "twice" else 1):
            yield Line(part, reference, name)


async def match_ms(settings: Settings, path: Path, expected: int) -> float:
    """Milliseconds of a pass over the lines of a file, which books so many legs."""
    async with open_runtime(settings) as runtime:
        try:
            await importing.import_file(runtime, path, actor="bench", rail="sepa", match=False)
            began = time.monotonic()
            async with runtime.database.begin() as session:
                done = await matching.match(session, late_days=100_000, near_days=100_000)
            took = time.monotonic() - began
        finally:
            runtime.close_plugins()
    if done.legs + done.suggested != expected:
        raise BenchError(f"{expected} legs, but {done}")
    return took * 1_000


def measure_matching(url: str, kind: str, legs: int) -> Row:
    """A pass over many lines against one over a tenth, by the leg."""
    costs = []
    for count in (max(legs // 10, 1), legs):
        with fresh_database(url, "bench_bank") as settings, TemporaryDirectory() as folder:
            own = settings.database_url or ""
            minor = f"{MINOR}" if kind == "alike" else f"({MINOR} + n)"
            base = 1
            execute(own, OPERATOR, SETTLEMENT.format(base=base))
            execute(own, LEGS.format(base=base, minor=minor, count=count), "vacuum analyze")
            asyncio.run(open_account(settings))
            path = Path(folder) / "day.xml"
            write_statement(path, lines_of(kind, base, count), DAY)
            took = asyncio.run(match_ms(settings, path, count))
            costs.append(took / count)
            say(f"  {kind}: {count:,} legs {took:,.0f} ms")
    return ratio_row(
        f"bank_match_{kind}",
        costs[1],
        f"ms by the leg, of {legs:,}",
        against="of a tenth, ms by the leg",
        reference=costs[0],
        at_most=GOAL_MATCH,
    )


def run(megabytes: float, legs: int, kinds: str) -> list[Row]:
    """The whole measurement."""
    url = server_url(Path("var"))
    say("\n".join(f"{name}: {value}" for name, value in machine.facts(url).items()))
    wanted = re.split(r"[ ,]+", kinds)
    rows = [measure_memory(url, megabytes)] if megabytes else []
    return rows + [measure_matching(url, each, legs) for each in KINDS if each in wanted]


@click.command()
@click.option("--json", "as_json", is_flag=True, help="One JSON object per row.")
@click.option("--megabytes", default=200.0, show_default=True, help="Of the statement; 0: none.")
@click.option("--legs", default=10_000, show_default=True, help="With the bank.")
@click.option("--kinds", default=",".join(KINDS), show_default=True, help="Of matching.")
def main(as_json: bool, megabytes: float, legs: int, kinds: str) -> None:
    """Measure imports of statements, and matching."""
    try:
        rows = run(megabytes, legs, kinds)
    except BenchError as error:
        say(f"error: {error}")
        sys.exit(1)
    tell(rows, as_json=as_json)


if __name__ == "__main__":
    main()
