"""Ten thousand listings in four languages over the offers of `bench.seed`, made in seconds."""

from __future__ import annotations

import asyncio
import random
from pathlib import Path

import asyncpg

from bench.server import execute
from marketplace.db import parse_url, raw_arguments
from marketplace.identity.credentials import SESSION_PREFIX, digest, new_token

VOCABULARY = {
    "en": 4_000,
    "ru": 3_000,
    "pl": 3_000,
    "it": 3_000,
}
"""Different words in each language, besides those of SYLLABLES."""
SYLLABLES = {
    "en": [
        "ba",
        "ber",
        "cof",
        "con",
        "der",
        "fin",
        "gar",
        "gold",
        "har",
        "kit",
        "lan",
        "mar",
        "mon",
        "pen",
        "ran",
        "sil",
        "ter",
        "ton",
        "vel",
        "win",
    ],
    "ru": [
        "ба",
        "вер",
        "ган",
        "дом",
        "зол",
        "кар",
        "кни",
        "лес",
        "мор",
        "нов",
        "пол",
        "рад",
        "сад",
        "тор",
        "хол",
        "чай",
        "шар",
        "яр",
        "кот",
        "дар",
    ],
    "pl": [
        "bar",
        "cze",
        "dom",
        "gor",
        "kaw",
        "kot",
        "les",
        "mle",
        "nocz",
        "prz",
        "rze",
        "sad",
        "szk",
        "tor",
        "wie",
        "zam",
        "zło",
        "żab",
        "świ",
        "ką",
    ],
    "it": [
        "ba",
        "caf",
        "ce",
        "don",
        "fio",
        "gel",
        "lu",
        "man",
        "nuo",
        "pan",
        "ros",
        "sal",
        "tea",
        "ven",
        "vin",
        "zuc",
        "bel",
        "cor",
        "det",
        "fol",
    ],
}
ENDINGS = {
    "en": ["", "s", "er", "ing", "ed"],
    "ru": ["а", "ы", "ов", "ный", "ка"],
    "pl": ["a", "y", "owy", "ek", "ość"],
    "it": ["a", "o", "ina", "etto", "ezza"],
}
KINDS = ("gift", "voucher", "seat", "donation")
COUNTRIES = ("DE", "FR", "PL", "IT", "ES", "NL", "PT", "LT")
CATEGORIES = 8
LEAVES = 5
"""Categories below each."""
MEAN_TEXT = 30


def vocabulary() -> dict[str, list[str]]:
    """Made-up words that look like the language; common ones come first."""
    draw = random.Random(7)
    made = {}
    for locale, count in VOCABULARY.items():
        words: dict[str, None] = {}
        while len(words) < count:
            stem = "".join(draw.choices(SYLLABLES[locale], k=draw.randint(1, 3)))
            words[stem + draw.choice(ENDINGS[locale])] = None
        made[locale] = [word for word in words if len(word) >= 3]
    return made


def _text(draw: random.Random, words: list[str], count: int) -> str:
    """Words as often as words are: few common, many rare."""
    places = (int(len(words) * draw.random() ** 1.5) for _ in range(count))
    return " ".join(words[place] for place in places)


async def _fill(url: str, listings: int, offers: int) -> None:
    draw = random.Random(11)
    words = vocabulary()
    connection = await asyncpg.connect(**raw_arguments(parse_url(url), None))
    try:
        await connection.execute(
            "update offer set points = 200 + (hashtext(reference) & 65535), kind = "
            "(array['gift', 'voucher', 'seat', 'donation'])[1 + (hashtext(reference) & 3)]"
        )
        await _categories(connection)
        ids = [
            row[0] for row in await connection.fetch("select reference from offer limit $1", offers)
        ]
        keys = [
            row[0]
            for row in await connection.fetch(
                "select gen_random_uuid() from generate_series(1, $1)", listings
            )
        ]
        await _copy_listings(connection, draw, keys)
        await connection.copy_records_to_table(
            "catalog_denomination",
            records=[
                (key, 0, reference, 1, 1, 1, 20_000_000, "EUR")
                for key, reference in zip(keys, ids, strict=False)
            ],
            columns=[
                "listing_id",
                "position",
                "offer_reference",
                "least",
                "most",
                "step",
                "face_micros",
                "face_currency",
            ],
        )
        for locale, known in words.items():
            await connection.copy_records_to_table(
                "catalog_listing_text",
                records=[
                    (
                        key,
                        locale,
                        _text(draw, known, 3).capitalize(),
                        _text(draw, known, 8),
                        _text(draw, known, MEAN_TEXT),
                        "",
                    )
                    for key in keys
                ],
                columns=["listing_id", "locale", "title", "summary", "body", "terms"],
            )
        from catalog.writing import REINDEX

        await connection.execute(REINDEX.text.replace(":ids", "$1"), keys)
        await connection.execute("update catalog_state set version = version + 1")
    finally:
        await connection.close()


async def _categories(connection: asyncpg.Connection) -> None:  # type: ignore[type-arg]
    for top in range(1, CATEGORIES + 1):
        names = [(f"c{top}", None, top)]
        names += [(f"c{top}-{leaf}", f"c{top}", leaf) for leaf in range(1, LEAVES + 1)]
        for slug, parent, position in names:
            await connection.execute(
                "insert into catalog_category (slug, parent, position) values ($1, $2, $3)",
                slug,
                parent,
                position,
            )
            await connection.execute(
                "insert into catalog_category_text (category, locale, name) "
                "select $1, locale, $1 from unnest(array['en', 'ru', 'pl', 'it']) as locale",
                slug,
            )


async def _copy_listings(
    connection: asyncpg.Connection, draw: random.Random, keys: list[object]
) -> None:  # type: ignore[type-arg]
    await connection.executemany(
        "insert into catalog_listing (id, slug, category, countries, languages, delivery, "
        "default_locale, featured, status, preview_token, taken, published_at) "
        "values ($1, $2, $3, $4, $5, 'instant', 'en', $6, 'published', $2, $7, "
        "now() - $8 * interval '1 hour')",
        [
            (
                key,
                f"listing-{number}",
                f"c{draw.randint(1, CATEGORIES)}-{draw.randint(1, LEAVES)}",
                draw.sample(COUNTRIES, draw.choice((0, 0, 1, 3))),
                draw.sample(("en", "ru", "pl", "it"), draw.choice((0, 0, 1))),
                1 if draw.random() < 0.01 else 0,
                int(draw.paretovariate(1)),
                draw.randint(1, 9_000),
            )
            for number, key in enumerate(keys)
        ],
    )


def seed_catalog(url: str, *, listings: int) -> None:
    """Put the listings into a database that `bench.seed` has filled with as many offers."""
    asyncio.run(_fill(url, listings, listings))
    execute(url, "vacuum analyze")


def seed_people(url: str, path: Path, *, people: int) -> None:
    """Let some participants sign in; their session tokens go to `path`, one a line."""
    tokens = [new_token(SESSION_PREFIX) for _ in range(people)]
    rows = ", ".join(f"({n}, '\\x{digest(token).hex()}'::bytea)" for n, token in enumerate(tokens))
    execute(
        url,
        "insert into person (id, email, name, password_hash, roles, participant_id) "
        "select id, reference || '@bench.example', name, '', array['participant'], id "
        f"from participant order by id limit {people}",
        "insert into sign_in (id, digest, person_id, expires_at) "
        "select gen_random_uuid(), given.digest, p.id, now() + interval '1 day' "
        f"from (values {rows}) as given(n, digest) "
        "join (select id, row_number() over (order by id) - 1 as n from person) p using (n)",
    )
    path.write_text("\n".join(tokens) + "\n")
