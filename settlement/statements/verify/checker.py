"""Takes the records of one statement in order, and reckons all that it states again."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from typing import IO

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from settlement.statements.verify.findings import Sums, Verified
from settlement.statements.verify.reading import FORMAT, ORDER, Broken, Record, read, records
from settlement.statements.verify.rules import Amounts, bases, effects, fee, part_price, place_of

ONCE = {"statement", "end", "signature"}
FeeKey = tuple[str, str, str, str]
"""Window, contract, side and currency."""


class Checker:
    """Takes the records of one statement in order and notes every fault."""

    def __init__(self, name: str, trusted: Sequence[str]) -> None:
        self.found = Verified(name)
        self._trusted = trusted
        self._prior: str | None = None
        self._previous = b""
        self._place = 0
        self._count: dict[str, int] = {}
        self._contracts: dict[str, Record] = {}
        self._bases: dict[FeeKey, int] = {}
        self._fees: dict[FeeKey, Record] = {}
        self._sums: dict[str, Sums] = {}
        self._stated: dict[str, Record] = {}
        self._legs: dict[str, int] = {}
        self._windows: set[str] = set()
        self._last_line: tuple[int, int, str] = (-1, -1, "")
        self._is_operator = False

    def take(self, number: int, text: bytes) -> None:
        """One record."""
        record = read(number, text)
        kind = record["record"]
        place = ORDER.index(kind)
        if place < self._place or (kind in ONCE and kind in self._count):
            self.found.fault(f"line {number}: a record {kind} has no place here")
        if not self._count and kind != "statement":
            raise Broken(f"line {number}: a statement begins with the record `statement`")
        self._place = max(place, self._place)
        self._count[kind] = self._count.get(kind, 0) + 1
        if kind != "statement" and record.get("prior") != self._prior:
            self.found.fault(
                f"line {number}: the record before it was changed, dropped or put in "
                f"(its digest is {self._prior}, not {record.get('prior')})"
            )
        try:
            getattr(self, f"_{kind}")(number, record)
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            self.found.fault(f"line {number}: the record {kind} is not whole: {error!r}")
        self._previous, self._prior = text, hashlib.sha256(text).hexdigest()

    def finish(self) -> Verified:
        """After the last record."""
        found = self.found
        for kind in ("statement", "window", "end", "signature"):
            if kind not in self._count:
                found.fault(f"there is no record {kind}")
        found.digest = self._prior or ""
        found.lines = self._count.get("line", 0)
        try:
            self._check_fees()
            self._check_sums()
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            found.fault(f"fees and sums cannot be reckoned: {error!r}")
        return found

    # -- one method per record ---------------------------------------------------------------------

    def _statement(self, number: int, record: Record) -> None:
        if record["format"] != FORMAT:
            raise Broken(f"line {number}: format {record['format']} is not known, only {FORMAT}")
        found = self.found
        found.member, found.number = record["member"]["slug"], int(record["number"])
        found.subject, found.reference = record["subject"], record["reference"]
        found.prior = record["prior"]
        self._is_operator = record["operator"] == found.member
        if (found.number == 1) != (found.prior is None):
            found.fault(f"line {number}: the first statement of a member, and no other, has none "
                        "before it")  # fmt: skip

    def _window(self, number: int, record: Record) -> None:
        self._windows.add(record["window"])

    def _contract(self, number: int, record: Record) -> None:
        if record["contract"] in self._contracts:
            self.found.fault(f"line {number}: contract {record['contract']} is there twice")
        self._contracts[record["contract"]] = record

    def _line(self, number: int, record: Record) -> None:
        place = place_of(record["line"])
        if place <= self._last_line:
            self.found.fault(f"line {number}: {record['line']} is there twice or out of order")
        self._last_line = place
        if record["window"] not in self._windows:
            self.found.fault(f"line {number}: {record['line']} is of a window that is not named")
        self._check_price(number, record)
        found = effects(record, operator=self._is_operator)
        stated = tuple(record[f"{each}_micros"] for each in ("member", "pool", "margin"))
        if found != stated:
            self.found.fault(
                f"line {number}: {record['line']} states (member, pool, margin) {stated}; "
                f"its amounts give {found}"
            )
        self._add(record, found)

    def _fee(self, number: int, record: Record) -> None:
        at = (record["window"], record["contract"], record["side"], record["currency"])
        if at in self._fees:
            self.found.fault(f"line {number}: a fee of {at[1]} is there twice")
        self._fees[at] = record

    def _sum(self, number: int, record: Record) -> None:
        if record["currency"] in self._stated:
            self.found.fault(f"line {number}: {record['currency']} is summed twice")
        self._stated[record["currency"]] = record

    def _leg(self, number: int, record: Record) -> None:
        sign = -1 if record["net_micros"] < 0 else 1
        paid = sign * record["amount_minor"] * 10 ** (6 - record["digits"])
        if paid + record["remainder_micros"] != record["net_micros"]:
            self.found.fault(
                f"line {number}: leg {record['reference']}: what is paid and the remainder do not "
                "make its net"
            )
        currency = record["currency"]
        self._legs[currency] = self._legs.get(currency, 0) + record["net_micros"]

    def _end(self, number: int, record: Record) -> None:
        if record["lines"] != self._count.get("line", 0):
            self.found.fault(
                f"line {number}: it states {record['lines']} lines, and there are "
                f"{self._count.get('line', 0)}"
            )

    def _signature(self, number: int, record: Record) -> None:
        found = self.found
        found.public_key = str(record["public_key"])
        try:
            if record["algorithm"] != "Ed25519":
                raise ValueError("another algorithm")
            raw = base64.b64decode(record["public_key"], validate=True)
            value = base64.b64decode(record["value"], validate=True)
            Ed25519PublicKey.from_public_bytes(raw).verify(value, self._previous)
        except (InvalidSignature, ValueError):
            found.fault(f"line {number}: the signature does not fit: the statement was changed")
        if self._trusted and found.public_key not in self._trusted:
            found.fault(
                f"line {number}: signed with the key {found.public_key}, which is not the house's"
            )

    # -- reckoning ---------------------------------------------------------------------------------

    def _check_price(self, number: int, record: Record) -> None:
        """Points times the price of the contract are what the points are worth."""
        reference, funded = record.get("contract"), record.get("funded_micros")
        own = record.get("acceptor_contract")
        for each in (reference, own):
            if each is not None and each not in self._contracts:
                self.found.fault(f"line {number}: contract {each} is not in the statement")
        if reference is None or funded is None or reference not in self._contracts:
            return
        contract = self._contracts[reference]
        price = part_price(contract, record["funding"])
        if record["price_micros"] != price or record["currency"] != contract["currency"]:
            self.found.fault(
                f"line {number}: {record['line']} has another price or currency than contract "
                f"{reference}"
            )
        if funded != record["points"] * price:
            self.found.fault(
                f"line {number}: {record['line']}: {record['points']} points at {price} micros "
                f"are not {funded}"
            )

    def _add(self, record: Record, amounts: Amounts) -> None:
        sums = self._sums.setdefault(record["currency"], Sums())
        sums.lines += 1
        if record["frozen"]:
            sums.frozen += 1
            return
        member, pool, margin = amounts
        cost = record.get("cost_micros", 0) if record["side"] == "both" else 0
        for piece in (member - cost, cost):
            sums.owes_micros += max(-piece, 0)
            sums.owed_micros += max(piece, 0)
        sums.points += 0 if record["shared"] else record["points"]
        sums.pool_micros += pool
        sums.margin_micros += margin
        for contract, side, base in bases(record):
            at = (record["window"], contract, side, record["currency"])
            self._bases[at] = self._bases.get(at, 0) + base

    def _check_fees(self) -> None:
        due = {
            at: base
            for at, base in self._bases.items()
            if self._contracts.get(at[1], {}).get("fee_bps")
        }
        for at in sorted(due.keys() | self._fees.keys()):
            _, contract, side, currency = at
            base, terms = due.get(at, 0), self._contracts.get(contract, {})
            rate = terms.get("fee_bps", 0)
            charged, stated = fee(base, rate), self._fees.get(at, {})
            if (stated.get("base_micros"), stated.get("fee_micros")) != (base, charged):
                self.found.fault(
                    f"fee of contract {contract} as {side}: {rate} bps of {base} micros "
                    f"{currency} are {charged}, not {stated.get('fee_micros')} of "
                    f"{stated.get('base_micros')}"
                )
            sums = self._sums.setdefault(currency, Sums())
            if terms.get("member") == self.found.member:
                sums.fee_micros += charged
            if self._is_operator:
                sums.margin_micros += charged

    def _check_sums(self) -> None:
        for currency in sorted(self._sums.keys() | self._stated.keys()):
            sums = self._sums.get(currency, Sums())
            stated = self._stated.get(currency, {})
            self.found.nets[currency] = sums.net_micros
            for name in (*Sums.__dataclass_fields__, "net_micros"):
                if stated.get(name) != getattr(sums, name):
                    self.found.fault(
                        f"sum of {currency}: {name} is {getattr(sums, name)} by the lines, and "
                        f"stated as {stated.get(name)}"
                    )
        if self.found.subject != "settlement":
            return
        for currency in sorted(self._sums.keys() | self._legs.keys()):
            sums = self._sums.get(currency, Sums())
            # What the operator earns is paid to it with what its own trade brings.
            due = sums.net_micros + sums.margin_micros
            if self._legs.get(currency, 0) != due:
                self.found.fault(
                    f"legs in {currency} settle {self._legs.get(currency, 0)} micros, and {due} "
                    "are due"
                )


def verify(name: str, file: IO[bytes], trusted: Sequence[str] = ()) -> Verified:
    """Check one statement. `trusted`: public keys (base64); none given: any key may have signed."""
    checker = Checker(name, trusted)
    try:
        for number, text in records(file):
            checker.take(number, text)
    except Broken as error:
        checker.found.fault(str(error))
        return checker.found
    return checker.finish()
