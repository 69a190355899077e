"""Orders from partners' own services: the supplier the exchange knows as `remote`."""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Final
from uuid import UUID

import msgspec

from marketplace import api
from marketplace_remote import protocol
from marketplace_remote.client import HEALTH_TIMEOUT_S, TIMEOUT_S, Patience, Unclear, call
from marketplace_remote.protocol import HEALTH_PATH, PATHS, Action
from marketplace_remote.settings import RemoteSettings

log = logging.getLogger(__name__)

PARTNERS_AT_ONCE: Final = 16
BEGIN_WITHIN: Final = 0.25
"""Of the time a partner has: who cannot be asked so soon is asked next time. The exchange gives the
whole batch half as much again, and after that believes no answer in it."""
NOT_SET_UP_S: Final = 300
Whose = tuple[UUID, bool]
"""The member that is paid, and whether its orders are trials."""


class RemoteSupplier:
    """Asks the service of the member that is paid. A partner that fails harms no other.

    Nothing here raises: what a partner does wrong must not count against the others, whose orders
    come in the same batch and share one circuit breaker.
    """

    slug = "remote"
    takes_trials = True

    def __init__(self, host: api.Host, *, timeout_s: float = TIMEOUT_S) -> None:
        self._host = host
        self._timeout_s = timeout_s
        self._patience = Patience()

    def fulfil(self, orders: Sequence[api.Order]) -> Sequence[api.Outcome]:
        """Order from each partner, all at once."""
        return self._ask("order", orders)

    def lookup(self, orders: Sequence[api.Order]) -> Sequence[api.Outcome]:
        """Ask each partner what became of its orders, all at once."""
        return self._ask("lookup", orders)

    def health(self) -> api.Health:
        """Well: each partner has a health of its own. Says how many do not answer."""
        silent = self._patience.silent()
        return api.Health(
            ok=True, message=f"partners that do not answer: {silent}" if silent else ""
        )

    def member_health(self, member_id: UUID, *, sandbox: bool) -> api.Health:
        """Whether a member's service answers `GET /health` as agreed."""
        settings = self._settings((member_id, sandbox))
        if settings is None:
            return api.Health(ok=False, message="No address and keys are given for this.")
        try:
            body = call(
                self._host.outbound, settings, "GET", HEALTH_PATH, b"", timeout_s=HEALTH_TIMEOUT_S
            )
            said = msgspec.json.decode(body, type=api.Health)
        except Unclear as error:
            return api.Health(ok=False, message=f"{str(error)[:1].upper()}{str(error)[1:]}.")
        except api.MarketplaceError as error:
            return api.Health(ok=False, message=error.detail)
        except (msgspec.MsgspecError, UnicodeDecodeError):
            return api.Health(ok=False, message='The answer is not {"ok": true, "message": ""}.')
        return api.Health(ok=said.ok, message=said.message[: protocol.LONGEST_TEXT])

    def _ask(self, action: Action, orders: Sequence[api.Order]) -> list[api.Outcome]:
        by_partner: dict[Whose, list[api.Order]] = {}
        for each in orders:
            by_partner.setdefault((each.acceptor_id, each.sandbox), []).append(each)
        if len(by_partner) <= 1:
            return [
                outcome
                for whose, own in by_partner.items()
                for outcome in self._ask_one(action, whose, own)
            ]
        latest = time.monotonic() + BEGIN_WITHIN * self._timeout_s

        def ask(each: tuple[Whose, list[api.Order]]) -> list[api.Outcome]:
            whose, own = each
            if time.monotonic() > latest:
                return self._unasked(action, own, "others kept it waiting", 1)
            return self._ask_one(action, whose, own)

        with ThreadPoolExecutor(min(len(by_partner), PARTNERS_AT_ONCE)) as pool:
            answers = pool.map(ask, by_partner.items())
            return [outcome for own in answers for outcome in own]

    def _ask_one(
        self, action: Action, whose: Whose, orders: Sequence[api.Order]
    ) -> list[api.Outcome]:
        """Ask one partner about its orders. Never raises."""
        try:
            settings = self._settings(whose)
            if settings is None:
                return self._unasked(action, orders, "the partner is not set up", NOT_SET_UP_S)
            if self._patience.is_out(whose):
                return self._unasked(action, orders, "the partner does not answer just now")
            return self._call(action, whose, settings, orders)
        except Exception as error:
            log.exception("partner %s could not be asked", whose[0])
            return protocol.unknown(orders, f"it could not be asked: {type(error).__name__}")

    def _settings(self, whose: Whose) -> RemoteSettings | None:
        try:
            found: RemoteSettings | None = self._host.member_settings(whose[0], sandbox=whose[1])
        except api.NotConfigured:
            return None
        return found

    def _call(
        self, action: Action, whose: Whose, settings: RemoteSettings, orders: Sequence[api.Order]
    ) -> list[api.Outcome]:
        body = protocol.encode(action, orders)
        try:
            answer = call(
                self._host.outbound,
                settings,
                "POST",
                PATHS[action],
                body,
                timeout_s=self._timeout_s,
            )
        except (api.AddressRefused, api.Unreachable) as error:
            self._patience.failed(whose)
            return self._unasked(action, orders, error.detail)
        except api.Unanswered as error:
            self._patience.failed(whose)
            return protocol.unknown(orders, error.detail)
        except Unclear as error:
            self._patience.answered(whose)
            log.warning("partner %s: %s", whose[0], error)
            return protocol.unknown(orders, str(error))
        self._patience.answered(whose)
        return protocol.read(answer, orders, action)

    def _unasked(
        self, action: Action, orders: Sequence[api.Order], reason: str, after_s: int = 30
    ) -> list[api.Outcome]:
        """Nothing was sent: a new order was certainly not taken; of a known one nothing is said."""
        if action == "order":
            return protocol.retry(orders, reason, after_s)
        return protocol.unknown(orders, reason, after_s)
