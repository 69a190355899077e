"""A scenario about secrets: what is delivered is seen by nobody but the participant."""

from __future__ import annotations

import io
import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout

import sqlalchemy as sa

from marketplace import api
from marketplace.certify.scenario import Failed, scenario
from marketplace.certify.stage import Outcomes, Stage
from marketplace.schema import plugin_tables
from marketplace.testing.rehearsal import NotShown

SHORTEST = 4
"""A secret of fewer characters is found in any text."""


@contextmanager
def _heard() -> Iterator[io.StringIO]:
    """Everything that is logged or printed while the block runs."""
    text = io.StringIO()
    handler = logging.StreamHandler(text)
    root = logging.getLogger()
    level = root.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    for name in ("sqlalchemy", "asyncio", "alembic"):  # ours: they speak of every statement
        logging.getLogger(name).setLevel(logging.WARNING)
    try:
        with redirect_stdout(text), redirect_stderr(text):
            yield text
    finally:
        root.removeHandler(handler)
        root.setLevel(level)


@contextmanager
def heard_by(stage: Stage) -> Iterator[Callable[[], dict[str, str]]]:
    """What others might read after the block: place -> text, of logs, the screen and tables."""
    with _heard() as heard:
        yield lambda: {
            "a log or on the screen": heard.getvalue(),
            "a table of the plugin, not encrypted": _rows(stage),
        }


@scenario("secrets", "Codes show in no log, no message, no table, no repr")
def secrets(stage: Stage) -> None:
    """Delivered codes are searched for wherever others might read them."""
    assert stage.supplier is not None  # noqa: S101 - scenarios about suppliers only
    goods = stage.goods(6)
    orders = [stage.order(goods.sku, quantity=2) for _ in range(3)]
    with heard_by(stage) as heard:
        outcomes = stage.deliver(orders)
        stage.ask("fulfil", orders)
        stage.ask("lookup", orders)
        stage.ask("fulfil", [stage.order(goods.empty_sku)])
        health = stage.supplier.health()
    found = _secrets_of(outcomes)
    if not found:
        raise NotShown("it delivers no artefact, so there is no secret to look for")
    places = {
        **heard(),
        "repr() of the supplier": f"{stage.supplier!r} {stage.supplier}",
        "health().message": str(health.message),
        "Artefact.label or supplier_reference, which are shown in clear": _in_clear(outcomes),
    }
    seen = [place for place, text in places.items() if any(each in text for each in found)]
    if seen:
        raise Failed(
            f"A delivered code was found in {', and in '.join(seen)}.",
            advice="Never log an outcome or artefact; store codes with host.encrypt(), find "
            "duplicates with host.fingerprint().",
        )


def _secrets_of(outcomes: Outcomes) -> set[str]:
    return {
        artefact.secret
        for outcome in outcomes.values()
        if isinstance(outcome, api.Fulfilled)
        for artefact in outcome.artefacts
        if len(artefact.secret) >= SHORTEST
    }


def _in_clear(outcomes: Outcomes) -> str:
    return "\n".join(
        " ".join([outcome.supplier_reference, *(each.label for each in outcome.artefacts)])
        for outcome in outcomes.values()
        if isinstance(outcome, api.Fulfilled)
    )


def _rows(stage: Stage) -> str:
    """Every row of the plugin's tables, as text; binary columns are decoded where they are text."""
    found = plugin_tables(stage.plugins).get(stage.slug)
    if found is None:
        return ""
    lines = []
    with stage.host.transaction() as session:
        for table in found.metadata.sorted_tables:
            for row in session.execute(sa.select(table)):
                lines += [
                    each.decode(errors="replace") if isinstance(each, bytes) else str(each)
                    for each in row
                ]
    return "\n".join(lines)
