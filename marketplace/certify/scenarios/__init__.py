"""Every scenario, by name, in the order they are played."""

from __future__ import annotations

from typing import Final

from marketplace.certify.scenario import REGISTERED, Scenario
from marketplace.certify.scenarios import (
    file_rails,
    files,
    load,
    notifiers,
    orders,
    rails,
    rules,
    secrecy,
    start,
    troubles,
)

MODULES: Final = (
    files,
    start,
    orders,
    troubles,
    load,
    secrecy,
    rules,
    notifiers,
    rails,
    file_rails,
)
SCENARIOS: Final[dict[str, Scenario]] = {
    each.name: each
    for module in MODULES
    for each in REGISTERED
    if each.play.__module__ == module.__name__
}
