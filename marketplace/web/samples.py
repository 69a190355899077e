"""What the living style page shows in its components: made-up rewards, words and figures."""

from __future__ import annotations

from typing import Any

from marketplace.web.charts import Bars, Chart, Series, Shape
from marketplace.web.flows import Flows, Payment

OFFERS: list[dict[str, Any]] = [
    {
        "href": "#content",
        "title": "Two cinema seats, any film",
        "partner": "Kino Pod Baranami",
        "points": 4_200,
        "micros": 36_000_000,
        "badges": [("New", "warm")],
        "note": "Code by e-mail, usually within a minute",
    },
    {
        "href": "#content",
        "title": "Workshop voucher with a rather long name that needs two lines",
        "partner": "Officina Bianchi",
        "points": 12_500,
        "micros": 100_000_000,
        "badges": [("Only 3 left", "care")],
    },
    {
        "href": "#content",
        "title": "A tree planted in your name",
        "partner": "Green Hectare",
        "points": 900,
        "micros": 7_650_000,
        "badges": [("Charity", "good")],
        "note": "Receipt for your records",
    },
    {
        "href": "#content",
        "title": "Conference day pass",
        "partner": "Trade Summit",
        "points": 31_000,
        "micros": 250_000_000,
        "reason": "You have 12,480 points: 18,520 more and it is yours.",
    },
]
STEPS_OPEN = [
    {"title": "Points held", "note": "4,200 points are set aside, not spent.", "state": "done"},
    {
        "title": "The partner has not confirmed yet",
        "note": "Usually within a minute. You may close this page.",
        "state": "now",
    },
    {"title": "Reward ready", "note": None, "state": "next"},
]
STEPS_ENDED = [
    {"title": "Points held", "note": "14 March, 15:09", "state": "done"},
    {
        "title": "The partner could not deliver",
        "note": "Your 4,200 points are back in your wallet.",
        "state": "failed",
    },
]
LINES = [
    ("Points from Alpha Tools", "14 March, invoice A-1044", "+1,250"),
    ("Two cinema seats", "12 March, held until the partner confirms", "-4,200"),
    ("Expired", "1 March, points of March 2024", "-80"),
]
COLUMNS = [
    {"label": "Lot", "number": False},
    {"label": "From", "number": False},
    {"label": "Points", "number": True},
    {"label": "Expires", "number": True},
]
ROWS = [
    ["March 2026", "Alpha Tools", "1,250", "31 Mar 2028"],
    ["January 2026", "Beta Paints", "8,030", "31 Jan 2028"],
    ["October 2025", "Alpha Tools", "3,200", "30 Apr 2026"],
]
CHIPS = [
    {"label": "All", "href": "#content", "on": True, "count": 128},
    {"label": "Gift cards", "href": "#content", "on": False, "count": 61},
    {"label": "Charity", "href": "#content", "on": False, "count": 12},
    {"label": "I can afford it", "href": "#content", "on": False, "count": None},
]

WEEK = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"]
CHARTS = [
    Chart(
        title="Orders a day",
        label="Day",
        labels=WEEK,
        series=[
            Series("Delivered", [12, 18, 9, 22, 30, 4, 2]),
            Series("Waiting", [0, 0, 1, 0, 2, 3, 5], "warm"),
            Series("Not delivered", [0, 2, 0, 0, 1, 0, 0], "bad"),
        ],
    ),
    Chart(
        title="Points, day by day",
        label="Day",
        labels=WEEK,
        series=[
            Series("Issued", [3_100, 4_000, 2_200, 800, 5_200, 0, 100]),
            Series("Burnt", [1_000, 1_800, 4_200, 2_600, 900, 3_000, 2_400], "warm"),
        ],
        shape=Shape.BESIDE,
    ),
    Chart(
        title="Codes left",
        label="Day",
        labels=WEEK,
        series=[Series("Codes", [90, 84, 71, 300, 288, 262, 240], "told")],
        shape=Shape.LINE,
    ),
    Chart(title="Nothing", label="Day", labels=WEEK, series=[Series("Orders", [0] * 7)]),
]
RANKING = Bars(
    title="By offer",
    label="Offer",
    value="Orders",
    rows=[("Two cinema seats, any film", 41), ("Workshop voucher", 17), ("A tree", 2)],
)

FLOWS = Flows(
    title="Who owes whom",
    currency="EUR",
    payer="Owes",
    payee="Is owed",
    amount="Amount",
    others="All others",
    rows=[
        Payment("Acme Tools", "Cinema Lux", 412_500_000, "#content"),
        Payment("Acme Tools", "Trees for All", 61_000_000),
        Payment("Beta Paints", "Cinema Lux", 88_250_000),
        Payment("Beta Paints", "The operator", 12_400_000),
        Payment("Cinema Lux", "The operator", 5_100_000),
    ],
)

SAMPLES: dict[str, Any] = {
    "offers": OFFERS,
    "steps_open": STEPS_OPEN,
    "steps_ended": STEPS_ENDED,
    "lines": LINES,
    "columns": COLUMNS,
    "rows": ROWS,
    "chip_items": CHIPS,
    "charts": CHARTS,
    "ranking": RANKING,
    "flows": FLOWS,
    "colours": [
        "paper", "surface", "sunken", "ink", "ink-soft", "line", "line-strong",
        "deep", "deep-soft", "warm", "warm-soft", "good", "told", "care", "bad",
    ],
}  # fmt: skip
