"""Tickets from members' own pretix servers: the supplier the exchange knows as `pretix`."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from typing import Final, TypeAlias
from uuid import UUID

import msgspec

from marketplace import api
from marketplace_pretix import domain, letting_go, repository, telling, words
from marketplace_pretix.client import (
    HEALTH_TIMEOUT_S,
    REDIRECTS,
    TIMEOUT_S,
    Patience,
    Pretix,
    is_proof_of_absence,
    orders_path,
    status_of,
)
from marketplace_pretix.jobs import Job
from marketplace_pretix.repository import Sent
from marketplace_pretix.settings import PretixSettings

log = logging.getLogger(__name__)

BATCH_S: Final = 24.0
"""For all calls of a batch; the exchange waits for half a minute."""
BEGIN_WITHIN_S: Final = 15.0
"""A pretix takes about ten orders a second: who cannot be ordered so soon is ordered next time."""
LANES: Final = 4
"""Calls to one server at once."""
CALLS_AT_ONCE: Final = 24
SETTLE_S: Final = 30.0
"""A call that we gave up may still be on its way: until then, absence proves nothing."""
NOT_SET_UP_S: Final = 300
LONGEST_WAIT_S: Final = 300
"""The most that a server may ask us to wait."""

Whose: TypeAlias = tuple[UUID, bool]
"""The member that is paid, and whether its orders are trials."""
Work: TypeAlias = Callable[["_Server", "Job"], api.Outcome]


class _Server(msgspec.Struct, frozen=True):
    """One member's pretix, for the length of a batch."""

    whose: Whose
    settings: PretixSettings
    client: Pretix
    deadline: float

    def timeout_s(self) -> float:
        return max(min(TIMEOUT_S, self.deadline - time.monotonic()), 0.1)


class PretixSupplier:
    """Orders at the pretix of the member that is paid. A server that fails harms no other.

    Nothing here raises: orders of several members come in one batch and share one breaker.
    """

    slug = "pretix"
    takes_trials = True

    def __init__(
        self, host: api.Host, *, settle_s: float = SETTLE_S, begin_within_s: float = BEGIN_WITHIN_S
    ) -> None:
        self._host = host
        self._patience = Patience()
        self.settle_s = settle_s
        self.begin_within_s = begin_within_s

    def fulfil(self, orders: Sequence[api.Order]) -> Sequence[api.Outcome]:
        """Order at each pretix; our code for the order makes a repeat harmless."""
        return self._ask(orders, self._order, is_order=True)

    def lookup(self, orders: Sequence[api.Order]) -> Sequence[api.Outcome]:
        """Ask each pretix for the order of our code."""
        return self._ask(orders, self._look_up, is_order=False)

    def health(self) -> api.Health:
        """Well: each server has a health of its own. Says how many do not answer."""
        silent = self._patience.silent()
        return api.Health(
            ok=True, message=f"servers that do not answer: {silent}" if silent else ""
        )

    def member_health(self, member_id: UUID, *, sandbox: bool) -> api.Health:
        """Whether a member's token may see an event and order there."""
        settings = self._settings((member_id, sandbox))
        if settings is None:
            return api.Health(ok=False, message="No address and token are given for this.")
        client = Pretix(self._host.outbound, settings)
        try:
            fault = _fault_of_access(client)
        except api.MarketplaceError as error:
            fault = error.detail
        if fault is not None and settings.address.endswith(f"/{settings.organizer}"):
            fault += " The address has to be that of the server, without the organizer."
        return api.Health(ok=fault is None, message=fault or "")

    # -- a batch -------------------------------------------------------------------------------

    def _ask(self, orders: Sequence[api.Order], work: Work, *, is_order: bool) -> list[api.Outcome]:
        started = time.monotonic()
        latest = started + self.begin_within_s
        lanes: list[tuple[_Server, list[Job]]] = []
        answers: list[api.Outcome] = []
        for whose, own in _by_member(orders).items():
            try:
                answers += self._prepare(whose, own, is_order, started + BATCH_S, lanes)
            except Exception as error:
                log.exception("orders of member %s could not be prepared", whose[0])
                answers += _unasked(own, is_order, f"not asked: {type(error).__name__}")

        def run(lane: tuple[_Server, list[Job]]) -> list[api.Outcome]:
            server, jobs = lane
            return [self._one(server, each, work, is_order, latest) for each in jobs]

        if len(lanes) == 1:
            answers += run(lanes[0])
        elif lanes:
            with ThreadPoolExecutor(min(len(lanes), CALLS_AT_ONCE)) as pool:
                answers += [each for found in pool.map(run, lanes) for each in found]
        begun = {each.sent.reference: each.sent.begun_at for _, jobs in lanes for each in jobs}
        return self._noted(orders, answers, begun)

    def _prepare(
        self,
        whose: Whose,
        orders: list[api.Order],
        is_order: bool,
        deadline: float,
        lanes: list[tuple[_Server, list[Job]]],
    ) -> list[api.Outcome]:
        """Put a member's orders on lanes; outcomes of those that cannot be asked about."""
        settings = self._settings(whose)
        if settings is None:
            return _unasked(orders, is_order, "the partner is not set up", NOT_SET_UP_S)
        if self._patience.is_out(whose):
            return _unasked(orders, is_order, "the partner's pretix does not answer just now")
        answers: list[api.Outcome] = []
        good: list[api.Order] = []
        for each in orders:
            if domain.parse_sku(each.sku) is None:
                answers.append(_no_sku(each, is_order))
            else:
                good.append(each)
        server = _Server(whose, settings, Pretix(self._host.outbound, settings), deadline)
        jobs = self._jobs(good, settings, is_order)
        lanes += [(server, jobs[start::LANES]) for start in range(min(LANES, len(jobs)))]
        return answers

    def _jobs(
        self, orders: Sequence[api.Order], settings: PretixSettings, is_order: bool
    ) -> list[Job]:
        """A member's orders with what we know of them; real ones that may be ordered are
        remembered as sent from here on.
        """
        pairs = [(each.acceptor_id, each.sku) for each in orders]
        with self._host.transaction() as session:
            told = telling.use(self._host, session, orders) if is_order else {}
            states = telling.states(session, pairs)
            jobs = [
                Job(
                    each,
                    _unsent(each, settings),
                    told.get(each.reference),
                    states.get((each.acceptor_id, each.sku)),
                )
                for each in orders
            ]
            real = [each for each in jobs if not each.order.sandbox]
            sending = [each.order for each in real if is_order and each.unfit() is None]
            repository.begin(session, sending, settings.place)
            known = repository.sent(session, [each.order.reference for each in real])
        return [
            msgspec.structs.replace(each, sent=known.get(each.order.reference, each.sent))
            for each in jobs
        ]

    def _one(
        self,
        server: _Server,
        job: Job,
        work: Work,
        is_order: bool,
        latest: float,
    ) -> api.Outcome:
        """The outcome of one order. Never raises."""
        order, sent = job.order, job.sent
        if time.monotonic() > latest or self._patience.is_out(server.whose):
            return _later(order, is_order, "others kept it waiting", 1)
        if sent.place != server.settings.place:
            return _unknown(order, f"it was ordered at {sent.place}, which the settings left", 600)
        try:
            outcome = work(server, job)
        except (api.AddressRefused, api.Unreachable) as error:
            self._patience.failed(server.whose)
            return _later(order, is_order, error.detail, 30)
        except api.Unanswered as error:
            self._patience.failed(server.whose)
            return _unknown(order, error.detail)
        except Exception as error:
            log.exception("order %s could not be asked about", order.reference)
            return _unknown(order, f"it could not be asked: {type(error).__name__}")
        self._patience.answered(server.whose)
        return outcome

    def _noted(
        self,
        orders: Sequence[api.Order],
        answers: list[api.Outcome],
        begun: Mapping[str, datetime | None],
    ) -> list[api.Outcome]:
        """Keep what was learnt; where that fails nothing was learnt."""
        trials = {each.reference for each in orders if each.sandbox}
        learnt = [each for each in answers if each.reference not in trials]
        if not learnt:
            return answers
        try:
            with self._host.transaction() as session:
                repository.finish(session, learnt, begun)
                refused = [each for each in learnt if isinstance(each, api.Rejected)]
                for each in refused:
                    letting_go.ask(self._host, session, each.reference)
                telling.drop(session, [each.reference for each in refused])
        except Exception as error:
            log.exception("outcomes could not be kept")
            why = f"it could not be kept: {type(error).__name__}"
            return [_unknown(each, why) for each in orders]
        return answers

    # -- one order -----------------------------------------------------------------------------

    def _order(self, server: _Server, job: Job) -> api.Outcome:
        order = job.order
        unfit = job.unfit()
        if unfit is not None:
            return self._refuse_unordered(server, job, unfit.message)
        sku = _sku_of(order, job.sent)
        answer = server.client.call(
            "POST",
            orders_path(sku.event),
            domain.new_order(
                order,
                sku,
                job.people(),
                server.settings.sales_channel,
                job.cart,
                job.bundled,
            ),
            timeout_s=server.timeout_s(),
        )
        if answer.status == 201:
            if order.sandbox:
                return api.Fulfilled(reference=order.reference, supplier_reference="PREVIEW")
            return self._judged(server, order, sku, answer)
        refusal = domain.complaints(answer.body)
        if answer.status == 400 and domain.IN_USE in refusal.get("code", ""):
            return self._found(server, job)
        return _refused(order, answer, refusal)

    def _refuse_unordered(self, server: _Server, job: Job, reason: str) -> api.Outcome:
        """Refuse an order, unless an earlier try of it has come to pretix."""
        found = self._look_up(server, job)
        if isinstance(found, api.NeverOrdered):
            return api.Rejected(reference=found.reference, reason=reason)
        return found

    def _found(self, server: _Server, job: Job) -> api.Outcome:
        """The order of our code, which pretix says it has: whatever comes, it is not untaken."""
        order = job.order
        try:
            found = self._look_up(server, job)
        except (api.AddressRefused, api.Unreachable) as error:
            return _unknown(order, error.detail)
        if isinstance(found, api.NeverOrdered):
            return _unknown(order, "its code is in use at another event of the organizer", 300)
        return found

    def _look_up(self, server: _Server, job: Job) -> api.Outcome:
        order, sent = job.order, job.sent
        if order.sandbox:
            return api.NeverOrdered(reference=order.reference)
        sku = _sku_of(order, sent)
        answer = server.client.order(sku.event, sent.code, timeout_s=server.timeout_s())
        if answer.status == 200:
            return self._judged(server, order, sku, answer)
        if not is_proof_of_absence(answer):
            return _unknown(order, status_of(answer))
        if 0 < sent.age_s < self.settle_s:
            return _unknown(order, "pretix does not have it yet", int(self.settle_s))
        return api.NeverOrdered(reference=order.reference)

    def _judged(
        self, server: _Server, order: api.Order, sku: domain.Sku, answer: api.Answer
    ) -> api.Outcome:
        placed = None if answer.truncated else domain.read_order(answer.body)
        if placed is None:
            return _unknown(order, "pretix's answer cannot be read")
        return domain.judged(placed, order, sku, hand_out=server.settings.hand_out)

    def _settings(self, whose: Whose) -> PretixSettings | None:
        try:
            found: PretixSettings | None = self._host.member_settings(whose[0], sandbox=whose[1])
        except api.NotConfigured:
            return None
        return found


def _by_member(orders: Iterable[api.Order]) -> dict[Whose, list[api.Order]]:
    found: dict[Whose, list[api.Order]] = {}
    for each in orders:
        found.setdefault((each.acceptor_id, each.sandbox), []).append(each)
    return found


def _sku_of(order: api.Order, sent: Sent) -> domain.Sku:
    """What was ordered first, should the offer's sku have changed since."""
    sku = domain.parse_sku(sent.sku or order.sku) or domain.parse_sku(order.sku)
    if sku is None:
        raise ValueError("no sku")
    return msgspec.structs.replace(sku, event=sent.event)


def _unsent(order: api.Order, settings: PretixSettings) -> Sent:
    """An order that was never sent, as far as we remember, or a trial."""
    sku = domain.parse_sku(order.sku)
    return Sent(
        reference=order.reference,
        member_id=order.acceptor_id,
        place=settings.place,
        sku=order.sku,
        event="" if sku is None else sku.event,
        code=domain.order_code(order.reference),
        quantity=order.quantity,
        age_s=0,
        begun_at=None,
        delivered_at=None,
        cancel_asked_at=None,
        cancel_reason=None,
        cancel_tries=0,
        cancelled_at=None,
        cancelled_by=None,
        given_back_at=None,
        untaken_at=None,
        noticed=None,
    )


def _refused(order: api.Order, answer: api.Answer, refusal: Mapping[str, str]) -> api.Outcome:
    """Pretix took nothing, or it is not clear that pretix spoke."""
    said = "; ".join(f"{field}: {text}" for field, text in refusal.items())[: domain.LONGEST]
    if answer.status == 400 and "positions" in refusal:
        reason = domain.refusal_of_positions(refusal["positions"])
        if reason != words.SOLD_OUT:
            log.warning("pretix does not sell %s: %s", order.sku, said)
        return api.Rejected(reference=order.reference, reason=reason.message)
    if answer.status in (400, 401, 403, 404) and refusal:
        return _later(order, True, f"pretix refused it: {said}", NOT_SET_UP_S)
    if answer.status in REDIRECTS:
        return _later(order, True, status_of(answer), NOT_SET_UP_S)
    if answer.status == 429:
        return _later(order, True, "pretix wants fewer calls", _asked_to_wait_s(answer))
    return _unknown(order, status_of(answer))


def _asked_to_wait_s(answer: api.Answer) -> int:
    """Seconds that a server wants to be left alone for."""
    said = answer.headers.get("retry-after", "")
    wished = int(said) if said.isascii() and said.isdecimal() and len(said) < 10 else 10
    return min(max(wished, 1), LONGEST_WAIT_S)


def _fault_of_access(client: Pretix) -> str | None:
    answer = client.call("GET", "/events/?page_size=1", timeout_s=HEALTH_TIMEOUT_S)
    if answer.status == 401:
        return "Pretix does not know this token."
    if answer.status in REDIRECTS:
        return status_of(answer)
    if answer.status != 200:
        return f"Pretix answered with status {answer.status}; is the organizer right?"
    event = domain.first_event(answer.body)
    if event is None:
        return "The token may see no event; is this the address of a pretix?"
    # An empty order is never taken: 400 says that the token might order, 403 that it may not.
    tried = client.call("POST", orders_path(event), b"{}", timeout_s=HEALTH_TIMEOUT_S)
    return None if tried.status == 400 else f"The token may not order at {event}."


def _no_sku(order: api.Order, is_order: bool) -> api.Outcome:
    if is_order:
        log.warning("offer %s: %r is no event/item", order.offer_reference, order.sku)
        return api.Rejected(reference=order.reference, reason=words.NOT_SOLD.message)
    return api.NeverOrdered(reference=order.reference)


def _later(order: api.Order, is_order: bool, reason: str, after_s: int) -> api.Outcome:
    """Nothing was sent, or taken: a new order may come again; of a known one nothing is said."""
    made = api.Retry if is_order else api.Unknown
    return made(reference=order.reference, reason=reason[: domain.LONGEST], after_s=after_s)


def _unasked(
    orders: Iterable[api.Order], is_order: bool, reason: str, after_s: int = 30
) -> list[api.Outcome]:
    """Nothing was sent by this call, and nothing is known of earlier ones."""
    made = api.Retry if is_order else api.Unknown
    return [made(reference=each.reference, reason=reason, after_s=after_s) for each in orders]


def _unknown(order: api.Order, reason: str, after_s: int = 30) -> api.Outcome:
    return api.Unknown(reference=order.reference, reason=reason[: domain.LONGEST], after_s=after_s)
