"""What burns cost where everybody wants the same, where wallets have many lots, and over time.

    python -m bench.hot [--json] [--seconds N] [--rounds N] [--lots N] [--memory-seconds N]

Each figure is the median of rounds that take turns with rounds of the usual load, on the same
server: what it is and how it is read, docs/operations/performance.md. Exit status as bench.burns.
"""

from __future__ import annotations

import statistics
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path

import click
import msgspec
import psutil

from bench import load, machine
from bench.burns import MOST_FAILED, prepare_log, say
from bench.load import Load, Target
from bench.reference import OFFERS, WALLETS
from bench.rows import Row, ratio_row, tell, turns_row
from bench.seed import BURN_MICROS, ISSUERS, LOTS_PER_WALLET, RAISE_CAP, seed
from bench.server import (
    BenchError,
    fresh_database,
    prove_ledger,
    query,
    server_url,
    serving,
)
from marketplace.settings import Settings

PROCESSES = 2
CLIENTS = 64
HOT_CLIENTS = 8
"""Clients that all burn from one wallet, beside CLIENTS that burn from all."""
WARM_UP_S = 10
GOAL = 0.8
CAP_ROOM = 4_000
"""Burns that are left until the hot issuer's cap, kept up while they come: some batches' worth."""
RAISE_EVERY_S = 0.05
LAST_ROOM = 50
"""Burns that are left until the cap when it is proved that it holds."""
MEMORY_CLIENTS = 32
MOST_MEMORY_MB = 200
MOST_GROWTH = 1.05
SAMPLES = 20
"""Looks at the memory during a run; the first quarter is what the end is compared with."""

STOCKED = Target(0, "", WALLETS, 5, first_offer=5)
"""Everybody wants offer 5, the first with stock."""
CAPPED = Target(0, "", WALLETS, OFFERS, first_wallet=3, wallet_step=ISSUERS)
"""Wallets whose oldest lot is of issuer 1, whose cap every burn counts towards."""
HOT_WALLET = Target(0, "", 7, OFFERS, first_wallet=7)
USUAL = Target(0, "", WALLETS, OFFERS)

Run = Callable[[str], Load]
"""Loads a server for one round; keys begin with the name given."""


class Stage(msgspec.Struct, frozen=True):
    """A seeded marketplace that is being served."""

    settings: Settings
    port: int
    token: str

    def at(self, target: Target) -> Target:
        """The same load, on this server."""
        return msgspec.structs.replace(target, port=self.port, token=self.token)


@contextmanager
def stage(
    url: str,
    name: str,
    *,
    processes: int = PROCESSES,
    lots: int = LOTS_PER_WALLET,
    capped: bool = False,
) -> Iterator[Stage]:
    """A fresh marketplace, seeded and served for the length of the block."""
    with fresh_database(url, f"bench_{name}") as settings:
        say(f"seeding {WALLETS:,} wallets of {lots} lots each")
        own = settings.database_url or ""
        token = seed(own, wallets=WALLETS, offers=OFFERS, lots=lots, capped=capped)
        log = Path(tempfile.gettempdir()) / f"bench-{name}.log"
        with serving(settings, log, "--processes", str(processes), "--no-background") as port:
            made = Stage(settings, port, token)
            warm = made.at(USUAL)
            load.run(warm, clients=CLIENTS, seconds=WARM_UP_S, name=f"{name}-warm")
            yield made


def loading(on: Stage, target: Target, seconds: int, *, clients: int = CLIENTS) -> Run:
    """Rounds of this load."""
    return lambda name: load.run(on.at(target), clients=clients, seconds=seconds, name=name)


def beside(others: Run, few: Run) -> Run:
    """Rounds of `others` while `few` runs too; what is measured is the others."""

    def both(name: str) -> Load:
        with ThreadPoolExecutor(1) as pool:
            waiting = pool.submit(few, f"{name}-few")
            found = others(name)
            _require_answers(f"{name}-few", waiting.result())
        return found

    return both


def near_cap(on: Stage, burns: Run) -> Run:
    """Rounds of `burns` while the capped issuer is always close to its cap, and never at it."""
    url = on.settings.database_url or ""

    def keep_up(over: threading.Event) -> None:
        while not over.wait(RAISE_EVERY_S):
            leave_room(url, CAP_ROOM)

    def run(name: str) -> Load:
        leave_room(url, CAP_ROOM)
        over = threading.Event()
        with ThreadPoolExecutor(1) as pool:
            raising = pool.submit(keep_up, over)
            try:
                return burns(name)
            finally:
                over.set()
                raising.result()

    return run


def leave_room(url: str, burns: int) -> None:
    """Set the cap of the capped issuer so many burns above what it owes."""
    query(url, RAISE_CAP, burns * BURN_MICROS)


def prove_cap(on: Stage) -> None:
    """Raise BenchError unless the cap lets as many burns through as there is room for, no more."""
    leave_room(on.settings.database_url or "", LAST_ROOM)
    one = loading(on, CAPPED, 2)("at-the-cap")
    accepted = one.requests - one.refused
    if one.broken or accepted != LAST_ROOM:
        raise BenchError(f"{accepted} burns were accepted where {LAST_ROOM} reach the cap")


def take_turns(rounds: int, runs: dict[str, Run]) -> dict[str, list[Load]]:
    """`rounds` of each, one after the other, so that all share what else the machine does."""
    found: dict[str, list[Load]] = {name: [] for name in runs}
    for number in range(rounds):
        for name, run in runs.items():
            one = run(f"{name}-{number}")
            _require_answers(name, one)
            found[name].append(one)
            say(f"  {name}: {one.per_second:,.0f}/s, p99 {one.p99_us / 1000:.2f} ms")
    return found


def _require_answers(name: str, one: Load) -> None:
    if one.failed_share > MOST_FAILED:
        raise BenchError(f"{name}: {one.refused} refused, {one.broken} broken of {one.requests}")


def judge(found: dict[str, list[Load]], row: str, usual: str) -> Row:
    """Burns per second of `row` against those of `usual`, in turns."""
    return turns_row(
        row,
        [each.per_second for each in found[row]],
        "burns/s",
        against=usual,
        references=[each.per_second for each in found[usual]],
        at_least=GOAL,
    )


def prove(on: Stage, *, verify: bool = True) -> None:
    """Raise BenchError unless wallets hold what their burns do, and the ledger is right."""
    wrong = query(
        on.settings.database_url or "",
        "select count(*) from wallet w where held <> (select coalesce(sum(points), 0) from burn b"
        " where b.wallet_id = w.id and b.status = 'held') and id = $1",
        load.WALLET_ID.format(HOT_WALLET.first_wallet),
    )
    if wrong[0][0]:
        raise BenchError("the hot wallet does not hold the points of its burns")
    if not verify:
        return
    prove_ledger(on.settings)


def contention(url: str, seconds: int, rounds: int) -> list[Row]:
    """One hot offer with stock, one capped issuer and one hot wallet, against the usual."""
    with ExitStack() as stack:
        plain = stack.enter_context(stage(url, "hot"))
        capped = stack.enter_context(stage(url, "capped", capped=True))
        others = loading(plain, USUAL, seconds)
        few = loading(plain, USUAL, seconds, clients=HOT_CLIENTS)
        hot = loading(plain, HOT_WALLET, seconds, clients=HOT_CLIENTS)
        found = take_turns(
            rounds,
            {
                "usual": loading(plain, USUAL, seconds),
                "hot_offer": loading(plain, STOCKED, seconds),
                "hot_issuer": near_cap(capped, loading(capped, CAPPED, seconds)),
                "usual_with_8_more": beside(others, few),
                "others_beside_hot_wallet": beside(others, hot),
            },
        )
        prove_cap(capped)
        prove(plain)
        prove(capped)
    return [
        judge(found, "hot_offer", "usual"),
        judge(found, "hot_issuer", "usual"),
        judge(found, "others_beside_hot_wallet", "usual_with_8_more"),
    ]


def many_lots(url: str, seconds: int, rounds: int, lots: int) -> list[Row]:
    """Burns where there are `lots` lots in all, against three for each wallet."""
    each = max(lots // WALLETS, 1)
    with stage(url, "few_lots") as few, stage(url, "many_lots", lots=each) as many:
        found = take_turns(
            rounds,
            {
                "usual": loading(few, USUAL, seconds),
                f"lots_{each * WALLETS}": loading(many, USUAL, seconds),
            },
        )
        prove(many, verify=False)
    return [judge(found, f"lots_{each * WALLETS}", "usual")]


def memory(url: str, seconds: int) -> list[Row]:
    """Memory of one API process under load, and how it grows after the first quarter."""
    with stage(url, "memory", processes=1) as made:
        process = _serving_process(made.port)
        samples: list[float] = []
        over = threading.Event()

        def look() -> None:
            while not over.wait(seconds / SAMPLES):
                samples.append(process.memory_info().rss / 1_048_576)

        thread = threading.Thread(target=look, name="memory")
        thread.start()
        run = loading(made, USUAL, seconds, clients=MEMORY_CLIENTS)
        _require_answers("memory", run("memory"))
        over.set()
        thread.join()
    say("  MB: " + " ".join(f"{each:.0f}" for each in samples))
    return judge_memory(samples)


def _serving_process(port: int) -> psutil.Process:
    """The process of ours that listens on this port and has no children: the one that answers."""
    ours = psutil.Process().children(recursive=True)
    for process in reversed(ours):
        if any(each.laddr.port == port for each in process.net_connections("tcp")):
            return process
    raise BenchError(f"no process listens on {port}")


def judge_memory(samples: Sequence[float]) -> list[Row]:
    """Most memory in MB against the goal, and the end against the first quarter."""
    quarter = max(len(samples) // 4, 1)
    first = statistics.median(samples[:quarter])
    last = statistics.median(samples[-quarter:])
    return [
        ratio_row(
            "api_memory", max(samples), "MB", against="MB", reference=MOST_MEMORY_MB, at_most=1.0
        ),
        ratio_row(
            "api_memory_growth",
            last,
            "MB",
            against="first quarter of the run, MB",
            reference=first,
            at_most=MOST_GROWTH,
        ),
    ]


def run(seconds: int, rounds: int, lots: int, memory_s: int) -> list[Row]:
    """The whole measurement; without lots or memory where they are 0."""
    url = server_url(Path("var"))
    found = machine.facts(url)
    machine.refuse_unless_durable(found)
    say("\n".join(f"{name}: {value}" for name, value in found.items()))
    prepare_log(url)
    rows = contention(url, seconds, rounds)
    if lots:
        rows += many_lots(url, seconds, rounds, lots)
    if memory_s:
        rows += memory(url, memory_s)
    return rows


@click.command()
@click.option("--json", "as_json", is_flag=True, help="One JSON object per row.")
@click.option("--seconds", default=5, show_default=True, help="Length of each round.")
@click.option("--rounds", default=5, show_default=True, help="Of each load.")
@click.option("--lots", default=10_000_000, show_default=True, help="In all; 0: leave it out.")
@click.option("--memory-seconds", default=60, show_default=True, help="600 for the goal; 0: not.")
def main(as_json: bool, seconds: int, rounds: int, lots: int, memory_seconds: int) -> None:
    """Measure burns under contention, with many lots, and the memory they need."""
    try:
        rows = run(seconds, rounds, lots, memory_seconds)
    except BenchError as error:
        say(f"error: {error}")
        sys.exit(1)
    tell(rows, as_json=as_json)


if __name__ == "__main__":
    main()
