"""The demonstration's charities and campaigns: the story, and who gives what when. No I/O.

Two members are charities too. What they collect for is told in four languages, as the catalog is.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from datetime import date, datetime, timedelta
from typing import Any, Final

import msgspec

from marketplace.demo.accounts import PLACES
from marketplace.demo.plan import MONTH, SEED, Day, DemoPerson, Fate, Wish
from marketplace.demo.shelf import CAUSE_PLUGIN, GRACE_MINUTES, DemoOffer
from marketplace.demo.words import LANGUAGES, Words

RATE_MICROS: Final = 7_000
"""What a charity gets for a point: below the lowest price of any contract."""
EURO: Final = 1_000_000
GIFTS_A_DAY: Final = 6
LEAST, MOST = 100, 900
"""Points of a gift."""
BEFORE: Final = MONTH * 9
"""How long ago campaigns of before have ended, and those that run began."""
REVIEWED_FOR: Final = timedelta(days=760)


class DemoCharity(msgspec.Struct, frozen=True):
    """A charity, registered and verified."""

    member: str
    name: str
    country: str
    number: str
    document: str


class DemoMatch(msgspec.Struct, frozen=True):
    """A member that adds to gifts."""

    member: str
    ratio_bps: int
    cap_points: int
    mode: str


class DemoCampaign(msgspec.Struct, frozen=True, kw_only=True):
    """A campaign: what it promises, its words, its picture and who matches."""

    slug: str
    charity: str
    goal_euros: int
    surplus: str
    titles: Words
    stories: Words
    designation: str
    shown: Words
    """What is seen on the picture."""
    form: str
    """What is drawn, as `pictures.FORMS` knows it."""
    steps: tuple[tuple[int, Words], ...]
    match: DemoMatch | None = None
    months: tuple[int, int | None]
    """Months of the story in which it begins and ends."""

    @property
    def reference(self) -> str:
        """Of its offer."""
        return f"{CAUSE_PLUGIN}/{self.slug}"

    @property
    def offer(self) -> DemoOffer:
        """The offer that gifts to it are burns of."""
        return DemoOffer(
            reference=self.reference,
            kind="donation",
            name=self.titles[0],
            acceptor=self.charity,
            plugin=CAUSE_PLUGIN,
            points=1,
            cost_micros=RATE_MICROS,
            status="on_sale",
        )


CHARITIES: Final = (
    DemoCharity(
        "acqua-chiara", "Fondazione Acqua Chiara", "IT", "94121000544",
        "Extract of the register of foundations, Perugia",
    ),
    DemoCharity(
        "forum-baltica", "Forum Baltica, public institution", "LT", "100417016",
        "Extract of the register of legal entities, Vilnius",
    ),
)  # fmt: skip
CAMPAIGNS: Final = (
    DemoCampaign(
        slug="spring-repairs",
        charity="acqua-chiara",
        goal_euros=240,
        surplus="next_campaign",
        titles=(
            "Six springs, repaired", "Починим шесть родников", "Naprawa sześciu źródeł",
            "Sei sorgenti da riparare",
        ),
        stories=(
            "Six old springs above Perugia had run dry or dirty. New catchments, new pipes, and a "
            "plumber from each village who knows how to keep them.\n\nThe work is done: all six "
            "run "
            "clear again.",
            "Шесть старых родников над Перуджей пересохли или помутнели. Новые каптажи, новые "
            "трубы "
            "и по сантехнику в каждой деревне, который знает, как за ними следить.\n\nРабота "
            "закончена: все шесть снова чистые.",
            "Sześć starych źródeł nad Perugią wyschło albo zmętniało. Nowe ujęcia, nowe rury i w "
            "każdej wsi hydraulik, który wie, jak o nie dbać.\n\nPraca skończona: wszystkie sześć "
            "znów bije czystą wodą.",
            "Sei vecchie sorgenti sopra Perugia erano asciutte o torbide. Nuove prese, nuovi tubi "
            "e "
            "in ogni paese un idraulico che sa come curarle.\n\nIl lavoro è finito: tutte e sei "
            "scorrono di nuovo limpide.",
        ),
        designation="Catchments and pipes",
        shown=(
            "A drop above rings on water", "Капля над кругами на воде",
            "Kropla nad kręgami na wodzie", "Una goccia sopra cerchi nell'acqua",
        ),
        form="donation",
        steps=(
            (120, ("Three springs run", "Три родника работают", "Trzy źródła biją",
                  "Tre sorgenti scorrono")),
        ),
        months=(0, 8),
    ),
    DemoCampaign(
        slug="ten-wells",
        charity="acqua-chiara",
        goal_euros=600,
        surplus="general_fund",
        titles=(
            "Ten wells for ten villages", "Десять колодцев для десяти деревень",
            "Dziesięć studni dla dziesięciu wsi", "Dieci pozzi per dieci paesi",
        ),
        stories=(
            "In ten villages people still walk an hour for water. Each well is dug together with "
            "those who will drink from it, and two of them learn to repair the pump.\n\nYou can "
            "follow your gift from your wallet to the foundation's bank account.",
            "В десяти деревнях за водой до сих пор ходят целый час. Каждый колодец роют вместе с "
            "теми, кто будет из него пить, и двое из них учатся чинить насос.\n\nПуть вашего "
            "подарка виден от кошелька до счёта фонда в банке.",
            "W dziesięciu wsiach po wodę wciąż idzie się godzinę. Każdą studnię kopią razem z nami "
            "ci, którzy będą z niej pić, a dwoje z nich uczy się naprawiać pompę.\n\nDrogę daru "
            "widać od portfela aż po konto fundacji w banku.",
            "In dieci paesi si cammina ancora un'ora per l'acqua. Ogni pozzo si scava insieme a "
            "chi "
            "ne berrà, e due di loro imparano a riparare la pompa.\n\nPuoi seguire il tuo dono dal "
            "portafoglio fino al conto della fondazione.",
        ),
        designation="Digging, pumps and training",
        shown=(
            "A drop falls into a well", "Капля падает в колодец", "Kropla spada do studni",
            "Una goccia cade in un pozzo",
        ),
        form="donation",
        steps=(
            (60, ("The first well", "Первый колодец", "Pierwsza studnia", "Il primo pozzo")),
            (300, ("Half of the villages", "Половина деревень", "Połowa wsi", "Metà dei paesi")),
            (600, ("All ten wells", "Все десять колодцев", "Wszystkie dziesięć studni",
                   "Tutti e dieci i pozzi")),
        ),
        match=DemoMatch("brennero", 5_000, 30_000, "billed"),
        months=(5, None),
    ),
    DemoCampaign(
        slug="first-tools",
        charity="forum-baltica",
        goal_euros=400,
        surplus="general_fund",
        titles=(
            "First tools for apprentices", "Первый инструмент для учеников",
            "Pierwsze narzędzia dla uczniów", "I primi attrezzi per gli apprendisti",
        ),
        stories=(
            "A good set of tools costs an apprentice two months' wages. Schools in Kaunas, Riga "
            "and "
            "Gdańsk say who needs one; the forum buys it and hands it over with a name engraved.",
            "Хороший набор инструмента стоит ученику двух зарплат. Училища Каунаса, Риги и "
            "Гданьска "
            "говорят, кому он нужен; форум покупает его и вручает с выгравированным именем.",
            "Dobry zestaw narzędzi kosztuje ucznia dwie pensje. Szkoły w Kownie, Rydze i Gdańsku "
            "mówią, komu go trzeba; forum kupuje zestaw i wręcza go z wygrawerowanym imieniem.",
            "Una buona cassetta di attrezzi costa a un apprendista due stipendi. Le scuole di "
            "Kaunas, Riga e Danzica dicono a chi serve; il forum la compra e la consegna con il "
            "nome inciso.",
        ),
        designation="Tool sets of 80 euros",
        shown=(
            "Rows of seats in a workshop", "Ряды мест в мастерской",
            "Rzędy miejsc w warsztacie", "File di posti in un'officina",
        ),
        form="seat",
        steps=(
            (80, ("The first set", "Первый набор", "Pierwszy zestaw", "La prima cassetta")),
            (240, ("Three sets", "Три набора", "Trzy zestawy", "Tre cassette")),
        ),
        match=DemoMatch("havenwerk", 10_000, 40_000, "prefunded"),
        months=(5, None),
    ),
)  # fmt: skip


def documents(begins: datetime, now: datetime) -> Iterator[tuple[DemoCampaign, dict[str, Any]]]:
    """What `charity start` reads of each campaign, in the order in which they start.

    `begins`: of the story. What should have begun begins now; what has ended never was.
    """
    for each in CAMPAIGNS:
        first, last = each.months
        starts = begins + MONTH * first
        ends = None if last is None else begins + MONTH * last
        if ends is not None and ends <= now:
            continue
        document = {
            "slug": each.slug,
            "charity": each.charity,
            "currency": "EUR",
            "rate_micros": RATE_MICROS,
            "goal_micros": each.goal_euros * EURO,
            "surplus": each.surplus,
            "texts": {
                code: {"title": title, "story": story}
                for code, title, story in zip(LANGUAGES, each.titles, each.stories, strict=True)
            },
            "designation": each.designation,
            "grace_minutes": GRACE_MINUTES,
            "milestones": [
                {
                    "amount_micros": euros * EURO,
                    "words": dict(zip(LANGUAGES, words, strict=True)),
                }
                for euros, words in each.steps
            ],
        }
        if starts > now:
            document["starts_at"] = starts.isoformat()
        if ends is not None:
            document["ends_at"] = ends.isoformat()
        yield each, document


def registered(charity: DemoCharity) -> tuple[str, ...]:
    """Arguments of `charity register`."""
    return (
        charity.member,
        *("--member", charity.member, "--name", charity.name),
        *("--country", charity.country, "--number", charity.number),
        *("--iban", PLACES[charity.member].iban),
    )


def verified(charity: DemoCharity, on: date) -> tuple[str, ...]:
    """Arguments of `charity verify`."""
    return (
        charity.member,
        *("--document", charity.document, "--on", f"{on}"),
        *("--review-due", f"{on + REVIEWED_FOR}"),
    )


def with_gifts(days: Sequence[Day], people: Sequence[DemoPerson], begins: datetime) -> list[Day]:
    """The days, on which some people give too; who has too few points is refused, as in life."""
    draw = random.Random(SEED + 2)  # noqa: S311 - a story, not a secret
    return [
        msgspec.structs.replace(day, wishes=[*day.wishes, *_gifts(draw, day, people, begins)])
        if day.wishes
        else day
        for day in days
    ]


def gifts_before(now: datetime, people: Sequence[DemoPerson]) -> Day:
    """What people give a little before `now`, to campaigns that run then; none is still held."""
    day = Day(now - timedelta(minutes=GRACE_MINUTES + 5), [], [])
    draw = random.Random(f"{SEED} {now:%Y%m%d}")  # noqa: S311 - a story, not a secret
    return msgspec.structs.replace(day, wishes=list(_gifts(draw, day, people, now - BEFORE)))


def _gifts(
    draw: random.Random, day: Day, people: Sequence[DemoPerson], begins: datetime
) -> Iterator[Wish]:
    month = (day.at - begins) / MONTH
    running = [
        each
        for each in CAMPAIGNS
        if each.months[0] < month and (each.months[1] is None or month < each.months[1])
    ]
    for person in draw.sample(people, GIFTS_A_DAY) if running else []:
        yield Wish(
            f"gift-{day.at:%Y%m%d}-{person.reference}",
            person.reference,
            draw.choice(running).offer,
            Fate.FULFILLED,
            draw.randrange(LEAST, MOST),
        )
