"""Requests checked against the types of parameters that the stripe package ships.

What Stripe would refuse is refused: a parameter it does not know, one that is missing, a word that
is none of those it lists.
"""

from __future__ import annotations

import re
import sys
import types
from collections.abc import Mapping
from functools import cache
from typing import Any, Final, ForwardRef, Literal, NotRequired, Union, get_args, get_origin
from urllib.parse import parse_qsl

from stripe import params
from stripe._request_options import RequestOptions
from typing_extensions import is_typeddict

PART: Final = re.compile(r"\[([^\]]*)\]")
WHOLE: Final = re.compile(r"-?[0-9]{1,18}")
OPTIONS: Final = frozenset(RequestOptions.__annotations__)

KINDS: Final[dict[str, type]] = {
    "POST /v1/customers": params.CustomerCreateParams,
    "POST /v1/payment_intents": params.PaymentIntentCreateParams,
    "GET /v1/payment_intents": params.PaymentIntentListParams,
    "GET /v1/payment_intents/:id": params.PaymentIntentRetrieveParams,
    "POST /v1/payment_intents/:id/cancel": params.PaymentIntentCancelParams,
    "POST /v1/refunds": params.RefundCreateParams,
    "POST /v1/transfers": params.TransferCreateParams,
    "GET /v1/transfers": params.TransferListParams,
    "GET /v1/transfers/:id": params.TransferRetrieveParams,
    "POST /v1/transfers/:id/reversals": params.TransferCreateReversalParams,
    "POST /v1/accounts": params.AccountCreateParams,
    "POST /v1/account_links": params.AccountLinkCreateParams,
    "POST /v1/checkout/sessions": params.checkout.SessionCreateParams,
    "GET /v1/charges": params.ChargeListParams,
    "GET /v1/charges/:id": params.ChargeRetrieveParams,
    "GET /v1/disputes": params.DisputeListParams,
    "GET /v1/balance_transactions": params.BalanceTransactionListParams,
}
"""Types by request; others take no parameters but `expand`."""


def decoded(text: str) -> dict[str, Any]:
    """A form or query string as nested mappings and lists; `a[b]=1`, `a[0]=1`, `a[]=1`."""
    found: dict[str, Any] = {}
    for name, value in parse_qsl(text, keep_blank_values=True):
        head, *_ = name.split("[", 1)
        keys = [head, *PART.findall(name)]
        place = found
        for key in keys[:-1]:
            place = place.setdefault(_key(place, key), {})
        place[_key(place, keys[-1])] = value
    return {key: _listed(value) for key, value in found.items()}


def _key(place: Mapping[str, Any], key: str) -> str:
    return key or str(len(place))


def _listed(value: Any) -> Any:
    if not isinstance(value, dict):
        return value
    made = {key: _listed(each) for key, each in value.items()}
    numbered = all(key.isdigit() for key in made)
    return list(made.values()) if made and numbered else made


def fault(request: str, given: Mapping[str, Any]) -> tuple[str, str] | None:
    """Which parameter Stripe would refuse, and why; None where it would take the request."""
    kind = KINDS.get(request)
    if kind is None:
        unknown = set(given) - {"expand"}
        return (min(unknown), "Received unknown parameter") if unknown else None
    return _fault(given, kind, "")


def _fault(value: Any, kind: Any, path: str) -> tuple[str, str] | None:
    if is_typeddict(kind):
        return _fault_of_mapping(value, kind, path)
    origin = get_origin(kind)
    if origin in (Union, types.UnionType):
        return _fault_of_union(value, get_args(kind), path)
    if origin is list:
        return _fault_of_list(value, get_args(kind)[0], path)
    if origin is dict:
        good = isinstance(value, dict) and all(isinstance(v, str) for v in value.values())
    elif origin is Literal:
        good = value in get_args(kind)
    elif kind is bool:
        good = value in ("true", "false")
    elif kind is int:
        good = isinstance(value, str) and WHOLE.fullmatch(value) is not None
    else:
        good = kind is str and isinstance(value, str)
    return None if good else (path, f"Invalid value {value!r}")


def _fault_of_mapping(value: Any, kind: Any, path: str) -> tuple[str, str] | None:
    if not isinstance(value, dict):
        return path, "Invalid object"
    hints = _hints(kind)
    for name, each in value.items():
        inner = f"{path}[{name}]" if path else name
        if name not in hints:
            return inner, "Received unknown parameter"
        found = _fault(each, hints[name][0], inner)
        if found:
            return found
    for name, (_, required) in hints.items():
        if required and name not in value:
            return (f"{path}[{name}]" if path else name), "Missing required param"
    return None


def _fault_of_list(value: Any, kind: Any, path: str) -> tuple[str, str] | None:
    if not isinstance(value, list):
        return path, "Invalid array"
    for number, each in enumerate(value):
        found = _fault(each, kind, f"{path}[{number}]")
        if found:
            return found
    return None


def _fault_of_union(value: Any, kinds: tuple[Any, ...], path: str) -> tuple[str, str] | None:
    words = {word for kind in kinds if get_origin(kind) is Literal for word in get_args(kind)}
    # "Literal[...] | str" leaves room for words to come; today's Stripe knows those it lists.
    able = [kind for kind in kinds if not (kind is str and words - {""})]
    faults = [_fault(value, kind, path) for kind in able]
    return None if None in faults else faults[0]


@cache
def _hints(kind: Any) -> dict[str, tuple[Any, bool]]:
    """Types of a mapping's keys, and whether each is required."""
    names = vars(sys.modules[kind.__module__]) | vars(params)
    found = {}
    for name, hint in kind.__annotations__.items():
        if name in OPTIONS:
            continue
        hint = _resolved(hint, names)
        optional = get_origin(hint) is NotRequired
        found[name] = (get_args(hint)[0] if optional else hint, not optional)
    return found


def _resolved(hint: Any, names: dict[str, Any]) -> Any:
    if isinstance(hint, ForwardRef):
        hint = hint.__forward_arg__
    if isinstance(hint, str):
        # Written by the stripe package, not by whoever sends a request.
        return _resolved(eval(hint, names), names)  # noqa: S307
    args = get_args(hint)
    if not args or get_origin(hint) is Literal:
        return hint
    inner = tuple(_resolved(each, names) for each in args)
    if get_origin(hint) in (Union, types.UnionType):
        return Union[inner]  # noqa: UP007 - made while running
    return get_origin(hint)[inner if len(inner) > 1 else inner[0]]
