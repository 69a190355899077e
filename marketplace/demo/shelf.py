"""The demonstration's offers, as short recipes; `offers()` spells them out. With three campaigns
of charities (`causes.py`) they are sixty.
"""

from __future__ import annotations

from typing import Final

import msgspec

POINTS_PER_EURO: Final = 150
"""At EUR 0.0075 a point, the lowest price of any contract, EUR 1.125 for a face value of EUR 1."""

GIFT_PLUGIN: Final = "giftfund"
VOUCHER_PLUGIN: Final = "vouchers"
CAUSE_PLUGIN: Final = "charity"
GRACE_MINUTES: Final = 10
"""How long a gift can be taken back."""


class DemoOffer(msgspec.Struct, frozen=True, kw_only=True):
    """One offer; `codes` is how many codes its pool gets (gift offers only).

    `face_euros` is what a voucher is worth at the tills of the coalition.
    """

    reference: str
    kind: str
    name: str
    acceptor: str
    plugin: str
    points: int
    cost_micros: int
    codes: int = 0
    face_euros: int | None = None
    single_use: bool = False
    limit_per_wallet: int | None = None
    roles: tuple[str, ...] = ()
    countries: tuple[str, ...] = ()
    status: str = "announced"


# acceptor, reference, name, face values in euros, what the acceptor is paid of it in per cent
CERTIFICATES: Final = (
    ("kartenkontor", "buch", "Leselampe book certificate", (10, 25, 50), 94),
    ("kartenkontor", "sport", "Gipfelglück outdoor certificate", (25, 50, 100), 92),
    ("kartenkontor", "garten", "Grünzeug garden certificate", (20, 40), 91),
    ("kartenkontor", "kino", "Lichtspielhaus cinema code", (12, 24), 88),
    ("kartenkontor", "technik", "Funkenflug electronics certificate", (50, 100, 250), 97),
    ("carte-celeste", "saveurs", "Saveurs de Lyon delicatessen card", (30, 60), 93),
    ("carte-celeste", "parfum", "Maison Violette perfume card", (40, 80), 90),
    ("carte-celeste", "livre", "La Page Blanche book card", (15, 30), 94),
    ("carte-celeste", "jeux", "Petit Château toys card", (20, 45), 92),
    ("valdorra", "taller", "Valdorra tool credit", (25, 75, 150), 85),
    ("havenwerk", "fiets", "Havenwerk bicycle credit", (60, 120), 88),
    ("havenwerk", "koffie", "Kade 9 coffee code", (5, 10), 80),
)
"""Twenty-eight gift offers, on sale."""

PROMOTIONS: Final = (
    ("kartenkontor", "promo-stream", "Three months of Klangwelle music", 18, 60, 1, ()),
    ("carte-celeste", "promo-cours", "Evening cooking class, Atelier Sauge", 70, 75, 1, ()),
    ("havenwerk", "promo-laars", "Safety boots, new season", 90, 70, 2, ("technician",)),
    ("valdorra", "promo-sierra", "Track saw trial week", 35, 50, 1, ("technician", "manager")),
)
"""Four promo codes with a limit for each participant: reference, name, euros, per cent, limit."""

VOUCHERS: Final = (
    ("douro", "Two nights in the Douro valley", 240),
    ("porto", "A night in Porto, old town", 130),
    ("lisboa", "Lisbon weekend for two", 310),
    ("algarve", "Five nights in Tavira", 520),
    ("madeira", "A week in Funchal", 890),
    ("spa", "Thermal day in Chaves", 75),
    ("brunch", "Sunday brunch for two", 55),
    ("prova", "Port tasting at the river", 45),
    ("jantar", "Dinner at Mesa do Norte", 110),
    ("upgrade", "Room upgrade, any house", 60),
)
"""Ten vouchers that every member of the coalition accepts; an upgrade is used whole, one each."""

SEATS: Final = (
    ("vilnius-opening", "Baltic Building Days, opening", 12),
    ("vilnius-pass", "Baltic Building Days, full pass", 490),
    ("heat-pumps", "Heat pump masterclass, Kaunas", 260),
    ("roofs", "Green roofs workshop, Riga", 220),
    ("wiring", "Smart wiring lab, Tallinn", 240),
    ("tenders", "Winning public tenders, online", 90),
    ("bim", "BIM for small firms, online", 85),
    ("safety", "Site safety refresher, Gdańsk", 120),
    ("women", "Women in trades evening", 40),
)

DONATIONS: Final = (
    ("pump", "A hand pump for a school", 50),
    ("filter", "Ten water filters", 20),
    ("training", "A plumber's training day", 35),
    ("tests", "A month of water tests", 15),
    ("emergency", "Emergency water, one family", 30),
    ("any", "Where it is needed most", 5),
)


def offers() -> list[DemoOffer]:
    """All offers but those of campaigns, which are made with them."""
    return [*_certificates(), *_promotions(), *_vouchers(), *_announced()]


def _offer(
    *, acceptor: str, reference: str, euros: int, share: int, kind: str, name: str, **more: object
) -> DemoOffer:
    given: dict[str, object] = {
        "reference": f"{acceptor}/{reference}",
        "kind": kind,
        "name": name,
        "acceptor": acceptor,
        "points": euros * POINTS_PER_EURO,
        "cost_micros": euros * share * 10_000,
        **more,
    }
    return msgspec.convert(given, DemoOffer)


def _certificates() -> list[DemoOffer]:
    return [
        _offer(
            acceptor=acceptor,
            reference=f"{slug}-{euros}",
            euros=euros,
            share=share,
            kind="gift",
            name=f"{name}, EUR {euros}",
            plugin=GIFT_PLUGIN,
            codes=max(15, 1800 // euros),
            status="on_sale",
        )
        for acceptor, slug, name, faces, share in CERTIFICATES
        for euros in faces
    ]


def _promotions() -> list[DemoOffer]:
    return [
        _offer(
            acceptor=acceptor,
            reference=slug,
            euros=euros,
            share=share,
            kind="gift",
            name=name,
            plugin=GIFT_PLUGIN,
            codes=75,
            limit_per_wallet=limit,
            roles=roles,
            status="on_sale",
        )
        for acceptor, slug, name, euros, share, limit, roles in PROMOTIONS
    ]


def _vouchers() -> list[DemoOffer]:
    return [
        _offer(
            acceptor="atlantico",
            reference=slug,
            euros=euros,
            share=85,
            kind="voucher",
            name=name,
            plugin=VOUCHER_PLUGIN,
            face_euros=euros,
            single_use=slug == "upgrade",
            limit_per_wallet=1 if slug == "upgrade" else None,
            status="on_sale",
        )
        for slug, name, euros in VOUCHERS
    ]


def _announced() -> list[DemoOffer]:
    rows = [
        ("seat", "conference", "forum-baltica", SEATS, 90),
        ("donation", CAUSE_PLUGIN, "acqua-chiara", DONATIONS, 100),
    ]
    return [
        _offer(
            acceptor=acceptor,
            reference=slug,
            euros=euros,
            share=share,
            kind=kind,
            name=name,
            plugin=plugin,
        )
        for kind, plugin, acceptor, table, share in rows
        for slug, name, euros in table
    ]
