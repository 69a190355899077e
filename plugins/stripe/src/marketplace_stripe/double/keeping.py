"""The state of the double in a file, so that it goes on where it was stopped, however it was."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import msgspec

from marketplace_stripe.double.world import World


class Kept(msgspec.Struct):
    """What the world holds."""

    account: str
    ahead_s: int
    objects: dict[str, dict[str, Any]]
    lines: list[dict[str, Any]]
    moods: dict[str, str]
    restricted: list[str]


def load(world: World, path: Path) -> bool:
    """Fill a world from a file; False where there is none."""
    try:
        kept = msgspec.json.decode(path.read_bytes(), type=Kept)
    except FileNotFoundError:
        return False
    world.account, world.ahead_s = kept.account, kept.ahead_s
    world.objects, world.lines, world.moods = kept.objects, kept.lines, kept.moods
    world.restricted = set(kept.restricted)
    return True


def save(world: World, path: Path) -> None:
    """Write a world to a file: the old one or the new one is there, never half of it."""
    with world.lock:
        content = msgspec.json.encode(
            Kept(
                account=world.account,
                ahead_s=world.ahead_s,
                objects=world.objects,
                lines=world.lines,
                moods=world.moods,
                restricted=sorted(world.restricted),
            )
        )
    path.parent.mkdir(parents=True, exist_ok=True)
    half = path.with_name(f"{path.name}.half")
    with half.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    half.replace(path)
