"""Several statements together: that they follow one another, and what there is to say of them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import pairwise
from pathlib import Path

from settlement.statements.verify.checker import verify
from settlement.statements.verify.findings import Verified


def check_chain(found: Iterable[Verified]) -> list[str]:
    """What is wrong between statements: those of a member have to follow one another."""
    faults = []
    ordered = sorted(found, key=lambda each: (each.member, each.number))
    for before, after in pairwise(ordered):
        if before.member != after.member:
            continue
        names = f"{before.name} and {after.name}"
        if after.number == before.number:
            faults.append(f"{names}: two statements of {after.member} have number {after.number}")
        elif after.number != before.number + 1:
            gap = f"{before.number + 1} to {after.number - 1}"
            faults.append(f"{names}: statements {gap} of {after.member} are missing between them")
        elif after.prior != before.digest:
            faults.append(
                f"{names}: number {after.number} does not follow on this number {before.number}"
            )
        if before.public_key != after.public_key:
            faults.append(f"{names}: signed with different keys")
    return faults


def report(found: Sequence[Verified], chain: Sequence[str]) -> list[str]:
    """What there is to say, line by line."""
    told = []
    for each in found:
        verdict = "right" if each.right else "WRONG"
        told.append(
            f"{verdict}  {each.name}: statement {each.number} of {each.member}, "
            f"{each.subject} {each.reference}, {each.lines} lines"
        )
        told += [f"         net {_amount(net)} {unit}" for unit, net in each.nets.items()]
        told += [f"         {fault}" for fault in each.faults]
        if each.more:
            told.append(f"         and {each.more} more")
    keys = sorted({each.public_key for each in found if each.public_key})
    told += [f"key    {key}" for key in keys]
    told += [f"WRONG  chain: {fault}" for fault in chain]
    return told


def _amount(micros: int) -> str:
    units, rest = divmod(abs(micros), 1_000_000)
    return f"{'-' if micros < 0 else '+'}{units}.{rest:06d}"


def check_files(paths: Sequence[Path], trusted: Sequence[str] = ()) -> tuple[bool, list[str]]:
    """(whether all is right, what there is to say) of these files, together."""
    found = []
    for path in paths:
        with path.open("rb") as file:
            found.append(verify(path.name, file, trusted))
    chain = check_chain(each for each in found if each.member)
    return all(each.right for each in found) and not chain, report(found, chain)
