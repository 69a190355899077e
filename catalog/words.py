"""What a word finds, by PostgreSQL's full text search; misspelt words find what is spelt alike.

A word is asked once: a shelf remembers which of its listings it finds, and how well. Documents and
words lose case and accents first, then each language's own configuration reduces them to stems.
Polish has none in PostgreSQL: its words also find what begins like them but for an ending.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Any, Final

import msgspec

from catalog.bits import from_numbers
from catalog.layouts import other_layout
from catalog.schemas import Correction
from catalog.shelf import Shelf

REMEMBERED: Final = 4_000
"""Words a shelf remembers at most."""
SHORTEST_MISSPELT: Final = 3
CANDIDATES: Final = 60
TAKEN: Final = 3
"""Most words taken in place of a misspelt one."""
SIMILAR: Final = 0.11
"""Trigrams shared by what is looked at; edit distance decides."""

# `exact` has the stems of every language, `begins` prefixes for the word being typed, `loose` what
# a Polish word is without its ending. A match scores its level (4 in the title, 3 in tags, place,
# partner and category, 2 in the summary, 1 in the body) times ten if exact, seven if loose, six if
# it only begins so; and two more in the reader's own language.
FIND: Final = """
with asked as materialized (
    select n, plain,
           plainto_tsquery('english', plain) || plainto_tsquery('russian', plain)
             || plainto_tsquery('italian', plain) || plainto_tsquery('simple', plain) as exact,
           case when begins then
               to_tsquery('simple', quote_literal(plain) || ':*')
               || to_tsquery('english', quote_literal(plain) || ':*')
               || to_tsquery('russian', quote_literal(plain) || ':*')
               || to_tsquery('italian', quote_literal(plain) || ':*')
           end as begins,
           case when char_length(plain) > 4 then
               to_tsquery('simple', quote_literal(
                   left(plain, char_length(plain) - case when char_length(plain) > 5 then 2
                                                    else 1 end)) || ':*')
           end as loose,
           numnode(plainto_tsquery(catalog_config($3), plain)) = 0 as stop
    from (
        select n, catalog_plain(word) as plain, begins
        from unnest($1::text[], $2::boolean[]) with ordinality as given(word, begins, n)
    ) as plainly
)
select a.n::int, a.plain, a.stop, f.score, f.listings
from asked a
left join lateral (
    select score, array_agg(listing_id) as listings
    from (
        select s.listing_id, 10 * s.level + case when s.locale = $3 then 2 else 0 end as score
        from catalog_search s where s.document @@ a.exact
        union all
        select s.listing_id, 7 * s.level + case when s.locale = $3 then 2 else 0 end
        from catalog_search s where s.document @@ a.loose
          and split_part(s.locale, '-', 1) not in ('en', 'ru', 'it')
        union all
        select s.listing_id, 6 * s.level + case when s.locale = $3 then 2 else 0 end
        from catalog_search s where s.document @@ a.begins
    ) scored
    group by score
) f on true
"""

ALIKE: Final = """
select a.n::int, w.word
from unnest($1::text[]) with ordinality as a(plain, n)
cross join lateral (
    select word from catalog_word
    where word % a.plain
    group by word
    order by similarity(word, a.plain) desc, word
    limit $2
) w
"""


class Match(msgspec.Struct, frozen=True):
    """What a word finds on one shelf."""

    tiers: tuple[tuple[int, int], ...]
    """(score, set of listings), best first; a listing is in one tier."""
    any: int
    """All of them."""
    stop: bool = False
    """A word of the reader's language that says nothing ("the")."""
    taken: tuple[str, ...] = ()
    """Words taken in its place, where it finds nothing itself."""


Asked = tuple[str, bool]
"""A word, and whether it may be the beginning of a longer one."""


def asked_of(words: Sequence[str], text: str) -> list[Asked]:
    """The words of a search; the last one is still being typed unless a blank follows it."""
    typing = bool(text) and text[-1].isalnum()
    return [(word, typing and word == words[-1]) for word in words]


def known(shelf: Shelf, asked: Iterable[Asked], locale: str) -> list[Match] | None:
    """What the words find, where the shelf remembers all of them."""
    found = []
    for word, begins in asked:
        match = shelf.words.get((locale, word, begins))
        if match is None:
            return None
        found.append(match)
    return found


async def resolve(
    connection: Any, shelf: Shelf, asked: Sequence[Asked], locale: str
) -> list[Match]:
    """What the words find; asks PostgreSQL for those that the shelf does not remember."""
    unknown = [each for each in asked if (locale, *each) not in shelf.words]
    if unknown:
        if len(shelf.words) > REMEMBERED:
            shelf.words.clear()
            unknown = list(asked)
        made = await _ask(connection, shelf, unknown, locale)
        shelf.words.update(
            {(locale, *each): match for each, match in zip(unknown, made, strict=True)}
        )
    return [shelf.words[locale, *each] for each in asked]


async def _ask(connection: Any, shelf: Shelf, asked: Sequence[Asked], locale: str) -> list[Match]:
    plains, matches = await _find(connection, shelf, asked, locale)
    lost = [
        at
        for at, match in enumerate(matches)
        if not match.any and not match.stop and _may_be_misspelt(plains[at])
    ]
    lost = await _typed_elsewhere(connection, shelf, asked, locale, lost, matches)
    if lost:
        for at, taken in (await _alike(connection, plains, asked, lost)).items():
            _, found = await _find(connection, shelf, [(word, False) for word in taken], locale)
            matches[at] = _merged(found, tuple(taken))
    return matches


async def _typed_elsewhere(
    connection: Any,
    shelf: Shelf,
    asked: Sequence[Asked],
    locale: str,
    lost: Sequence[int],
    matches: list[Match],
) -> list[int]:
    """Find what was typed on the wrong keyboard; returns those that are lost still."""
    meant = {at: other for at in lost if (other := other_layout(asked[at][0])) is not None}
    if meant:
        words = [(word, asked[at][1]) for at, word in meant.items()]
        _, found = await _find(connection, shelf, words, locale)
        for (at, word), match in zip(meant.items(), found, strict=True):
            if match.any:
                matches[at] = _merged([match], (word,))
    return [at for at in lost if not matches[at].any]


async def _find(
    connection: Any, shelf: Shelf, asked: Sequence[Asked], locale: str
) -> tuple[list[str], list[Match]]:
    rows = await connection.fetch(
        FIND, [word for word, _ in asked], [begins for _, begins in asked], locale
    )
    plains, stops = [""] * len(asked), [False] * len(asked)
    tiers: list[dict[int, int]] = [{} for _ in asked]
    for n, plain, stop, score, listings in rows:
        plains[n - 1], stops[n - 1] = plain, stop
        if score is not None:
            found = [shelf.numbers[each] for each in listings if each in shelf.numbers]
            tiers[n - 1][score] = from_numbers(found)
    return plains, [_match(each, stop) for each, stop in zip(tiers, stops, strict=True)]


def _match(tiers: dict[int, int], stop: bool = False, taken: tuple[str, ...] = ()) -> Match:
    """Tiers best first, each listing only in its best."""
    seen, made = 0, []
    for score in sorted(tiers, reverse=True):
        own = tiers[score] & ~seen
        seen |= own
        if own:
            made.append((score, own))
    return Match(tuple(made), seen, stop, taken)


def _merged(matches: Iterable[Match], taken: tuple[str, ...]) -> Match:
    """What any of the words finds, at half its score."""
    tiers: dict[int, int] = defaultdict(int)
    for match in matches:
        for score, found in match.tiers:
            tiers[score // 2] |= found
    return _match(tiers, taken=taken if tiers else ())


def _may_be_misspelt(plain: str) -> bool:
    return len(plain) >= SHORTEST_MISSPELT and not plain.isdigit()


async def _alike(
    connection: Any, plains: Sequence[str], asked: Sequence[Asked], lost: Sequence[int]
) -> dict[int, list[str]]:
    """For each lost word, the known words nearest to it."""
    await connection.execute(f"set local pg_trgm.similarity_threshold = {SIMILAR}")
    rows = await connection.fetch(ALIKE, [plains[at] for at in lost], CANDIDATES)
    found: dict[int, list[tuple[int, str]]] = defaultdict(list)
    for n, word in rows:
        at = lost[n - 1]
        allowed = 1 if len(plains[at]) < 5 else 2
        away = distance(plains[at], word)
        if asked[at][1] and len(word) > len(plains[at]):
            away = min(away, distance(plains[at], word[: len(plains[at])]))
        if away <= allowed:
            found[at].append((away, word))
    return {
        at: [word for away, word in sorted(each) if away == min(each)[0]][:TAKEN]
        for at, each in found.items()
    }


def distance(one: str, other: str) -> int:
    """Letters to add, drop, change or swap with their neighbour to make one word the other."""
    if abs(len(one) - len(other)) > 2:
        return 3
    before: list[int] = []
    last = list(range(len(other) + 1))
    for i, a in enumerate(one, start=1):
        row = [i]
        for j, b in enumerate(other, start=1):
            cost = min(last[j] + 1, row[j - 1] + 1, last[j - 1] + (a != b))
            if i > 1 and j > 1 and a == other[j - 2] and one[i - 2] == b:
                cost = min(cost, before[j - 2] + 1)
            row.append(cost)
        before, last = last, row
    return last[-1]


def combine(
    matches: Sequence[Match], everything: int, *, scored: bool = True
) -> list[tuple[int, int]]:
    """Listings that as many words as possible find, in tiers of their scores, best first.

    In one tier where nobody asks for scores.
    """
    told = [match for match in matches if match.any or not match.stop]
    if not told:
        return [(0, everything)]
    common = everything
    for match in told:
        common &= match.any
    if not common:
        return _most_words(told, everything)
    if not scored:
        return [(0, common)]
    tiers = {0: common}
    for match in told:
        made: dict[int, int] = defaultdict(int)
        for score, found in tiers.items():
            for more, own in match.tiers:
                if both := found & own:
                    made[score + more] |= both
        tiers = made
    return sorted(tiers.items(), reverse=True)


def _most_words(told: Sequence[Match], everything: int) -> list[tuple[int, int]]:
    """The same where no listing is found by all words."""
    tiers: dict[tuple[int, int], int] = {(0, 0): everything}
    for match in told:
        made: dict[tuple[int, int], int] = defaultdict(int)
        for (words, score), found in tiers.items():
            for more, own in match.tiers:
                if both := found & own:
                    made[words + 1, score + more] |= both
            if rest := found & ~match.any:
                made[words, score] |= rest
        tiers = made
    most = max((words for words, _ in tiers), default=0)
    if not most:
        return []
    return [
        (score, tiers[words, score])
        for words, score in sorted(tiers, reverse=True)
        if words == most
    ]


def corrections(asked: Sequence[Asked], matches: Sequence[Match]) -> tuple[Correction, ...]:
    """The words that were taken to mean others."""
    return tuple(
        Correction(word=word, taken=match.taken)
        for (word, _), match in zip(asked, matches, strict=True)
        if match.taken
    )
