"""The registry on the command line, in lines of text. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from marketplace.registry.schemas import (
    MemberView,
    PluginDetails,
    PluginView,
    SettingsView,
    TryResult,
)


def plugin_table(found: Sequence[PluginView]) -> list[str]:
    """A line for each plugin, and why it is not active."""
    lines = [f"{'plugin':<16}{'version':<12}{'state':<12}enabled for"]
    for each in found:
        names = ", ".join(each.enabled_for) or "-"
        lines.append(f"{each.slug:<16}{each.version or '-':<12}{each.state:<12}{names}")
        if each.reason:
            lines.append(f"    {each.reason}")
    return lines


def details(found: PluginDetails) -> list[str]:
    """Everything about one plugin."""
    plugin = found.plugin
    lines = [f"{plugin.slug}: {plugin.distribution or '-'} {plugin.version or ''}".rstrip()]
    lines.append(f"State: {plugin.state}" + (f". {plugin.reason}" if plugin.reason else ""))
    if found.digest:
        lines.append(f"Files: SHA-256 {found.digest}")
    if found.activation:
        grounds = "on a signed report" if found.activation.certified else "without a report"
        why = f" ({found.activation.reason})" if found.activation.reason else ""
        lines.append(
            f"Activated: {found.activation.version} by {found.activation.actor} on "
            f"{found.activation.activated_at:%Y-%m-%d %H:%M} UTC, {grounds}{why}"
        )
    if found.installed:
        lines.append(f"Installed from {found.installed['source']}")
        lines.append(f"Wheel: SHA-256 {found.installed['wheel_sha256']}")
    if found.settings is not None and found.settings.fields:
        lines += ["House settings:", *_settings(found.settings)]
    for each in found.members:
        lines += _member(each)
    return lines + closures(found)


def _member(each: MemberView) -> list[str]:
    offers = f"{each.offers_on_sale} offers on sale, {each.offers_closed} of them closed"
    state = "enabled" if each.enabled else "not enabled"
    sandbox = ", sandbox on" if each.sandbox else ""
    lines = [f"Member {each.member}: {state}{sandbox}; {offers}"]
    if each.settings.fields:
        lines += ["  Settings:", *(f"  {line}" for line in _settings(each.settings))]
    if each.sandbox_settings.changed_at is not None:
        lines += [
            "  For trial orders:",
            *(f"  {line}" for line in _settings(each.sandbox_settings)),
        ]
    return lines


def _settings(found: SettingsView) -> list[str]:
    lines = []
    for each in found.fields:
        if each.secret:
            value = "(stored)" if each.name in found.secrets_given else "(not given)"
        elif each.name in found.values:
            value = _value(found.values[each.name])
        else:
            value = "(not given)" if each.required else f"{_value(each.default)} (default)"
        lines.append(f"  {each.name:<24}{value}")
    return [*lines, *(f"  {words}" for words in found.missing)]


def _value(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "-" if value in (None, "") else str(value)


def closures(found: PluginDetails) -> list[str]:
    """What keeps offers closed."""
    return [
        f"Closed for {each.member or 'everybody'}: {each.reason} {each.words}".rstrip()
        for each in found.closures
    ]


def tried(found: TryResult) -> list[str]:
    """What became of a trial order."""
    lines = [f"Trial order {found.reference}: {found.outcome}"]
    if found.reason:
        lines.append(f"  {found.reason}")
    if found.supplier_reference:
        lines.append(f"  the supplier's reference: {found.supplier_reference}")
    lines += [f"  WRONG: {fault}" for fault in found.faults]
    for each in found.artefacts:
        until = f", until {each.expires_at:%Y-%m-%d}" if each.expires_at else ""
        lines.append(f"  {each.kind}: {each.label}: {each.secret}{until}")
    return [*lines, "Nothing of it is kept, and no points moved."]
