"""Events of other kinds in a real pretix, set up over its REST API as an organizer would."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

Json = dict[str, Any]
Ask = Callable[..., tuple[int, Json]]
"""`ask("POST", "/events/", body)` with all rights; below the organizer."""

KINDS: Final = ("N", "S", "T", "B", "C", "M", "D", "H", "W", "CC", "TEL")
SEATS: Final = ("A-1", "A-2", "A-3")


def make(ask: Ask, method: str, path: str, body: Json) -> Json:
    """What was made, or changed."""
    status, found = ask(method, path, body)
    assert status in (200, 201), (path, found)
    return found


def product(ask: Ask, event: str, *, size: int | None = 5, **more: Any) -> Json:
    """A product with a quota of its own."""
    body = {"name": {"de": "Platz"}, "default_price": "23.00", "active": True, **more}
    made = make(ask, "POST", f"/events/{event}/items/", body)
    quota = {"name": "q", "size": size, "items": [made["id"]], "variations": [], "subevent": None}
    quota["variations"] = [each["id"] for each in made["variations"]]
    make(ask, "POST", f"/events/{event}/quotas/", quota)
    return made


def gala(ask: Ask) -> tuple[int, dict[str, Json]]:
    """In German, in New York, in francs, not live; asks everything. Product, questions by kind."""
    event = {
        "name": {"de": "Gala", "de-informal": "Gala!"},
        "slug": "gala",
        "currency": "CHF",
        "date_from": "2099-05-01T18:00:00+02:00",
        "timezone": "America/New_York",
    }
    make(ask, "POST", "/events/", event)
    asked = ("attendee_names", "attendee_emails")
    settings: Json = {f"{name}_{what}": True for name in asked for what in ("asked", "required")}
    # A new event has the names of given_family; pretix 2026.8 can be told another once a start.
    settings |= {"locales": ["de"], "locale": "de"}
    make(ask, "PATCH", "/events/gala/settings/", settings)
    item = product(ask, "gala", admission=True, personalized=True, free_price=True)["id"]
    questions = {}
    for place, kind in enumerate(KINDS):
        body: Json = {
            "question": {"de": f"Frage {kind}"},
            "type": kind,
            "required": True,
            "items": [item],
            "position": place,
            "identifier": f"ID{kind}",
        }
        if kind in ("C", "M"):
            body["options"] = [
                {"identifier": f"{kind}{n}", "answer": {"de": f"Wahl {n}"}, "position": n}
                for n in (1, 2)
            ]
        questions[kind] = make(ask, "POST", "/events/gala/questions/", body)
    return item, questions


def hall(ask: Ask) -> int:
    """With three numbered seats, in test mode; returns its product."""
    seats = [
        {
            "seat_number": guid[-1],
            "seat_guid": guid,
            "uuid": f"0000000{guid[-1]}-0000-4000-8000-000000000000",
            "position": {"x": 20 * int(guid[-1]), "y": 0},
            "category": "Stalls",
        }
        for guid in SEATS
    ]
    origin = {"x": 0, "y": 0}
    row = {"row_number": "A", "seats": seats, "position": origin}
    layout = {
        "name": "Hall",
        "categories": [{"name": "Stalls", "color": "#7f4a91"}],
        "zones": [{"name": "Main", "position": origin, "rows": [row], "areas": []}],
        "size": {"width": 100, "height": 100},
    }
    plan = make(ask, "POST", "/seatingplans/", {"name": "Hall", "layout": layout})
    event = {
        "name": {"en": "Hall"},
        "slug": "hall",
        "testmode": True,
        "currency": "EUR",
        "date_from": "2099-05-01T18:00:00+02:00",
    }
    make(ask, "POST", "/events/", event)
    item = int(product(ask, "hall")["id"])
    seated = {"seating_plan": plan["id"], "seat_category_mapping": {"Stalls": item}}
    make(ask, "PATCH", "/events/hall/", seated)
    return item


def tour(ask: Ask) -> tuple[str, dict[str, str]]:
    """A series with variations: a sku that is sold, and by their trouble those that are not."""
    event = {
        "name": {"en": "Tour"},
        "slug": "tour",
        "currency": "EUR",
        "date_from": "2099-05-01T18:00:00+02:00",
        "has_subevents": True,
    }
    make(ask, "POST", "/events/", event)
    values = [{"value": {"en": name}, "default_price": "9.00"} for name in ("Child", "Adult")]
    body: Json = {"name": {"en": "Entry"}, "default_price": "19.00", "variations": values}
    item = make(ask, "POST", "/events/tour/items/", body)
    child, adult = (each["id"] for each in item["variations"])
    dates = []
    for day, disabled in (("2099-06-01", False), ("2099-06-02", True), ("2020-06-01", False)):
        date: Json = {
            "name": {"en": day},
            "active": True,
            "date_from": f"{day}T18:00:00Z",
            "item_price_overrides": [],
            "variation_price_overrides": [
                {"variation": child, "price": "4.50", "disabled": disabled}
            ],
            "meta_data": {},
        }
        made = make(ask, "POST", "/events/tour/subevents/", date)["id"]
        dates.append(made)
        for variations, size in (([child, adult], None), ([child], 3)):
            quota = {"name": "q", "size": size, "items": [item["id"]], "subevent": made}
            make(ask, "POST", "/events/tour/quotas/", {**quota, "variations": variations})
    sku = f"tour/{item['id']}"
    troubles = {
        "no_variation": sku,
        "no_date": f"{sku}/{child}",
        "not_on_date": f"{sku}/{child}/{dates[1]}",
        "over": f"{sku}/{child}/{dates[2]}",
        "date": f"{sku}/{child}/99999",
        "variation": f"{sku}/99999/{dates[0]}",
        "product": f"tour/99999/-/{dates[0]}",
    }
    return f"{sku}/{child}/{dates[0]}", troubles


def shelf(ask: Ask) -> dict[str, str]:
    """Products of one event that its shop would not sell, by their trouble."""
    event = {"name": {"en": "Fair"}, "slug": "fair", "currency": "EUR"}
    make(ask, "POST", "/events/", {**event, "date_from": "2099-05-01T18:00:00+02:00"})
    terms: dict[str, Json] = {
        "inactive": {"active": False},
        "voucher": {"require_voucher": True},
        "approval": {"require_approval": True},
        "bundled": {"require_bundling": True},
        "giftcard": {"issue_giftcard": True, "admission": False},
        "not_yet": {"available_from": "2098-01-01T00:00:00Z"},
        "no_longer": {"available_until": "2020-01-01T00:00:00Z"},
        "channel": {"all_sales_channels": False, "limit_sales_channels": []},
    }
    skus = {name: f"fair/{product(ask, 'fair', **more)['id']}" for name, more in terms.items()}
    extras = make(ask, "POST", "/events/fair/categories/", {"name": {"en": "+"}, "is_addon": True})
    addon = {"addon_category": extras["id"], "min_count": 1, "max_count": 1, "position": 0}
    item = product(ask, "fair")["id"]
    make(ask, "POST", f"/events/fair/items/{item}/addons/", addon)
    terms = _of_accounts(ask)
    skus |= {name: f"fair/{product(ask, 'fair', **more)['id']}" for name, more in terms.items()}
    photo = product(ask, "fair")["id"]
    question = {"question": {"en": "Photo"}, "type": "F", "required": True, "items": [photo]}
    make(ask, "POST", "/events/fair/questions/", {**question, "identifier": "P", "position": 0})
    kit, part = product(ask, "fair")["id"], product(ask, "fair", active=False)["id"]
    bundle = {"bundled_item": part, "count": 1, "designated_price": "0.00"}
    make(ask, "POST", f"/events/fair/items/{kit}/bundles/", bundle)
    skus |= {"question": f"fair/{photo}", "bundles": f"fair/{kit}"}
    body = {"name": {"en": "Loose"}, "default_price": "1.00", "active": True}
    loose = make(ask, "POST", "/events/fair/items/", body)["id"]
    return {**skus, "addons": f"fair/{item}", "quota": f"fair/{loose}"}


def _of_accounts(ask: Ask) -> dict[str, Json]:
    """Terms of products that are for who has an account, or hidden while others are sold."""
    kind = {"name": {"en": "Friends"}, "transferable": False, "allow_parallel_usage": False}
    friends = make(ask, "POST", "/membershiptypes/", kind)["id"]
    other = product(ask, "fair")["id"]
    return {
        "membership": {"require_membership": True, "require_membership_types": [friends]},
        "account": {"grant_membership_type": friends},
        "hidden": {"hidden_if_item_available": other},
    }


def kit(ask: Ask) -> tuple[str, int]:
    """A product with two dinners that requires addresses: its sku, and the dinner's id."""
    event = {"name": {"en": "Kit"}, "slug": "kit", "currency": "EUR", "location": {"en": "Hall 1"}}
    make(ask, "POST", "/events/", {**event, "date_from": "2099-05-01T18:00:00+02:00"})
    settings = {f"attendee_addresses_{what}": True for what in ("asked", "required")}
    make(ask, "PATCH", "/events/kit/settings/", settings)
    dinner = product(ask, "kit", name={"en": "Dinner"}, require_bundling=True)["id"]
    item = product(ask, "kit", admission=True, personalized=True)["id"]
    bundle = {"bundled_item": dinner, "bundled_variation": None, "count": 2}
    make(ask, "POST", f"/events/kit/items/{item}/bundles/", {**bundle, "designated_price": "3.00"})
    return f"kit/{item}", dinner
