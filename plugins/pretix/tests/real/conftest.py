"""A running pretix for all tests of this folder; their names keep them out of `make test`."""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from marketplace_pretix.supplier import PretixSupplier

from marketplace import api
from marketplace.testing import Lab, SupplierConformance

CACHE = Path(os.environ.get("PRETIX_CACHE") or "var/pretix").absolute()


def _beside(name: str) -> Any:
    """A module beside this one; tests are no package."""
    spec = importlib.util.spec_from_file_location(
        f"real_pretix_{name}", Path(__file__).with_name(f"{name}.py")
    )
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def steps() -> Any:
    """The module `steps`: what tests do again and again."""
    return _beside("steps")


@pytest.fixture(scope="session")
def events() -> Any:
    """The module `events`: events of other kinds, as an organizer sets them up."""
    return _beside("events")


@pytest.fixture(scope="session")
def listener() -> Any:
    """Where a webhook calls."""
    return _beside("server").Listener


@pytest.fixture(scope="session")
def real(tmp_path_factory: pytest.TempPathFactory, steps: Any) -> Iterator[Any]:
    """A running pretix, and raw calls to it (`steps.Real`)."""
    with _beside("server").running(CACHE, tmp_path_factory.mktemp("pretix")) as (url, seeded):
        yield steps.Real(url, seeded)


@pytest.fixture
def supplier(lab: Lab, host: api.Host, real: Any) -> PretixSupplier:
    lab.enable("pretix", "shop", real.settings())
    return PretixSupplier(host, settle_s=0)


@pytest.fixture
def seat(lab: Lab, real: Any) -> Callable[[], api.Order]:
    """`seat()` holds points for one seat."""
    offer_id = lab.offer("pretix", real.seat)

    def hold() -> api.Order:
        reference = lab.hold("pretix", offer_id)
        return msgspec.structs.replace(SupplierConformance.order(real.seat), reference=reference)

    return hold
