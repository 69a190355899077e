"""Offers in notices by the titles of their faces, in the reader's language."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any
from uuid import UUID

import msgspec

from marketplace.faces import FaceById, Faces
from marketplace.notices.compose import language_of
from marketplace.notices.domain import Claimed
from marketplace.notices.kinds import OFFER_ID

Context = Mapping[str, Any]


def offers_in(contexts: Iterable[Context]) -> set[UUID]:
    """The offers that contexts are about."""
    return {UUID(each[OFFER_ID]) for each in contexts if OFFER_ID in each}


def titled(context: dict[str, Any], faces: FaceById) -> dict[str, Any]:
    """A context whose offer goes by its title; as it is where that has no face."""
    face = faces.get(UUID(context[OFFER_ID])) if OFFER_ID in context else None
    return context if face is None else {**context, "offer": face.title}


async def titled_mails(mails: Sequence[Claimed], faces: Faces) -> list[Claimed]:
    """Mails that name offers in the languages of their readers: one question per language."""
    by_language: dict[str, list[Claimed]] = {}
    for mail in mails:
        by_language.setdefault(language_of(mail).code, []).append(mail)
    made = {}
    for language, own in by_language.items():
        contexts = (told.context for mail in own for told in mail.notices)
        known = await faces.of(offers_in(contexts), language)
        made.update({(mail.person_id, mail.id): _titled(mail, known) for mail in own})
    return [made[mail.person_id, mail.id] for mail in mails]


def _titled(mail: Claimed, faces: FaceById) -> Claimed:
    told = [
        msgspec.structs.replace(each, context=titled(each.context, faces)) for each in mail.notices
    ]
    return msgspec.structs.replace(mail, notices=told)
