"""Imports every table of the core, so that `Base.metadata` is whole."""

from __future__ import annotations

import marketplace.clock
import marketplace.coalition.models
import marketplace.exchange.models
import marketplace.fulfilment.models
import marketplace.identity.models
import marketplace.issuing.models
import marketplace.ledger.models
import marketplace.metrics.models
import marketplace.notices.models
import marketplace.rails.models
import marketplace.registry.models
import marketplace.webhooks.models  # noqa: F401
from marketplace.models import Base

METADATA = Base.metadata
