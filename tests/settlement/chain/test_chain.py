"""Settlement agrees with a naive oracle on random lives of a coalition, to the micro.

MARKETPLACE_TEST_CHAIN_EXAMPLES sets how many lives, for a long run.
"""

from __future__ import annotations

import os

import pytest
from hypothesis import HealthCheck, settings
from hypothesis.stateful import run_state_machine_as_test

from tests.conftest import FreshDatabase
from tests.settlement.chain.machine import Chain

LIVES = int(os.environ.get("MARKETPLACE_TEST_CHAIN_EXAMPLES", "12"))


@pytest.mark.slow
def test_settlement_agrees_with_a_naive_oracle(fresh_database: FreshDatabase) -> None:
    machine = type("OnThisServer", (Chain,), {"fresh_database": staticmethod(fresh_database)})
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=LIVES,
            stateful_step_count=40,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
