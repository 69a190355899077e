"""The rail: legs become payment intents and transfers, once each."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import date
from typing import Any, BinaryIO, Final

import msgspec
import stripe
from sqlalchemy.exc import IntegrityError

from marketplace.api import (
    Booked,
    Direction,
    Health,
    Host,
    Leg,
    LegOutcome,
    NeverOrdered,
    NotConfigured,
    Rejected,
    Retry,
    Returned,
    Submitted,
    Unknown,
)
from marketplace_stripe import (
    accounts,
    amounts,
    collecting,
    parts,
    paying,
    records,
    refusals,
    statement,
)
from marketplace_stripe.accounts import Account
from marketplace_stripe.asking import Unclear, at_once, begun_by
from marketplace_stripe.client import account_of, client_of
from marketplace_stripe.parts import Part
from marketplace_stripe.reading import Reading
from marketplace_stripe.records import Payment
from marketplace_stripe.settings import House

log = logging.getLogger(__name__)

SLUG: Final = "stripe"
START_S: Final = 12.0
"""No request begins later than this after the call: every answer is in before its time is up."""
NO_TURN: Final = "its turn did not come"
UNREADABLE: Final = (ArithmeticError, AttributeError, LookupError, TypeError, ValueError)
"""What reading an answer raises that is not as Stripe's API says."""


class Stripe(Reading):
    """Charges debtors and pays creditors. Implements `Rail`, `BankReader` and
    `StatementSource`."""

    slug = SLUG
    directions = frozenset(Direction)
    currencies = amounts.CURRENCIES
    account: type[msgspec.Struct] = Account

    def __init__(self, host: Host) -> None:
        self._host = host

    def check_account(self, account: Account) -> None:
        """See `Rail`."""
        accounts.check_account(account)

    def submit(self, legs: Sequence[Leg]) -> Sequence[LegOutcome]:
        """See `Rail`. Legs whose turn does not come in time were certainly not sent."""
        with self._host.transaction() as session:
            sent = records.known(session, [leg.reference for leg in legs])
        # Of these nothing may be said without asking Stripe.
        perhaps_there = {
            reference
            for reference, known in sent.items()
            if not all(each.absent for each in known.values())
        }
        refused = {
            leg.reference: words
            for leg in legs
            if leg.reference not in perhaps_there and (words := refusal(leg))
        }
        good = [leg for leg in legs if leg.reference not in refused]
        outcomes: list[LegOutcome] = [
            Rejected(reference=reference, reason=words) for reference, words in refused.items()
        ]
        if not good:
            return outcomes
        client = self._client()

        def one(leg: Leg) -> LegOutcome:
            return self._guarded(leg, lambda: self._submit_one(client, leg))

        def late(leg: Leg) -> LegOutcome:
            if leg.reference in perhaps_there:
                return Unknown(reference=leg.reference, reason=NO_TURN, after_s=5)
            words = f"{NO_TURN}; nothing was sent"
            return Retry(reference=leg.reference, reason=words, after_s=5)

        return outcomes + _each(good, one, late)

    def lookup(self, legs: Sequence[Leg]) -> Sequence[LegOutcome]:
        """See `Rail`."""
        if not legs:
            return []
        client = self._client()
        with self._host.transaction() as session:
            sent = records.known(session, [leg.reference for leg in legs])

        def one(leg: Leg) -> LegOutcome:
            known = sent.get(leg.reference)
            if known is None:
                # It is written down before it is sent, so it never was.
                return NeverOrdered(reference=leg.reference)
            return self._guarded(leg, lambda: self._look_at(client, leg, known))

        return _each(legs, one, lambda leg: Unknown(reference=leg.reference, reason=NO_TURN))

    def next_statement(
        self, account: str, currency: str, after: date | None, into: BinaryIO
    ) -> str:
        """See `StatementSource`: a day on which something moved, once it was read to its end."""
        house: House = self._host.settings()
        if not house.statements:
            return ""
        with self._host.transaction() as session:
            return statement.write_next(session, account, currency, after, into)

    def health(self) -> Health:
        """Whether its settings would do, and the key is taken."""
        try:
            self._client().v1.balance.retrieve()
        except NotConfigured as error:
            return Health(ok=False, message=error.detail)
        except stripe.StripeError as error:
            return Health(ok=False, message=refusals.reason(error))
        except UNREADABLE:
            return Health(ok=False, message="Stripe's answer cannot be read")
        return Health(ok=True)

    def _client(self) -> stripe.StripeClient:
        house: House = self._host.settings()
        return client_of(house)

    def _submit_one(self, client: stripe.StripeClient, leg: Leg) -> LegOutcome:
        first, *more = parts.split(leg)
        outcome = self._send_part(client, first)
        if not more:
            return outcome
        with self._host.transaction() as session:
            sent = records.known(session, [leg.reference])[leg.reference]
        if len(sent) == 1 and not isinstance(outcome, Booked | Submitted):
            # Nothing else can be there: what it comes to is what the leg comes to.
            return outcome
        return self._in_parts(client, leg, sent)

    def _look_at(
        self, client: stripe.StripeClient, leg: Leg, sent: Mapping[int, Payment]
    ) -> LegOutcome:
        first, *more = parts.split(leg)
        return self._in_parts(client, leg, sent) if more else self._look(client, first, sent[1])

    def _in_parts(
        self, client: stripe.StripeClient, leg: Leg, sent: Mapping[int, Payment]
    ) -> LegOutcome:
        """See how the parts of a leg stand, send what is missing, take back what has to be."""

        def guarded(part: Part, work: Callable[[Part], LegOutcome]) -> LegOutcome:
            return self._guarded(part, lambda: work(part))

        def look(part: Part) -> LegOutcome:
            return guarded(part, lambda part: self._look(client, part, sent[part.number]))

        whole = parts.split(leg)
        known = [part for part in whole if part.number in sent]
        looked = {part.number: told for part, told in zip(known, at_once(known, look), strict=True)}
        told = dict(
            parts.advance(
                whole, looked, lambda part: guarded(part, lambda one: self._send_part(client, one))
            )
        )
        for part in parts.to_take_back(whole, told):
            told[part.number] = guarded(part, lambda part: self._take_back(client, part))
        return parts.outcome(leg, whole, told)

    def _take_back(self, client: stripe.StripeClient, part: Part) -> LegOutcome:
        with self._host.transaction() as session:
            sent = records.known(session, [part.reference])[part.reference][part.number]
        where: Any = collecting if sent.direction is Direction.COLLECT else paying
        where.take_back(client, sent.object_id)
        return self._look(client, part, sent)

    def _send_part(self, client: stripe.StripeClient, leg: Part) -> LegOutcome:
        account = account_of(self._host.settings())
        with self._host.transaction() as session:
            sent, first = records.begin(session, leg, account)
        other = sent.elsewhere(account) or sent.differs(leg)
        if other:
            return Unknown(reference=leg.reference, reason=f"the reference is known: {other}")
        if not first:
            # A key is forgotten after a day, so what was sent before is looked for first.
            there = self._find(client, sent)
            if there is not None:
                return self._told(client, leg, sent, there)
            certain = sent.absent
            with self._host.transaction() as session:
                sent = records.sent_again(session, sent, leg, account)
            return self._send(client, leg, sent, certain=certain)
        return self._send(client, leg, sent, certain=True)

    def _send(
        self, client: stripe.StripeClient, leg: Part, sent: Payment, *, certain: bool
    ) -> LegOutcome:
        """`certain`: no earlier request can still be on its way."""
        create = collecting.create if leg.direction is Direction.COLLECT else paying.create
        try:
            made = create(client, sent, leg)
        except stripe.StripeError as error:
            return self._refused(client, leg, sent, refusals.judge(leg, error), certain)
        return self._told(client, leg, sent, made)

    def _refused(
        self,
        client: stripe.StripeClient,
        leg: Part,
        sent: Payment,
        verdict: refusals.Verdict,
        certain: bool,
    ) -> LegOutcome:
        """What an error comes to, once it is seen whether it left anything behind."""
        outcome = verdict.outcome
        if verdict.object_id is not None:
            made = collecting.retrieve(client, verdict.object_id)
            return self._told(client, leg, sent, made)
        if isinstance(outcome, Unknown):
            return outcome
        if isinstance(outcome, Rejected):
            # A refusal that does not name what it made may have made something all the same.
            there = self._find(client, sent)
            if there is not None:
                return self._told(client, leg, sent, there)
        reason = outcome.reason  # type: ignore[union-attr]
        if not certain:
            # This request took nothing; one before it may yet arrive.
            return Unknown(reference=leg.reference, reason=reason, after_s=refusals.SOON_S)
        with self._host.transaction() as session:
            records.proved_absent(session, sent, reason, key_spent=verdict.key_spent)
        return outcome

    def _look(self, client: stripe.StripeClient, leg: Part, sent: Payment) -> LegOutcome:
        other = sent.elsewhere(account_of(self._host.settings())) or sent.differs(leg)
        if other:
            return Unknown(reference=leg.reference, reason=f"the reference is known: {other}")
        there = self._find(client, sent)
        if there is not None:
            return self._told(client, leg, sent, there)
        if not sent.absent:
            words = "Stripe does not show it, and it may still be on its way"
            return Unknown(reference=leg.reference, reason=words, after_s=records.SETTLED_S)
        with self._host.transaction() as session:
            records.proved_absent(session, sent, "Stripe never had it")
        return NeverOrdered(reference=leg.reference)

    def _find(self, client: stripe.StripeClient, sent: Payment) -> Any | None:
        """What a leg is at Stripe, by its id or by looking through the list; None: nothing."""
        where: Any = collecting if sent.direction is Direction.COLLECT else paying
        if sent.object_id is not None:
            return where.retrieve(client, sent.object_id)
        return where.search(client, sent)

    def _told(
        self, client: stripe.StripeClient, leg: Part, sent: Payment, there: Any
    ) -> LegOutcome:
        """Keep what a leg is at Stripe, and say what it comes to."""
        if words := sent.alien(there):
            raise Unclear(words)
        if leg.direction is Direction.COLLECT:
            found = collecting.standing(client, leg, there)
            state, words = found.state, found.back
            outcome = collecting.outcome(leg, found, moved=sent.state in records.MOVED)
            if isinstance(outcome, Returned):
                state = "taken back"
        else:
            state, outcome = paying.state(there), paying.outcome(leg, there)
        words = getattr(outcome, "reason", words)
        try:
            with self._host.transaction() as session:
                records.found(session, sent, there.id, state, words)
        except IntegrityError:
            raise Unclear(f"Stripe answers with {there.id}, which is of another leg") from None
        return outcome

    def _guarded(self, leg: Leg, work: Callable[[], LegOutcome]) -> LegOutcome:
        """An error that nobody has judged, or an answer that cannot be read, proves nothing."""
        try:
            return work()
        except stripe.StripeError as error:
            words = refusals.reason(error)
        except Unclear as error:
            words = str(error)
        except UNREADABLE as error:
            log.warning("Stripe's answer about leg %s cannot be read: %r", leg.reference, error)
            words = "Stripe's answer cannot be read"
        return Unknown(reference=leg.reference, reason=words, after_s=refusals.SOON_S)


def refusal(leg: Leg) -> str:
    """Why a leg cannot be moved at all; empty where it can."""
    words = amounts.refusal(leg.currency, leg.amount_minor)
    words = words or accounts.reaches(leg.account, leg.direction)
    if not words and leg.direction is Direction.COLLECT:
        words = collecting.refusal(leg)
    return words


def _each(
    legs: Sequence[Leg], work: Callable[[Leg], LegOutcome], late: Callable[[Leg], LegOutcome]
) -> list[LegOutcome]:
    """Work on some legs at a time, for as long as there is time to begin."""
    until = time.monotonic() + START_S

    def one(leg: Leg) -> LegOutcome:
        if time.monotonic() >= until:
            return late(leg)
        with begun_by(until):
            return work(leg)

    return at_once(legs, one)
