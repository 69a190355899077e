"""Issues vouchers for burns: the supplier the exchange orders from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy.orm import Session

from marketplace.api import (
    Artefact,
    Fulfilled,
    Health,
    Host,
    NeverOrdered,
    Order,
    Outcome,
    PlacedOrder,
    Rejected,
)
from marketplace_vouchers import issuing, repository
from marketplace_vouchers.domain import Series
from marketplace_vouchers.repository import IssuedCode

NOT_ISSUED = "this voucher is not issued any more"
MOST_UNITS = 1_000
"""Of one order, as the exchange allows; more are a batch."""
TOO_MANY = "so many vouchers are not issued for one order"
NOT_THE_OWNERS = "the voucher belongs to another partner than the one that sells it"


class Vouchers:
    """Delivers each unit as a new voucher. Nothing runs out: there is no stock."""

    slug = "vouchers"

    def __init__(self, host: Host) -> None:
        self._host = host

    def fulfil(self, orders: Sequence[Order]) -> Sequence[Outcome]:
        """Issue vouchers for orders not answered before; answer the others as they were."""
        if not orders:
            return []
        with self._host.transaction() as session:
            new = repository.add_orders(session, orders)
            if new:
                self._issue(session, [each for each in orders if each.reference in new])
            return self._answers(session, orders)

    def lookup(self, orders: Sequence[Order]) -> Sequence[Outcome]:
        """What these orders were answered; NeverOrdered where they were not."""
        if not orders:
            return []
        with self._host.transaction() as session:
            return self._answers(session, orders)

    def health(self) -> Health:
        """Whether the plugin's tables can be read."""
        with self._host.transaction() as session:
            repository.find_series(session, [""])
        return Health(ok=True)

    def _issue(self, session: Session, orders: Sequence[Order]) -> None:
        now = self._host.now(session)
        known = repository.find_series(session, sorted({each.sku for each in orders}))
        placed = self._host.placed_orders(session, [each.reference for each in orders])
        owners = {sku: self._host.offer_owner(session, sku) for sku in known}
        taken: dict[str, list[tuple[str, int]]] = {}
        for each in orders:
            of = known.get(each.sku)
            reason = _refusal(of, each, placed, owners, now)
            if reason is None:
                taken.setdefault(each.sku, []).append((each.reference, each.quantity))
            else:
                repository.refuse_order(session, each.reference, reason)
        for sku, wanted in taken.items():
            issuing.issue_for_orders(self._host, session, known[sku], wanted, now)

    def _answers(self, session: Session, orders: Sequence[Order]) -> list[Outcome]:
        references = [each.reference for each in orders]
        refusals = repository.answers(session, references)
        codes = repository.codes_of(session, references)
        answers: list[Outcome] = []
        for reference in references:
            if reference not in refusals:
                answers.append(NeverOrdered(reference=reference))
            elif (reason := refusals[reference]) is not None:
                answers.append(Rejected(reference=reference, reason=reason))
            else:
                answers.append(self._fulfilled(reference, codes[reference]))
        return answers

    def _fulfilled(self, reference: str, codes: Sequence[IssuedCode]) -> Fulfilled:
        return Fulfilled(
            reference=reference,
            supplier_reference=f"V-{codes[0].id}",
            artefacts=tuple(
                Artefact(
                    kind="code",
                    label=each.name,
                    secret=self._host.decrypt(each.secret.encode()),
                    expires_at=each.ends_at,
                )
                for each in codes
            ),
        )


def _refusal(
    of: Series | None,
    order: Order,
    placed: Mapping[str, PlacedOrder],
    owners: Mapping[str, UUID | None],
    now: datetime,
) -> str | None:
    """Why an order cannot be delivered, in words for the participant; None where it can.

    Whoever sells somebody else's voucher would be paid for it, and the owner would answer for it.
    """
    if of is None or not of.issues(now):
        return NOT_ISSUED
    if order.quantity > MOST_UNITS:
        return TOO_MANY
    burn = placed.get(order.reference)
    seller = owners.get(order.sku) if burn is None else burn.acceptor_id
    return None if seller in (None, of.owner_id) else NOT_THE_OWNERS
