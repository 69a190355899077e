"""What the living style page shows in its components."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

SAMPLES: dict[str, Any] = {"sample_day": datetime(2026, 3, 14, 15, 9, tzinfo=UTC)}
