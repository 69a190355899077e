"""How offers are called and shown wherever they are named: as plugins describe them.

A page must never wait for a describer, nor break with it. Each is asked in a thread of its own and
given ANSWER_S; one that raises, or is late twice in a row, rests for REST_S. An offer that nobody
describes goes by its own name.
"""

from __future__ import annotations

import asyncio
import logging
import re
import threading
import time
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import Future
from typing import Any, Final
from uuid import UUID

from marketplace import api

log = logging.getLogger(__name__)

ANSWER_S: Final = 2.0
REST_S: Final = 60.0
LATE_TO_REST: Final = 2
"""Late answers in a row: a machine that is busy for a moment is no reason to forget every title."""
MOST_ASKED: Final = 100
"""Offers of one question; no page names more."""
MOST_AT_ONCE: Final = 8
"""Threads that wait for describers; above that offers go by their own names."""
LOCAL: Final = re.compile(r"/(?![/\\])[!-~]*")

FaceById = Mapping[UUID, api.OfferFace]


def title_of(faces: FaceById, offer_id: UUID | None, name: str) -> str:
    """What an offer is called by its face; its name where it has none."""
    face = faces.get(offer_id) if offer_id is not None else None
    return name if face is None else face.title


class Faces:
    """The describers of one process."""

    def __init__(self, describers: Mapping[str, Sequence[api.OfferDescriber]]) -> None:
        self._describers = [(slug, each) for slug, own in describers.items() for each in own]
        self._rests_until: dict[str, float] = {}
        self._late: dict[str, int] = {}
        self._running = threading.Semaphore(MOST_AT_ONCE)

    async def of(self, offer_ids: Iterable[UUID], language: str) -> FaceById:
        """The faces of these offers, for readers of `language`; only of those that have one.

        Whoever describes an offer first, by slug, is the only one asked about it. Never raises.
        """
        missing = list(dict.fromkeys(offer_ids))[:MOST_ASKED]
        found: dict[UUID, api.OfferFace] = {}
        for slug, describer in self._describers:
            if not missing:
                break
            found.update(await self._ask(slug, describer, missing, language))
            missing = [each for each in missing if each not in found]
        return found

    async def one(self, offer_id: UUID, language: str) -> api.OfferFace | None:
        """The face of one offer; None where it has none."""
        return (await self.of([offer_id], language)).get(offer_id)

    async def _ask(
        self, slug: str, describer: api.OfferDescriber, offer_ids: list[UUID], language: str
    ) -> FaceById:
        if time.monotonic() < self._rests_until.get(slug, 0.0):
            return {}
        if not self._running.acquire(blocking=False):
            return {}
        answer: Future[Any] = Future()
        # A daemon: a describer that never returns must not keep the process from ending.
        threading.Thread(
            target=self._work,
            args=(answer, describer, tuple(offer_ids), language),
            name=f"faces-{slug}",
            daemon=True,
        ).start()
        try:
            given = await asyncio.wait_for(asyncio.wrap_future(answer), ANSWER_S)
        except Exception as error:
            self._note_trouble(slug, error)
            return {}
        self._late.pop(slug, None)
        return _fitting(slug, given, offer_ids)

    def _note_trouble(self, slug: str, error: Exception) -> None:
        is_late = isinstance(error, TimeoutError)
        self._late[slug] = self._late.get(slug, 0) + 1
        why = "is late" if is_late else f"raised {error!r}"
        log.error("plugin %s: its describer of offers %s", slug, why)
        if not is_late or self._late[slug] >= LATE_TO_REST:
            self._rests_until[slug] = time.monotonic() + REST_S

    def _work(
        self,
        answer: Future[Any],
        describer: api.OfferDescriber,
        offer_ids: tuple[UUID, ...],
        language: str,
    ) -> None:
        answer.set_running_or_notify_cancel()
        try:
            answer.set_result(dict(describer.describe(offer_ids, language)))
        except Exception as error:
            answer.set_exception(error)
        except BaseException as error:  # a plugin may even raise SystemExit
            answer.set_exception(RuntimeError(repr(error)))
        finally:
            self._running.release()


def _fitting(slug: str, given: Mapping[Any, Any], asked: Iterable[UUID]) -> FaceById:
    """Those of the faces that are what was asked for and may be shown."""
    found = {}
    for offer_id in asked:
        face = given.get(offer_id)
        if face is None:
            continue
        if isinstance(face, api.OfferFace) and _is_ours(face):
            found[offer_id] = face
        else:
            log.error("plugin %s: %r is no face of an offer that can be shown", slug, face)
    return found


def _is_ours(face: api.OfferFace) -> bool:
    """Whether everything it leads to is of this marketplace."""
    addresses = [face.picture.address] if face.picture else []
    addresses += [face.path] if face.path is not None else []
    return bool(face.title) and all(LOCAL.fullmatch(each) for each in addresses)
