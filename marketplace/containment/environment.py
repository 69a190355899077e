"""Which variables of the environment a plugin's process gets: those of the system, and its own."""

from __future__ import annotations

import os
import re

SYSTEM = re.compile(
    r"PATH|HOME|USER|LOGNAME|SHELL|LANG|LANGUAGE|LC_\w+|TZ|TMPDIR|TEMP|TMP|VIRTUAL_ENV|PYTHON\w+"
    r"|LD_LIBRARY_PATH|DYLD_\w+|SSL_CERT_\w+|REQUESTS_CA_BUNDLE|(HTTPS?|NO|ALL)_PROXY",
    re.IGNORECASE,
)


def environment_of(*slugs: str) -> dict[str, str]:
    """The variables for a process of these plugins: the system's, and `<SLUG>_*` of each.

    None of ours (`MARKETPLACE_*`): broker, mail server and database are no plugin's business; what
    its Host needs is handed over when it starts. Another plugin's are not there either.
    """
    own = tuple(f"{slug.upper()}_" for slug in slugs)
    own += tuple(f"MARKETPLACE_{prefix}" for prefix in own)
    return {
        name: value
        for name, value in os.environ.items()
        if SYSTEM.fullmatch(name) or name.startswith(own)
    }
