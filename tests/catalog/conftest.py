"""A small catalog over the coalition, and the shop without its half second of memory."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import pytest
import pytest_asyncio

from catalog import writing
from catalog.domain import ListingStatus
from catalog.shop import shop_of
from catalog.specs import CategorySpec, DenominationSpec, ListingSpec, TextSpec
from marketplace.runtime import Runtime
from tests.factories import Coalition

CATEGORIES = (
    CategorySpec(
        slug="home",
        names={"en": "Home", "ru": "Дом", "pl": "Dom", "it": "Casa"},
    ),
    CategorySpec(
        slug="coffee",
        parent="home",
        names={"en": "Coffee", "ru": "Кофе", "pl": "Kawa", "it": "Caffè"},
    ),
    CategorySpec(
        slug="leisure",
        position=1,
        names={"en": "Leisure", "ru": "Досуг", "pl": "Czas wolny", "it": "Tempo libero"},
    ),
)

AddListing = Callable[..., Awaitable[ListingSpec]]


@pytest.fixture(autouse=True)
def seen_at_once(runtime: Runtime) -> None:
    """What is written is seen by the next request."""
    shop_of(runtime).pulse_s = 0.0


@pytest_asyncio.fixture
async def catalog(coalition: Coalition) -> Coalition:
    """The coalition with three categories."""
    async with coalition.runtime.database.begin() as session:
        await writing.put_categories(session, CATEGORIES)
        await writing.touch(session)
    return coalition


def text_of(title: str, **more: str) -> TextSpec:
    """A text with something to search for."""
    return TextSpec(title=title, **more)


@pytest.fixture
def add_listing(catalog: Coalition) -> AddListing:
    """`await add_listing("mug", {"en": "A mug"}, points=500)`: published, with an offer of its own.

    `offers` names offers that exist already instead; other arguments are the spec's or the offer's
    (`offer_status` is the offer's). `faces` are values stated in EUR, in micros.
    """

    async def make(slug: str, titles: dict[str, Any], **more: Any) -> ListingSpec:
        own = {name: more.pop(name) for name in list(more) if name in ListingSpec.__struct_fields__}
        if "denominations" not in own:
            references = more.pop("offers", None)
            if "offer_status" in more:
                more["status"] = more.pop("offer_status")
            faces = more.pop("faces", None)
            if references is None:
                await catalog.add_offer(slug, acceptor=more.pop("acceptor", "shop"), **more)
                references = [slug]
            faces = faces or [None] * len(references)
            own["denominations"] = tuple(
                DenominationSpec(offer=each, face_micros=face, face_currency=face and "EUR")
                for each, face in zip(references, faces, strict=True)
            )
        texts = {
            locale: text if isinstance(text, TextSpec) else text_of(text)
            for locale, text in titles.items()
        }
        spec = ListingSpec(**{"slug": slug, "status": ListingStatus.PUBLISHED, **own}, texts=texts)
        async with catalog.runtime.database.begin() as session:
            await writing.put_listings(session, [spec], {})
            await writing.touch(session)
        return spec

    return make
