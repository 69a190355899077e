"""Which plugins bear being loaded: tried in a process of its own before the house loads them.

All go into one process, one after the other. Where it dies, hangs or grows, the plugin that was its
turn is the culprit, and a new process goes on with the rest. What was found is handed to every
process that the house starts, in the environment, so each start pays for it once.
"""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Sequence

import msgspec

from marketplace.containment.messages import Finding, Probe, Terms, decode
from marketplace.containment.output import Listener
from marketplace.containment.process import NotStarted, PluginProcess, PluginRaised, ProcessEnded
from marketplace.containment.starting import template
from marketplace.installed import slugs_installed
from marketplace.settings import Settings, absolute

log = logging.getLogger(__name__)

FOUND = "MARKETPLACE_PLUGINS_FOUND"
"""Variable that carries findings from a process to those it starts; no setting."""

MOST_FINDING_BYTES = 8_000
"""Of what one plugin registers, in the environment."""
MOST_FOUND_BYTES = 100_000
"""Of all together; Linux starts no process with a variable of 131,072 bytes or more."""

Findings = dict[str, Finding]


def terms_of(settings: Settings, slug: str, *, database_url: str | None, secret_keys: str) -> Terms:
    """What a plugin's process is given and may use."""
    return Terms(
        slug=slug,
        database_url=database_url,
        var_dir=str(absolute(settings.var_dir)),
        database_role=settings.database_role,
        secret_keys=secret_keys,
        outbound_allow=settings.outbound_allow,
        refund_grace_days=settings.refund_grace_days,
        log_level=settings.log_level,
        memory_mb=settings.plugin_memory_mb,
        cpu_s=settings.plugin_cpu_s,
        open_files=settings.plugin_open_files,
        processes=settings.plugin_processes,
        statement_s=settings.supplier_timeout_s,
    )


def findings(settings: Settings, off: set[str]) -> Findings:
    """A finding for each installed plugin that is not `off`; probes those not probed before.

    Without process groups and Unix sockets (Windows) nothing is probed.
    """
    found = handed_down()
    if sys.platform == "win32":
        return found
    slugs = slugs_installed() - off
    missing = sorted(slugs - set(found))
    if missing:
        found |= probe(settings, missing)
        told = msgspec.json.encode(found)
        if len(told) <= MOST_FOUND_BYTES:  # else each process of the house probes for itself
            os.environ[FOUND] = told.decode()
    return found


def handed_down() -> Findings:
    """What the process that started us found; empty where nobody did."""
    try:
        return msgspec.json.decode(os.environ.get(FOUND, "{}"), type=Findings)
    except msgspec.MsgspecError:
        log.warning("%s makes no sense and is ignored", FOUND)
        return {}


def probe(settings: Settings, slugs: Sequence[str]) -> Findings:
    """Load each of these plugins in a process that may die of it."""
    terms = terms_of(
        settings,
        "",
        database_url=settings.database_url,
        secret_keys=settings.secret_keys or "",
    )
    listener = Listener()
    process: PluginProcess | None = None
    found: Findings = {}
    with template.kept():
        try:
            for slug in slugs:
                if process is None or not process.is_alive:
                    process = PluginProcess(terms, listener, settings.plugin_start_s, slugs)
                found[slug] = _probe_one(process, slug, settings.plugin_start_s)
        except NotStarted as error:
            log.error("plugins could not be probed: %s", error)
        finally:
            if process is not None:
                process.kill()
            listener.close()
    return found


def _probe_one(process: PluginProcess, slug: str, start_s: float) -> Finding:
    try:
        finding: Finding = decode(process.call(Probe(slug), start_s), Finding)
        if len(msgspec.json.encode(finding)) > MOST_FINDING_BYTES:
            return _refused(slug, "it registers too much, or under names that are too long")
        return finding
    except (ProcessEnded, PluginRaised, msgspec.MsgspecError) as error:
        return _refused(slug, f"it does not load: {error}")


def _refused(slug: str, why: str) -> Finding:
    log.error("plugin %s: %s", slug, why)
    return Finding(refusal=why)
