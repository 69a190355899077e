"""Processor time of processes and all they started: what stays true on a machine that is shared."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress

import psutil

from bench.server import query


def of_trees(roots: Iterable[int]) -> float:
    """Seconds of processor that these processes (ids) and everything below them have used."""
    return sum(_of_tree(pid) for pid in roots)


def _of_tree(pid: int) -> float:
    spent = 0.0
    with suppress(psutil.Error):
        root = psutil.Process(pid)
        for each in (root, *root.children(recursive=True)):
            with suppress(psutil.Error):
                times = each.cpu_times()
                spent += times.user + times.system + times.children_user + times.children_system
    return spent


def children() -> list[int]:
    """Process ids of what this process has started and still runs."""
    return [each.pid for each in psutil.Process().children()]


def server(url: str) -> int | None:
    """Process id of the server, None where it is not on this machine (or not to be seen)."""
    folder = str(query(url, "select current_setting('data_directory')")[0][0])
    for each in psutil.process_iter(["name", "cwd"]):
        if not (each.info["name"] or "").startswith("postgres") or each.info["cwd"] != folder:
            continue
        with suppress(psutil.Error):
            above = each.parent()
            if above is None or not above.name().startswith("postgres"):
                return int(each.pid)
    return None
