"""Gives codes: the supplier the exchange orders from."""

from __future__ import annotations

from collections.abc import Sequence

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
    Retry,
    Unknown,
)
from marketplace_giftfund import repository, service
from marketplace_giftfund.reading import Reader

OUT_OF_CODES = "out of codes"
UNREADABLE = "codes that this process has no key for; see docs/operations/running.md, Secret keys"


class GiftFund:
    """Delivers each unit as one code, oldest expiry first. An order gets all its codes or none."""

    slug = "giftfund"
    takes_trials = True
    """A trial order takes no code from any pool."""

    def __init__(self, host: Host) -> None:
        self._host = host
        self._reader = Reader(host)

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
        """That the pools can be read; which are empty, and how many codes cannot be read here."""
        empty = [each.sku for each in service.pools(self._host) if each.free == 0]
        said = [f"empty pools: {', '.join(empty)}"] if empty else []
        if unreadable := self._reader.unreadable():
            said.append(f"unreadable codes passed over: {unreadable}")
        return Health(ok=True, message="; ".join(said))

    def _give(self, session: Session, orders: Sequence[Order]) -> list[Outcome]:
        if not orders:
            return []
        wanted: dict[str, int] = {}
        for each in orders:
            wanted[each.sku] = wanted.get(each.sku, 0) + each.quantity
        now = self._host.now(session)
        free = self._reader.claim(session, wanted, now.date())
        answers: list[Outcome] = []
        gifts: list[tuple[int, str, int]] = []
        refused: list[str] = []
        later: list[str] = []
        unreadable: dict[str, int] = {}
        for each in orders:
            mine, left = free[each.sku][: each.quantity], free[each.sku][each.quantity :]
            if len(mine) < each.quantity:  # a smaller order may still be served
                if each.sku not in unreadable:
                    unreadable[each.sku] = self._reader.still_free(session, each.sku, now.date())
                if len(mine) + unreadable[each.sku] >= each.quantity:
                    # Another process may have the key, or this one after a restart.
                    later.append(each.reference)
                    answers.append(Retry(reference=each.reference, reason=UNREADABLE))
                    continue
                refused.append(each.reference)
                answers.append(Rejected(reference=each.reference, reason=OUT_OF_CODES))
                continue
            free[each.sku] = left
            gifts += [(code_id, each.reference, unit) for unit, (code_id, _) in enumerate(mine)]
            answers.append(_fulfilled(each.reference, mine[0][0], [found for _, found in mine]))
        if gifts:
            repository.give(session, gifts)
        if refused:
            repository.refuse(session, refused)
        if later:
            repository.forget(session, later)
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
                mine = codes[reference]
                read = [self._reader.artefact(each) for each in mine]
                artefacts = [each for each in read if each is not None]
                answers.append(
                    Unknown(reference=reference, reason=UNREADABLE)
                    if len(artefacts) < len(read)
                    else _fulfilled(reference, mine[0].id, artefacts)
                )
        return answers


def _fulfilled(reference: str, first: int, artefacts: Sequence[Artefact]) -> Fulfilled:
    """The answer of an order that has these codes; `first` is the id of one."""
    return Fulfilled(
        reference=reference, supplier_reference=f"GF-{first}", artefacts=tuple(artefacts)
    )


def _trial(order: Order) -> Outcome:
    """How a delivery looks; the codes are worth nothing."""
    codes = (f"TRIAL-{unit + 1}" for unit in range(order.quantity))
    return Fulfilled(
        reference=order.reference,
        supplier_reference="trial",
        artefacts=tuple(Artefact(kind="code", label=order.sku, secret=code) for code in codes),
    )
