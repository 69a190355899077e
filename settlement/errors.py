"""What the clearing house refuses."""

from __future__ import annotations

from marketplace.errors import MarketplaceError


class StatusChanged(MarketplaceError):
    """Somebody else was faster, or it is too late or too early for this step."""

    code = "status_changed"
    title = "It is not in the status this step starts from"
    status = 409


class SamePerson(MarketplaceError):
    """Two different people record and approve."""

    code = "same_person"
    title = "A second person has to do this"
    status = 403
