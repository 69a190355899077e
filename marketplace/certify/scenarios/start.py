"""Scenarios about starting: does it load, register, and bring its tables."""

from __future__ import annotations

from pathlib import Path

from marketplace import api, hookspecs
from marketplace.api_version import stated
from marketplace.certify.scenario import About, Failed, scenario
from marketplace.certify.stage import Stage
from marketplace.schema import plugin_tables

ASKED_ELSEWHERE = {
    "marketplace_register_settings",
    "marketplace_register_suppliers",
    "marketplace_register_eligibility_rules",
    "marketplace_register_notifiers",
    "marketplace_register_rails",
    "marketplace_register_tables",
}
STARTING = [
    name
    for name in vars(hookspecs)
    if name.startswith("marketplace_register_") and name not in ASKED_ELSEWHERE
]


@scenario("starts", "It loads and registers", About.PLUGIN)
def starts(stage: Stage) -> None:
    """As every process of the marketplace does when it starts."""
    module = stage.plugins.manager.get_plugin(stage.slug)
    if not hasattr(module, "api_version"):
        raise Failed(
            f"It does not state the version of the plugin API it was written for (now "
            f"{api.API_VERSION}).",
            advice=f'Write api_version = "{api.API_VERSION}" into {stage.target.module}.',
        )
    warnings = stage.plugins.warnings.get(stage.slug, [])
    if warnings:
        raise Failed("; ".join(warnings), advice="Implement the hook that is named instead.")
    for hook in STARTING:
        list(stage.plugins.call_each(hook))
    stage.refuse_disabled(stage.plugins)
    registered = stage.supplier or stage.rules or stage.notifiers or stage.rails or stage.file_rails
    if not (registered or _has_hooks(stage)):
        raise Failed(
            f"It is of API version {stated(module)} and implements no hook.",
            advice="Mark its hooks with @marketplace.api.hookimpl in the entry point's module.",
        )


def _has_hooks(stage: Stage) -> bool:
    plugin = stage.plugins.manager.get_plugin(stage.slug)
    return bool(stage.plugins.manager.get_hookcallers(plugin))


@scenario("tables", "Its tables are its own, and models and migrations agree", About.PLUGIN)
def tables(stage: Stage) -> None:
    """Migrations ran when the stage was set; now the outcome is compared with the models."""
    found = plugin_tables(stage.plugins).get(stage.slug)
    if found is None:
        return
    if not Path(found.migrations).is_dir():
        raise Failed(
            f"There is no folder {found.migrations}.",
            advice="Let PluginTables.migrations name a folder inside the package.",
        )
    differences = stage.lab.schema_differences(found)
    if differences:
        raise Failed(
            f"The migrations make other tables than the models say: {str(differences[0])[:300]}",
            advice="Edit the migration with the model, or add one.",
        )
