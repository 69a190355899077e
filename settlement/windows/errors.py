"""What closing a window may meet."""

from __future__ import annotations

from marketplace.errors import MarketplaceError


class WindowBusy(MarketplaceError):
    """A transaction that began long ago still writes into the window."""

    code = "window_busy"
    title = "Something long still writes into the window"
    status = 409
