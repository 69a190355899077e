"""Requests of the API, answered from the world."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, TypeAlias

from marketplace_stripe.double import payments, transfers
from marketplace_stripe.double.params import fault
from marketplace_stripe.double.world import World, invalid

Asked: TypeAlias = dict[str, Any]
KINDS: Final = {
    "customers": "customer",
    "payment_intents": "payment_intent",
    "transfers": "transfer",
    "accounts": "account",
    "charges": "charge",
    "disputes": "dispute",
}
"""Kinds of object by collection."""
MOST: Final = 100


def answer(world: World, method: str, path: str, asked: Asked) -> Asked:
    """The object that answers a request. Refused where Stripe would refuse it."""
    parts = path.removeprefix("/v1/").split("/")
    shape = _shape(method, parts)
    wrong = fault(shape, asked)
    if wrong:
        name, words = wrong
        code = "parameter_missing" if words.startswith("Missing") else "parameter_unknown"
        raise invalid(code, f"{words}: {name}", param=name)
    expand = asked.pop("expand", [])
    return _expanded(world, _answer(world, method, parts, asked), expand)


def _shape(method: str, parts: list[str]) -> str:
    """`POST /v1/transfers/:id/reversals`."""
    if parts[0] == "checkout":
        return f"{method} /v1/checkout/sessions"
    named = [":id" if number == 1 else part for number, part in enumerate(parts)]
    return f"{method} /v1/{'/'.join(named)}"


def _answer(world: World, method: str, parts: list[str], asked: Asked) -> Asked:
    collection = parts[0]
    if method == "POST":
        return _post(world, parts, asked)
    if collection == "account":
        return {"id": world.account, "object": "account"}
    if collection == "balance":
        part = [{"amount": world.balance(each), "currency": each} for each in world.currencies()]
        return {"object": "balance", "available": part, "pending": [], "livemode": False}
    if collection == "balance_transactions":
        return _page(list(reversed(world.lines)), asked, path=collection)
    if collection not in KINDS:
        raise invalid("url_invalid", f"Unrecognized request URL (GET: /v1/{'/'.join(parts)}).")
    if len(parts) == 2:
        return dict(world.get(KINDS[collection], parts[1]))
    return _page(world.all(KINDS[collection]), asked, path=collection)


def _post(world: World, parts: list[str], asked: Asked) -> Asked:
    make: dict[tuple[str, ...], Callable[[], Asked]] = {
        ("customers",): lambda: _customer(world, asked),
        ("payment_intents",): lambda: payments.create(world, asked),
        ("refunds",): lambda: payments.give_back(world, asked),
        ("transfers",): lambda: transfers.transfer(world, asked),
        ("accounts",): lambda: transfers.connect(world, asked),
        ("account_links",): lambda: _link(world, "connect"),
        ("checkout", "sessions"): lambda: _link(world, "checkout"),
    }
    made = make.get(tuple(parts))
    if made is not None:
        return dict(made())
    if len(parts) == 3 and parts[0] == "payment_intents" and parts[2] == "cancel":
        return dict(payments.cancel(world, world.get("payment_intent", parts[1])))
    if len(parts) == 3 and parts[0] == "transfers" and parts[2] == "reversals":
        return dict(transfers.reverse(world, world.get("transfer", parts[1]), asked))
    raise invalid("url_invalid", f"Unrecognized request URL (POST: /v1/{'/'.join(parts)}).")


def _customer(world: World, asked: Asked) -> Asked:
    fields = {name: asked.get(name) for name in ("name", "email")}
    return world.new("cus", "customer", metadata=asked.get("metadata", {}), **fields)


def _link(world: World, kind: str) -> Asked:
    made = world.new("ses", f"{kind}.session", url="")
    made["url"] = f"https://{kind}.stripe.example/{made['id']}"
    return made


def _page(found: list[Asked], asked: Asked, *, path: str) -> Asked:
    """One page of a list, newest first."""
    for name in ("customer", "transfer_group", "payment_intent", "destination"):
        if name in asked:
            found = [each for each in found if each.get(name) == asked[name]]
    created = asked.get("created", {})
    if isinstance(created, dict) and "gte" in created:
        found = [each for each in found if each["created"] >= int(created["gte"])]
    ids = [each["id"] for each in found]
    if "starting_after" in asked:
        if asked["starting_after"] not in ids:
            raise invalid("resource_missing", f"No such object: {asked['starting_after']}")
        found = found[ids.index(asked["starting_after"]) + 1 :]
    limit = int(asked.get("limit", 10))
    if not 1 <= limit <= MOST:
        raise invalid("parameter_invalid_integer", "limit is from 1 to 100.", param="limit")
    return {
        "object": "list",
        "url": f"/v1/{path}",
        "data": [dict(each) for each in found[:limit]],
        "has_more": len(found) > limit,
    }


def _expanded(world: World, found: Asked, wanted: list[str]) -> Asked:
    """Ids replaced by what they name: `latest_charge.balance_transaction`, `data.source`."""
    for path in wanted:
        head, _, rest = path.partition(".")
        if head == "data":
            found["data"] = [_expanded(world, each, [rest]) for each in found.get("data", [])]
            continue
        inner = _object(world, found.get(head))
        if inner is not None:
            found[head] = _expanded(world, inner, [rest]) if rest else inner
    return found


def _object(world: World, found: Any) -> Asked | None:
    if isinstance(found, dict):
        return found
    if found in world.objects:
        return dict(world.objects[found])
    for line in world.lines:
        if line["id"] == found:
            return dict(line)
    return None
