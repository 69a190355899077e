"""Gives codes: the supplier the exchange orders from."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime, time

from sqlalchemy.orm import Session

from marketplace.api import (
    Artefact,
    Fulfilled,
    Health,
    Host,
    NeverOrdered,
    Order,
    Outcome,
    Rejected,
)
from marketplace_giftfund import repository, service
from marketplace_giftfund.repository import GivenCode

OUT_OF_CODES = "out of codes"


class GiftFund:
    """Delivers each unit as one code, oldest expiry first. An order gets all its codes or none."""

    slug = "giftfund"
    takes_trials = True
    """A trial order takes no code from any pool."""

    def __init__(self, host: Host) -> None:
        self._host = host

    def fulfil(self, orders: Sequence[Order]) -> Sequence[Outcome]:
        """Give codes to orders not answered before; answer the others as they were answered."""
        trials = [_trial(each) for each in orders if each.sandbox]
        orders = [each for each in orders if not each.sandbox]
        if not orders:
            return trials
        with self._host.transaction() as session:
            new = repository.add_orders(session, orders)
            given = self._give(session, [each for each in orders if each.reference in new])
            known = self._answers(session, [each for each in orders if each.reference not in new])
            return trials + given + known

    def lookup(self, orders: Sequence[Order]) -> Sequence[Outcome]:
        """What these orders were answered; NeverOrdered where they were not."""
        with self._host.transaction() as session:
            return self._answers(session, orders)

    def health(self) -> Health:
        """That the pools can be read; which of them are empty."""
        empty = [each.sku for each in service.pools(self._host) if each.free == 0]
        return Health(ok=True, message=f"empty pools: {', '.join(empty)}" if empty else "")

    def _give(self, session: Session, orders: Sequence[Order]) -> list[Outcome]:
        if not orders:
            return []
        wanted: dict[str, int] = {}
        for each in orders:
            wanted[each.sku] = wanted.get(each.sku, 0) + each.quantity
        now = self._host.now(session)
        free = repository.claim_codes(session, wanted, now.date())
        answers: list[Outcome] = []
        gifts: list[tuple[int, str, int]] = []
        refused: list[str] = []
        for each in orders:
            mine, left = free[each.sku][: each.quantity], free[each.sku][each.quantity :]
            if len(mine) < each.quantity:  # a smaller order may still be served
                refused.append(each.reference)
                answers.append(Rejected(reference=each.reference, reason=OUT_OF_CODES))
                continue
            free[each.sku] = left
            gifts += [(code.id, each.reference, unit) for unit, code in enumerate(mine)]
            answers.append(self._fulfilled(each.reference, mine))
        if gifts:
            repository.give(session, gifts)
        if refused:
            repository.refuse(session, refused)
        service.warn_low(self._host, session, wanted, now)
        return answers

    def _answers(self, session: Session, orders: Sequence[Order]) -> list[Outcome]:
        if not orders:
            return []
        references = [each.reference for each in orders]
        given = repository.answers(session, references)
        codes = repository.codes_of(session, references)
        answers: list[Outcome] = []
        for reference in references:
            if reference not in given:
                answers.append(NeverOrdered(reference=reference))
            elif not given[reference]:
                answers.append(Rejected(reference=reference, reason=OUT_OF_CODES))
            else:
                answers.append(self._fulfilled(reference, codes[reference]))
        return answers

    def _fulfilled(self, reference: str, codes: Sequence[GivenCode]) -> Fulfilled:
        return Fulfilled(
            reference=reference,
            supplier_reference=f"GF-{codes[0].id}",
            artefacts=tuple(
                Artefact(
                    kind="code",
                    label=each.label or each.sku,
                    secret=self._host.decrypt(each.secret.encode()),
                    expires_at=_end_of(each.expires_on),
                )
                for each in codes
            ),
        )


def _trial(order: Order) -> Outcome:
    """How a delivery looks; the codes are worth nothing."""
    codes = (f"TRIAL-{unit + 1}" for unit in range(order.quantity))
    return Fulfilled(
        reference=order.reference,
        supplier_reference="trial",
        artefacts=tuple(Artefact(kind="code", label=order.sku, secret=code) for code in codes),
    )


def _end_of(day: date | None) -> datetime | None:
    return datetime.combine(day, time.max, tzinfo=UTC) if day else None
