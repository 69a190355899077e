"""Checks signed statements offline: no database, no network, no settings, no code of other rooms.

It reads a statement once, a record at a time, so the size of a file does not matter. Run it as
`marketplace statement verify FILE...`, or alone: `python -m settlement.statements.verify FILE...`.
The format is told in docs/statements.md.
"""
