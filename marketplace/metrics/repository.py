"""All SQL of metrics, set-wise on raw asyncpg."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

# In order of the key, so that two processes that write at once do not deadlock.
ADD = """
insert into tally (name, plugin, label, value)
select * from unnest($1::text[], $2::text[], $3::text[], $4::float8[]) order by 1, 2, 3
on conflict (name, plugin, label) do update
set value = tally.value + excluded.value, counted_at = statement_timestamp()
"""

PUT = """
insert into tally (name, plugin, label, value)
select * from unnest($1::text[], $2::text[], $3::text[], $4::float8[]) order by 1, 2, 3
on conflict (name, plugin, label) do update
set value = excluded.value, counted_at = statement_timestamp()
"""

# Gauges of processes that are gone.
FORGET = """
delete from tally
where name = any($1::text[]) and counted_at < statement_timestamp() - interval '1 hour'
"""

NOTE = """
insert into plugin_trouble (plugin, kind, words, times)
select * from unnest($1::text[], $2::text[], $3::text[], $4::bigint[]) order by 1, 2
on conflict (plugin, kind) do update
set words = excluded.words, times = plugin_trouble.times + excluded.times,
    last_at = statement_timestamp()
"""

SUMS = """
select name, plugin, label, value,
       counted_at > statement_timestamp() - interval '15 seconds' as fresh
from tally order by name, plugin, label
"""

TROUBLES = """
select plugin, kind, words, times, last_at from plugin_trouble
where last_at > statement_timestamp() - interval '1 day' order by plugin, last_at desc
"""


async def add(connection: Any, sums: Mapping[tuple[str, str, str], float]) -> None:
    """Add to sums by (name, plugin, label)."""
    if sums:
        await connection.execute(ADD, *_columns(sums))


async def put(connection: Any, gauges: Mapping[tuple[str, str, str], float]) -> None:
    """Replace the values of gauges, and forget those of processes long gone."""
    if gauges:
        await connection.execute(PUT, *_columns(gauges))
        await connection.execute(FORGET, sorted({name for name, _, _ in gauges}))


async def note(connection: Any, troubles: Mapping[tuple[str, str], tuple[str, int]]) -> None:
    """Keep the words of troubles by (plugin, kind), with how often each came."""
    if troubles:
        items = list(troubles.items())
        await connection.execute(
            NOTE,
            [plugin for (plugin, _), _ in items],
            [kind for (_, kind), _ in items],
            [words for _, (words, _) in items],
            [times for _, (_, times) in items],
        )


async def sums(connection: Any) -> list[Any]:
    """Every sum and gauge: name, plugin, label, value, fresh."""
    rows: list[Any] = await connection.fetch(SUMS)
    return rows


async def troubles(connection: Any) -> dict[str, list[Any]]:
    """The last day's troubles by plugin, latest first: kind, words, times, last_at."""
    found: dict[str, list[Any]] = {}
    for row in await connection.fetch(TROUBLES):
        found.setdefault(row["plugin"], []).append(row)
    return found


def _columns(values: Mapping[tuple[str, str, str], float]) -> tuple[list[Any], ...]:
    keys = list(values)
    return (
        [name for name, _, _ in keys],
        [plugin for _, plugin, _ in keys],
        [label for _, _, label in keys],
        [float(values[key]) for key in keys],
    )
