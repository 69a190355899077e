"""The figures as Prometheus reads them, all from the database at the moment of asking."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, SummaryMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector
from sqlalchemy.ext.asyncio import AsyncSession

from marketplace.db import raw_connection
from marketplace.fulfilment import health
from marketplace.fulfilment.schemas import SupplierState
from marketplace.metrics import repository
from marketplace.runtime import Runtime

COUNTERS = {
    "burns": ("Burns answered, by outcome.", "outcome", False),
    "plugin_starts": ("Processes of the plugin started.", None, True),
    "plugin_ends": (
        "Processes of the plugin that ended or were killed.",
        "reason",
        True,
    ),
    "plugin_orders": ("Orders asked, by what the supplier's answer came to.", "outcome", True),
    "plugin_failed_chunks": ("Chunks of orders with a fault.", None, True),
}
"""Counter -> its help, the name of its label, whether it is about a plugin."""
STATES = {
    "plugin_waiting_orders": ("Held burns that wait for the plugin.", "waiting"),
    "plugin_unknown_orders": ("Of these, orders whose outcome is unknown.", "unknown"),
    "plugin_dead_orders": ("Orders given up, which wait for a person.", "dead"),
    "plugin_failures_in_a_row": ("Failed chunks in a row.", "failures"),
}


class _Figures(Collector):
    """What was read, as metric families."""

    def __init__(self, states: Iterable[SupplierState], sums: Iterable[Any]) -> None:
        self._states = list(states)
        self._sums = list(sums)

    def collect(self) -> Iterator[Metric]:
        """Every family with its samples."""
        for name, (words, field) in STATES.items():
            family = GaugeMetricFamily(f"marketplace_{name}", words, labels=["plugin"])
            for each in self._states:
                family.add_metric([each.plugin], float(getattr(each, field)))
            yield family
        yield self._one_hot(
            "breaker", "The plugin's circuit breaker.", ("closed", "half_open", "open")
        )
        yield self._one_hot(
            "state", "Whether the plugin is in force.", ("ready", "disabled", "missing")
        )
        for name, (words, label, of_plugin) in COUNTERS.items():
            yield self._counter(name, words, label, of_plugin)
        yield self._chunk_seconds()
        queue = GaugeMetricFamily(
            "marketplace_engine_queue", "Burns that wait in an API process.", labels=["process"]
        )
        for row in self._named("engine_queue"):
            if row["fresh"]:
                queue.add_metric([row["label"]], row["value"])
        yield queue

    def _named(self, name: str) -> list[Any]:
        return [row for row in self._sums if row["name"] == name]

    def _one_hot(self, field: str, words: str, values: tuple[str, ...]) -> Metric:
        family = GaugeMetricFamily(f"marketplace_plugin_{field}", words, labels=["plugin", field])
        for each in self._states:
            for value in values:
                family.add_metric([each.plugin, value], float(getattr(each, field) == value))
        return family

    def _counter(self, name: str, words: str, label: str | None, of_plugin: bool) -> Metric:
        labels = (["plugin"] if of_plugin else []) + ([label] if label else [])
        family = CounterMetricFamily(f"marketplace_{name}", words, labels=labels)
        for row in self._named(name):
            values = ([row["plugin"]] if of_plugin else []) + ([row["label"]] if label else [])
            family.add_metric(values, row["value"])
        return family

    def _chunk_seconds(self) -> Metric:
        family = SummaryMetricFamily(
            "marketplace_plugin_chunk_seconds",
            "How long the plugin took for a chunk of orders.",
            labels=["plugin"],
        )
        counts = {row["plugin"]: row["value"] for row in self._named("plugin_chunks")}
        for row in self._named("plugin_chunk_seconds"):
            family.add_metric([row["plugin"]], int(counts.get(row["plugin"], 0)), row["value"])
        return family


async def exposition(session: AsyncSession, runtime: Runtime) -> bytes:
    """All figures in Prometheus' text format."""
    states = await health.suppliers(session, runtime)
    sums = await repository.sums(await raw_connection(session))
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Figures(states, sums))
    return generate_latest(registry)
