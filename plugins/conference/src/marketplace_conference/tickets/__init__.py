"""Tickets: what people get for a place and carry on paper, in a calendar, to the door."""

from marketplace_conference.tickets.issuing import issue

__all__ = ["issue"]
