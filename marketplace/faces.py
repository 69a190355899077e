"""How offers are called and shown wherever they are named: as plugins describe them.

Each describer is given ANSWER_S (`marketplace.asides`). An offer that nobody describes goes by its
own name.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final
from uuid import UUID

from marketplace import api
from marketplace.asides import Asides

log = logging.getLogger(__name__)

ANSWER_S: Final = 2.0
MOST_ASKED: Final = 100
"""Offers of one question; no page names more."""
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
        self._asides = Asides("faces of offers")

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
        asked = tuple(offer_ids)
        given = await self._asides.ask(
            slug, lambda: dict(describer.describe(asked, language)), ANSWER_S
        )
        return {} if given is None else _fitting(slug, given, offer_ids)


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
