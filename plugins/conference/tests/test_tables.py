"""Models and migrations agree."""

from __future__ import annotations

from marketplace_conference.plugin import marketplace_register_tables

from marketplace.testing import Lab, lab

__all__ = ["lab"]


def test_models_and_migrations_agree(lab: Lab) -> None:
    assert lab.schema_differences(marketplace_register_tables()) == []
