"""Who waits for a route that many call at once (`marketplace.api.crowd_post`, `crowd_form`), and
their answers.

As with burns, there is no timer: a batch is what arrived while the one before was worked off. Who
they are is asked in one statement for all of them, and the plugin is called once, on a thread of
its own. Everything has a limit: a plugin that hangs costs those who wait for it a 503, and nobody
else anything.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any, Final

import msgspec

from marketplace.containment.routes import PluginRoutes
from marketplace.contract.crowds import Crowd, CrowdWork
from marketplace.errors import (
    PROBLEM_MEDIA_TYPE,
    Busy,
    InternalError,
    MarketplaceError,
    NotAuthenticated,
)
from marketplace.identity.authenticator import Authenticator
from marketplace.identity.credentials import Credential, read_credential
from marketplace.identity.domain import Principal
from marketplace.web.access import Access
from marketplace.web.direct import Answer, DirectRequest

log = logging.getLogger(__name__)

MOST_WAITING: Final = 8_192
"""Requests that may wait in one process; whoever comes then is told to come again."""
MOST_AT_ONCE: Final = 256
"""Requests of one call."""
WORK_S: Final = 20.0
"""Longest that one call may take."""

UNKNOWN: Final = "The key or session is unknown, revoked or expired."

_encode = msgspec.json.Encoder().encode
_NO_STORE: Final = b"cache-control: no-store\r\n"
_JSON: Final = b"content-type: application/json\r\n" + _NO_STORE
_PROBLEM: Final = b"content-type: %b\r\n" % PROBLEM_MEDIA_TYPE.encode() + _NO_STORE


class Waiting(msgspec.Struct, frozen=True):
    """One caller: known already, or by a credential that is still to be checked."""

    who: Principal | Credential
    access: Access
    body: Any
    tell: Callable[[Any, Principal | None], None]
    """Gets the answer or a MarketplaceError, and who asked where that is known; once."""


class CrowdQueue:
    """Who waits for one work of a plugin in one process, by whichever route."""

    def __init__(
        self, work: CrowdWork, gives: type, routes: PluginRoutes, authenticator: Authenticator
    ) -> None:
        self._work = work
        self._gives = gives
        self._routes = routes
        self._authenticator = authenticator
        self._queue: deque[Waiting] = deque()
        self._task: asyncio.Task[None] | None = None

    async def submit(self, principal: Principal, access: Access, body: Any) -> Any:
        """The answer to a caller who was let in; raises what it is refused with."""
        future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()

        def tell(answer: Any, _: Principal | None) -> None:
            if future.done():
                return
            if isinstance(answer, MarketplaceError):
                future.set_exception(answer)
            else:
                future.set_result(answer)

        self.add(Waiting(principal, access, body, tell))
        return await future

    def add(self, waiting: Waiting) -> None:
        """Have somebody wait; raises Busy where they could not be answered."""
        self._routes.refuse_while_it_rests()
        if len(self._queue) >= MOST_WAITING:
            raise Busy(f"{MOST_WAITING} are waiting already.")
        self._queue.append(waiting)
        if self._task is None:
            self._task = asyncio.get_running_loop().create_task(self._work_off())

    async def _work_off(self) -> None:
        try:
            while self._queue:
                self._refuse_those_who_wait_in_vain()
                count = min(len(self._queue), MOST_AT_ONCE)
                await self._serve([self._queue.popleft() for _ in range(count)])
        finally:
            self._task = None

    def _refuse_those_who_wait_in_vain(self) -> None:
        try:
            self._routes.refuse_while_it_rests()
        except Busy as error:
            waiting, self._queue = self._queue, deque()
            for each in waiting:
                each.tell(error, None)

    async def _serve(self, batch: Sequence[Waiting]) -> None:
        """Answer everybody of the batch, whatever happens."""
        try:
            let_in = await self._let_in(batch)
            if let_in:
                answers = await self._answers([(who, each.body) for each, who in let_in])
                for (each, who), answer in zip(let_in, answers, strict=True):
                    each.tell(answer, who)
        except Exception:
            log.exception("a crowd's batch of %d could not be answered", len(batch))
            for each in batch:
                _tell_if_nobody_did(each, Busy("Try again in a moment."))

    async def _let_in(self, batch: Sequence[Waiting]) -> list[tuple[Waiting, Principal]]:
        """Those who may call, with who they are; the others are told that they may not."""
        asked = [each.who for each in batch if isinstance(each.who, Credential)]
        known = await self._authenticator.verify_many(asked) if asked else {}
        let_in = []
        for each in batch:
            who = each.who if isinstance(each.who, Principal) else known.get(each.who.digest)
            if who is None:
                each.tell(NotAuthenticated(UNKNOWN), None)
                continue
            try:
                each.access.require(who)
            except MarketplaceError as error:
                each.tell(error, who)
            else:
                let_in.append((each, who))
        return let_in

    async def _answers(self, asked: Sequence[tuple[Principal, Any]]) -> Sequence[Any]:
        """What the plugin says to each; where it raises, to each by itself."""
        try:
            async with asyncio.timeout(WORK_S):
                answers = await self._routes.on_thread(self._work, asked)
            if len(answers) != len(asked) or not all(map(self._fits, answers)):
                raise RuntimeError("what it answered does not fit what was asked")
        except TimeoutError:
            self._routes.let_rest(f"a crowd of {len(asked)} was not answered in {WORK_S:g} s")
            return [Busy(f"The plugin {self._routes.slug} did not answer in time.")] * len(asked)
        except Busy as error:  # no thread of the plugin's is free
            return [error] * len(asked)
        except MarketplaceError as error:
            answers = [error]
        except Exception:
            log.exception("plugin %s: work of its crowd failed", self._routes.slug)
            answers = [InternalError()]
        if len(answers) == len(asked):
            return list(answers)
        return [answer for each in asked for answer in await self._answers([each])]

    def _fits(self, answer: Any) -> bool:
        return isinstance(answer, (self._gives, MarketplaceError))


def _tell_if_nobody_did(waiting: Waiting, error: MarketplaceError) -> None:
    try:
        waiting.tell(error, None)
    except RuntimeError:  # answered already
        log.debug("one of the crowd was answered before", exc_info=True)


def rendered(outcome: Any) -> tuple[int, bytes, bytes]:
    """Status, header lines and body."""
    if not isinstance(outcome, MarketplaceError):
        return 201, _JSON, _encode(outcome)
    lines = [
        b"%b: %b\r\n" % (name.lower().encode(), value.encode())
        for name, value in outcome.headers.items()
    ]
    return outcome.status, _PROBLEM + b"".join(lines), outcome.problem_json()


class JsonDoor:
    """The way in for a route of `crowd_post`."""

    def __init__(self, crowd: Crowd, access: Access, queue: CrowdQueue) -> None:
        self._access = access
        self._decode: Callable[[bytes], Any] = msgspec.json.Decoder(crowd.takes).decode
        self.queue = queue

    async def submit(self, principal: Principal, body: Any) -> Any:
        """The answer to a caller who was let in; raises what it is refused with."""
        return await self.queue.submit(principal, self._access, body)

    def direct(self, request: DirectRequest, answer: Answer) -> bool:
        """The same on the connection (`marketplace.web.direct`); the application says what is wrong
        with a request that cannot be read.
        """
        try:
            credential = read_credential(request.headers, "POST")
            body = self._decode(request.body)
        except (MarketplaceError, msgspec.MsgspecError):
            return False

        def tell(outcome: Any, _: Principal | None) -> None:
            answer(*rendered(outcome))

        try:
            self.queue.add(Waiting(credential, self._access, body, tell))
        except MarketplaceError as error:
            tell(error, None)
        return True
