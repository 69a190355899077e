"""What a plugin's tests import: the conformance kit, the lab, and the simulator.

In your plugin's `tests/conftest.py`: `from marketplace.testing import lab` (a fixture). In a test
module, make a subclass named `Test...` of `SupplierConformance` (or `EligibilityConformance`,
`NotifierConformance`, `RailConformance`, `FileRailConformance`) with the fixtures it asks for; its
checks then run as your tests. `Lab` lends what your plugin needs from a marketplace: a migrated
database, a `Host`, offers, burns that are held, and a look at stock and audit trail. A subclass of
`Simulation` runs everything that `marketplace plugins check` does. A subclass of `Rehearsal`,
named by an entry point, lets the simulator play your outside world.

What needs pytest is imported when it is asked for: a `Rehearsal` also runs where there is none.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from marketplace.testing.laboratory import Lab
from marketplace.testing.rehearsal import (
    LATE_S,
    FileRailRehearsal,
    Goods,
    NotifierRehearsal,
    NotShown,
    RailRehearsal,
    Rehearsal,
    Trouble,
)

if TYPE_CHECKING:
    from marketplace.testing.conformance import (
        EligibilityConformance,
        NotifierConformance,
        RailConformance,
        SupplierConformance,
        lab,
    )
    from marketplace.testing.file_rails import FileRailConformance
    from marketplace.testing.simulation import Simulation

__all__ = [
    "LATE_S",
    "EligibilityConformance",
    "FileRailConformance",
    "FileRailRehearsal",
    "Goods",
    "Lab",
    "NotShown",
    "NotifierConformance",
    "NotifierRehearsal",
    "RailConformance",
    "RailRehearsal",
    "Rehearsal",
    "Simulation",
    "SupplierConformance",
    "Trouble",
    "lab",
]

FOR_PYTEST = {
    "EligibilityConformance": "conformance",
    "FileRailConformance": "file_rails",
    "NotifierConformance": "conformance",
    "RailConformance": "conformance",
    "Simulation": "simulation",
    "SupplierConformance": "conformance",
    "lab": "conformance",
}


def __getattr__(name: str) -> Any:
    if name in FOR_PYTEST:
        return getattr(import_module(f"{__name__}.{FOR_PYTEST[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
