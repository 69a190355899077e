#!/bin/sh
# Creates the virtual environment $1 with the first Python that is new enough, or says what to do.
set -eu
venv=$1
enough='import sys; sys.exit(sys.version_info < (3, 11))'

if [ -x "$venv/bin/python" ] && "$venv/bin/python" -c "$enough" 2>/dev/null &&
  "$venv/bin/python" -m pip --version >/dev/null 2>&1; then
  exit 0
fi

found=
for candidate in ${PYTHON:-} python3 python3.13 python3.12 python3.11 python3.14 python; do
  if command -v "$candidate" >/dev/null 2>&1 && "$candidate" -c "$enough" 2>/dev/null; then
    found=$candidate
    break
  fi
done
if [ -z "$found" ]; then
  have=$(python3 --version 2>/dev/null || echo "no python3")
  echo "Python 3.11 or newer is needed; found: $have." >&2
  echo "Install one (Debian, Ubuntu: apt install python3 python3-venv), or: make PYTHON=/path/to/python3" >&2
  exit 1
fi
if ! "$found" -c 'import venv, ensurepip' 2>/dev/null; then
  echo "$("$found" --version) has no venv module." >&2
  echo "Install it (Debian, Ubuntu: apt install python3-venv), then run make again." >&2
  exit 1
fi
echo "Creating $venv with $("$found" --version)" >&2
"$found" -m venv --clear "$venv"
