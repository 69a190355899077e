"""Seats go on sale to thousands of people at once; and seats burnt per second against plain burns.

    python -m bench.seats [--json] [--people N] [--seats N] [--seconds N] [--rounds N]

Two API processes, the background process, people with sessions of their own. How each row is taken:
bench/README.md. Exit status: 0 when every figure could be taken, everybody was told the truth and
the ledger is clean, whether goals are met or not; 1 otherwise.
"""

from __future__ import annotations

import asyncio
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import click
import msgspec

from bench import doors, hall, load, machine, processor
from bench.hall import FIRST_OFFER, SKU, offer_id
from bench.load import HERE, Load, Target
from bench.load.rush import Plan, Seen
from bench.rows import Row, ratio_row, tell
from bench.seed import OFFER_POINTS, seed
from bench.server import (
    BenchError,
    fresh_database,
    grow_log,
    prove_ledger,
    query,
    server_url,
    serving,
)
from marketplace.registry.activation import activate
from marketplace.runtime import open_runtime
from marketplace.settings import Settings

WALLETS = 100_000
OFFERS = 50
CLIENTS = 64
WARM_UP_S = 3
PATIENCE_S = 120
GOAL_S = 1.0
GOAL_RATIO = 0.5
HELD = "select count(*) from burn where due_at is not null"
SEATS = f"""
select s.label, s.held_by, s.sold from conference_seat s
join conference_category c on c.id = s.category_id where c.sku = '{SKU}'
"""
PLACES = """
select p.order_reference, s.label from conference_place p
join conference_seat s on s.id = p.seat_id where p.cancelled_at is null
"""


def say(text: str) -> None:
    """Progress, on stderr."""
    click.echo(text, err=True)


async def _activate(settings: Settings) -> None:
    async with open_runtime(settings) as runtime, runtime.database.begin() as session:
        await activate(session, settings, "conference", actor="bench", reason="A measurement.")


def rush(port: int, people: list[hall.Person], folder: Path) -> list[Seen]:
    """Everybody comes at once."""
    plan = folder / "plan.json"
    plan.write_bytes(msgspec.json.encode(Plan(port, str(offer_id(FIRST_OFFER)), SKU, people)))
    done = subprocess.run(
        [sys.executable, "-m", "bench.load.rush", str(plan)],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise BenchError(f"the people failed: {done.stderr.strip()[-2_000:]}")
    return [msgspec.json.decode(line, type=Seen) for line in done.stdout.splitlines()]


def wait_until_delivered(url: str) -> None:
    """Until no burn is held any more."""
    deadline = time.monotonic() + PATIENCE_S
    while query(url, HELD)[0][0]:
        if time.monotonic() > deadline:
            raise BenchError("burns were not delivered")
        time.sleep(0.2)


def check_truth(url: str, seen: Sequence[Seen], seats: int) -> None:
    """Raise BenchError unless what people were told is what the database holds."""
    odd = {code for each in seen for code in each.codes} - {"held", "burnt", "busy", *REFUSALS}
    rows = query(url, SEATS)
    sold = {row["label"] for row in rows if row["sold"]}
    places = query(url, PLACES)
    bought = [(each.burn_id, label) for each in seen if each.burn_id for label in each.seats]
    wrong = [
        (f"answers nobody expects: {odd}", odd),
        ("a seat was sold twice", len({label for _, label in bought}) != len(bought)),
        ("a seat was lost", len(rows) != seats),
        (
            "tickets are not what people were told",
            {(str(row[0]), row[1]) for row in places} != set(bought),
        ),
        ("seats are sold that nobody bought", sold != {label for _, label in bought}),
        ("a refusal did not say the truth about what is free", not all(e.honest for e in seen)),
        ("a seat is neither sold nor free", any(not e["sold"] and e["held_by"] for e in rows)),
        ("somebody reserved and did not burn", any(e.selection and not e.burn_id for e in seen)),
    ]
    found = [words for words, is_so in wrong if is_so]
    if found:
        raise BenchError("; ".join(found))
    points = query(url, "select coalesce(sum(points), 0) from burn where status = 'captured'")
    if points[0][0] != len(bought) * OFFER_POINTS:
        raise BenchError(f"{points[0][0]} points for {len(bought)} seats")


REFUSALS = ("conference_sold_out", "conference_seats_taken")


def verify(settings: Settings) -> None:
    """Raise BenchError unless the ledger is clean."""
    say("checking the ledger")
    prove_ledger(settings)


def sale_rows(seen: Sequence[Seen], seats: int) -> list[Row]:
    """What the people saw, as rows."""
    first = sorted(each.first_ms for each in seen)
    answers = sum(len(each.codes) for each in seen)
    last_ms = max(each.last_ms for each in seen)
    told = Counter(code for each in seen for code in each.codes)
    say(f"  {len(seen)} people, {answers} answers in {last_ms:,.0f} ms: {dict(told)}")
    say(f"  first answer: p50 {statistics.median(first):,.0f} ms, slowest {first[-1]:,.0f} ms")
    bought = sorted(each.last_ms for each in seen if each.burn_id)
    return [
        ratio_row(
            "sale_first_answer_p99",
            first[len(first) * 99 // 100],
            "ms",
            against="a second",
            reference=GOAL_S * 1_000,
            at_most=1.0,
        ),
        Row(row="sale_answers", value=round(answers / last_ms * 1_000, 1), unit="answers/s"),
        Row(row=f"sale_of_{seats}_seats", value=round(bought[-1], 1), unit="ms"),
    ]


def _spent(own: list[int], server: int | None) -> tuple[float, float, float]:
    """Seconds of processor: of our processes, of the database, of what has ended."""
    people = resource.getrusage(resource.RUSAGE_CHILDREN)
    theirs = processor.of_trees([server] if server else [])
    return processor.of_trees(own), theirs, people.ru_utime + people.ru_stime


def on_sale(settings: Settings, people: int, seats: int, folder: Path) -> list[Row]:
    """The sale itself."""
    url = settings.database_url or ""
    tokens, key = hall.people_and_offers(url, people)
    log = folder / "serve.log"
    with serving(settings, log, "--processes", "2") as port:
        labels = hall.open_hall(port, key, seats)
        query(url, "vacuum analyze")
        server = processor.server(url)
        own = [each for each in processor.children() if each != server]
        before = _spent(own, server)
        say(f"{people} people want {seats} seats")
        comers = hall.who_comes(tokens, labels)
        seen = rush(port, comers, folder)
        after = _spent(own, server)
        ours, theirs, crowd = (now - then for now, then in zip(after, before, strict=True))
        say(f"  processor: ours {ours:.2f} s, PostgreSQL {theirs:.2f} s, people {crowd:.2f} s")
        wait_until_delivered(url)
        say("two doors scan the tickets")
        scans = doors.measure(port, key, doors.codes(port, comers, seen))
    check_truth(url, seen, seats)
    verify(settings)
    return [*sale_rows(seen, seats), *scans]


def burn_seats(port: int, token: str, seconds: int, name: str) -> Load:
    """Burn for seats that are reserved, each once."""
    given = os.environ | {
        "BENCH_TOKEN": token,
        "BENCH_WALLETS": str(WALLETS),
        "BENCH_OFFER": str(offer_id(FIRST_OFFER + 1)),
        "BENCH_RUN": name,
    }
    command = ["wrk", "-t", "2", "-c", str(CLIENTS), "-d", f"{seconds}s", "--timeout", "30s"]
    done = subprocess.run(
        [*command, "-s", str(HERE / "seats.lua"), f"http://127.0.0.1:{port}"],
        env=given,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise BenchError(f"wrk failed: {done.stderr.strip()[:1_000]}")
    return msgspec.json.decode(done.stdout.splitlines()[-1], type=Load)


def burnt(settings: Settings, token: str, seconds: int, rounds: int, folder: Path) -> list[Row]:
    """Seats and plain burns in turns on the same server."""
    url = settings.database_url or ""
    names = [f"seats-{number}" for number in range(rounds + 1)]
    most = seconds * 8_000
    say(f"reserving {2 * most * len(names):,} seats")
    hall.fill_hall(url, names, most)
    pairs = []
    with serving(settings, folder / "burns.log", "--processes", "2", "--no-background") as port:
        target = Target(port, token, WALLETS, OFFERS)
        load.run(target, clients=CLIENTS, seconds=WARM_UP_S, name="warm")
        burn_seats(port, token, min(WARM_UP_S, seconds), names[0])
        for number, name in enumerate(names[1:]):
            plain = load.run(target, clients=CLIENTS, seconds=seconds, name=f"plain-{number}")
            seats = burn_seats(port, token, seconds, name)
            for each in (plain, seats):
                if each.refused or each.broken:
                    raise BenchError(f"{each.refused} refused, {each.broken} broken")
            say(f"  {seats.per_second:,.0f} seats/s, {plain.per_second:,.0f} burns/s")
            pairs.append((seats.per_second, plain.per_second))
    verify(settings)
    return [
        ratio_row(
            "seats_burned",
            statistics.mean(seats for seats, _ in pairs),
            "seats/s",
            against="plain burns/s",
            reference=statistics.mean(plain for _, plain in pairs),
            at_least=GOAL_RATIO,
        )
    ]


def run(people: int, seats: int, seconds: int, rounds: int) -> list[Row]:
    """The whole measurement."""
    url = server_url(Path("var"))
    found = machine.facts(url)
    machine.refuse_unless_durable(found)
    say("\n".join(f"{name}: {value}" for name, value in found.items()))
    with (
        tempfile.TemporaryDirectory() as folder,
        fresh_database(url, "bench_seats") as settings,
    ):
        asyncio.run(_activate(settings))
        say(f"seeding {WALLETS:,} wallets")
        token = seed(settings.database_url or "", wallets=WALLETS, offers=OFFERS)
        grow_log(url)
        rows = on_sale(settings, people, seats, Path(folder))
        if seconds:
            rows += burnt(settings, token, seconds, rounds, Path(folder))
    return rows


@click.command()
@click.option("--json", "as_json", is_flag=True, help="One JSON object per row.")
@click.option("--people", default=5_000, show_default=True)
@click.option("--seats", default=1_000, show_default=True)
@click.option("--seconds", default=4, show_default=True, help="Of each load of burns; 0: none.")
@click.option("--rounds", default=3, show_default=True)
def main(as_json: bool, people: int, seats: int, seconds: int, rounds: int) -> None:
    """Sell seats to a crowd; burn for seats and plainly in turns."""
    try:
        rows = run(people, seats, seconds, rounds)
    except BenchError as error:
        say(f"error: {error}")
        sys.exit(1)
    tell(rows, as_json=as_json)


if __name__ == "__main__":
    main()
