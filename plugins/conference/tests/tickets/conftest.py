"""What the tests of tickets share."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from marketplace.api import Host
from marketplace.testing import Lab, lab

sys.path.insert(0, str(Path(__file__).parent))  # for ticket_samples and box, from any folder

from box import Box

__all__ = ["lab"]


@pytest.fixture
def host(lab: Lab) -> Host:
    """What the core lends the conference."""
    return lab.host("conference")


@pytest.fixture
def box(lab: Lab, host: Host) -> Box:
    """The box office of an event of the shop, in two sessions."""
    return Box(host, lab.member("shop"))
