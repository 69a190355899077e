"""Run inside pretix (`python -m pretix shell < seed.py`): an event, products, three tokens.

Prints nothing; writes what the tests need into the file that SEEDED names.
"""

# mypy: ignore-errors
import json
import os
from datetime import timedelta
from decimal import Decimal

from django.utils.timezone import now
from django_scopes import scopes_disabled
from pretix.base.models import Organizer
from pretix.base.models.organizer import TeamAPIToken

ENOUGH = {"event.orders:read": True, "event.orders:write": True}

with scopes_disabled():
    organizer = Organizer.objects.create(name="Meridian", slug="meridian")
    event = organizer.events.create(
        name="Summit",
        slug="summit",
        date_from=now() + timedelta(days=90),
        currency="EUR",
        live=True,
        plugins="pretix.plugins.ticketoutputpdf",
    )
    event.settings.set("ticket_download", True)
    event.settings.set("ticketoutput_pdf__enabled", True)
    tokens = {}
    for name, rights in (("orders", ENOUGH), ("reader", {"event.orders:read": True})):
        team = organizer.teams.create(name=name, all_events=True, limit_event_permissions=rights)
        tokens[name] = TeamAPIToken.objects.create(team=team, name=name).token
    office = organizer.teams.create(
        name="office",
        all_events=True,
        all_event_permissions=True,
        all_organizer_permissions=True,
    )
    tokens["office"] = TeamAPIToken.objects.create(team=office, name="office").token
    items = {}
    for name, size in (("seat", 500), ("workshop", 1)):
        item = event.items.create(name=name.title(), default_price=Decimal("149.00"))
        quota = event.quotas.create(name=name, size=size)
        quota.items.add(item)
        items[name] = item.pk
    with open(os.environ["SEEDED"], "w") as file:
        json.dump({"tokens": tokens, "items": items}, file)
