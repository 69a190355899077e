"""Tickets: what an attendee carries, on paper, in a calendar, in a wallet."""
