"""Decrypting codes one by one: one that this process cannot read holds up no other.

While processes restart with a new key in front, a code uploaded under it cannot be read by those
that have the older keys only; a spoilt one can be read by none.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, time
from typing import Final

from sqlalchemy.orm import Session

from marketplace.api import Artefact, Host, MarketplaceError
from marketplace_giftfund import repository
from marketplace_giftfund.repository import GivenCode

log = logging.getLogger(__name__)

UNREADABLE: Final = "secret_unreadable"
"""The code of the error by which the house says that no key fits."""

Readable = tuple[int, Artefact]
"""A free code's id and what the participant gets."""


class Reader:
    """Reads codes, and remembers the free ones that cannot be read as long as the process lives:
    its keys never change.
    """

    def __init__(self, host: Host) -> None:
        self._host = host
        self._unreadable: dict[str, set[int]] = {}

    def unreadable(self) -> int:
        """How many free codes this process came upon and could not read."""
        return sum(map(len, tuple(self._unreadable.values())))

    def still_free(self, session: Session, sku: str, today: date) -> int:
        """How many of them, of one sku, nobody else has given since."""
        known = self._passed([sku])
        if not known:
            return 0
        free = repository.still_free(session, known, today)
        self._unreadable[sku].intersection_update(free)
        return len(free)

    def artefact(self, code: GivenCode) -> Artefact | None:
        """What the participant gets; None where no key of this process fits."""
        try:
            secret = self._host.decrypt(code.secret.encode())
        except MarketplaceError as error:
            if error.code != UNREADABLE:
                raise
            return None
        return Artefact(
            kind="code",
            label=code.label or code.sku,
            secret=secret,
            expires_at=_end_of(code.expires_on),
        )

    def claim(
        self, session: Session, units: Mapping[str, int], today: date
    ) -> dict[str, list[Readable]]:
        """Lock up to so many free codes of each sku that can be read, those that run out first."""
        found: dict[str, list[Readable]] = {sku: [] for sku in units}
        missing = dict(units)
        while missing:
            # What this transaction has locked it would be given again.
            without = [code_id for sku in missing for code_id, _ in found[sku]]
            without += self._passed(missing)
            again: dict[str, int] = {}
            claimed = repository.claim_codes(session, missing, today, without=without)
            for sku, codes in claimed.items():
                readable, spoilt = self._sorted(codes)
                found[sku] += readable
                if spoilt:
                    self._pass_over(session, sku, spoilt)
                    self._look_further(session, sku, len(spoilt), today)
                    if (lacking := units[sku] - len(found[sku])) > 0:
                        again[sku] = lacking
            missing = again
        return found

    def _look_further(self, session: Session, sku: str, spoilt: int, today: date) -> None:
        """Find what else at the head of a pool cannot be read, more at each look."""
        while True:
            spoilt *= 2
            codes = repository.claim_codes(
                session, {sku: spoilt}, today, without=self._passed([sku]), lock=False
            )[sku]
            _, more = self._sorted(codes)
            if not more:
                return
            self._pass_over(session, sku, more)

    def _passed(self, skus: Mapping[str, int] | Sequence[str]) -> list[int]:
        return [each for sku in skus for each in tuple(self._unreadable.get(sku, ()))]

    def _sorted(self, codes: Sequence[GivenCode]) -> tuple[list[Readable], list[int]]:
        """Codes that can be read, and the ids of those that cannot."""
        read = [(code.id, self.artefact(code)) for code in codes]
        return (
            [(code_id, artefact) for code_id, artefact in read if artefact],
            [code_id for code_id, artefact in read if artefact is None],
        )

    def _pass_over(self, session: Session, sku: str, ids: Sequence[int]) -> None:
        known = self._unreadable.setdefault(sku, set())
        new = sorted(set(ids) - known)
        known.update(new)
        if not new:
            return
        log.error(
            "gift fund: %d free codes of pool %s fit none of the secret keys of this process and "
            "are passed over (the first: %d)",
            *(len(new), sku, new[0]),
        )
        self._host.audit(
            session,
            actor="system:giftfund",
            action="codes_unreadable",
            subject=sku,
            codes=len(new),
            first=new[0],
        )


def _end_of(day: date | None) -> datetime | None:
    return datetime.combine(day, time.max, tzinfo=UTC) if day else None
