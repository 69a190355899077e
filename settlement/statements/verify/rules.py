"""What lines come to, by the rules of docs/statements.md: arithmetic of its own."""

from __future__ import annotations

from settlement.statements.verify.reading import Record

Amounts = tuple[int, int, int]
"""What a line changes, in micros: the member's net, its pool, the operator's margin."""


def place_of(line: str) -> tuple[int, int, str]:
    """Where a line stands: obligations by id and wallet, then debts by id."""
    first, _, last = line.partition(":")
    return (1, int(last), "") if first == "debt" else (0, int(last), first)


def bases(record: Record) -> list[tuple[str, str, int]]:
    """What fees are charged on: (contract, side, micros)."""
    found: list[tuple[str, str, int]] = []
    if record["kind"] not in ("capture", "refund"):
        return found
    if record.get("contract") is not None and record.get("funded_micros") is not None:
        found.append((record["contract"], "issuer", record["funded_micros"]))
    if record.get("acceptor_contract") is not None and record.get("cost_micros") is not None:
        found.append((record["acceptor_contract"], "acceptor", record["cost_micros"]))
    return found


def fee(base_micros: int, bps: int) -> int:
    """Cut off at the micro, with the sign of the base."""
    whole = abs(base_micros) * bps // 10_000
    return whole if base_micros >= 0 else -whole


def effects(record: Record, *, operator: bool) -> Amounts:
    """What a line changes for its reader; ValueError where an amount of its own is missing."""
    side, kind = record["side"], record["kind"]
    if kind in ("debt", "adjustment"):
        amount = record["amount_micros"]
        return (-amount if side == "debtor" else amount, 0, 0)
    funded, cost = record.get("funded_micros"), record.get("cost_micros")
    issuer, acceptor = side in ("issuer", "both"), side in ("acceptor", "both")
    if (issuer and funded is None) or (acceptor and cost is None):
        raise ValueError("the amount of its own side is missing")
    from_pool = kind == "expiry" or (kind != "issuance" and record["funding"] == "issuance")
    member = pool = margin = 0
    if issuer:
        pool = {True: -1, False: int(kind == "issuance")}[from_pool] * (funded or 0)
        member = 0 if from_pool else -(funded or 0)
    if acceptor:
        member += cost or 0
    if operator and kind != "issuance":
        margin = (funded or 0) - (cost or 0)
    return member, pool, margin


def part_price(contract: Record, funding: str) -> int:
    """What a payer, the issuer or its pool, pays for a point under a contract, in micros."""
    price: int = contract["price_micros"]
    shares = {"redemption": 0, "issuance": 10_000, "mixed": contract["pooled_bps"]}
    pooled: int = price * shares[contract["funding"]] // 10_000
    return pooled if funding == "issuance" else price - pooled
