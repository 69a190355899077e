"""`python -m marketplace ...` is `marketplace ...`."""

from __future__ import annotations

from marketplace.cli import main

if __name__ == "__main__":
    main(prog_name="marketplace")
