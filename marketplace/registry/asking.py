"""How the command line asks for settings: one by one, or taken from options and files."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click
import msgspec

from marketplace.errors import InvalidRequest, UsageError
from marketplace.registry import forms
from marketplace.registry.errors import InvalidSettings
from marketplace.registry.forms import FieldType, FormField
from marketplace.registry.models import PluginSetting


def given(pairs: Sequence[str], from_file: Path | None) -> dict[str, Any] | None:
    """Values of `--set` and `--from-file`, the former first; None where neither was used."""
    if not pairs and from_file is None:
        return None
    found: dict[str, Any] = {}
    if from_file is not None:
        found |= _from_file(from_file)
    for pair in pairs:
        name, equals, value = pair.partition("=")
        if not equals or not name:
            raise UsageError(f"{pair!r} is not NAME=VALUE.")
        found[name.strip()] = value
    return found


def _from_file(path: Path) -> dict[str, Any]:
    try:
        with click.open_file(str(path), "rb") as file:
            return msgspec.json.decode(file.read(), type=dict[str, str | int | bool | None])
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}.") from None
    except msgspec.DecodeError as error:
        raise UsageError(f"{path} is no JSON object of settings: {error}") from None


def ask(struct: type[msgspec.Struct] | None, stored: PluginSetting | None) -> dict[str, Any]:
    """Ask for every field; those that are wrong are asked for again, with the reason."""
    if struct is None:
        raise InvalidRequest("The plugin asks for no such settings.")
    plain = stored.plain if stored else {}
    have = set(stored.secrets) if stored else set()
    answers: dict[str, Any] = {}
    todo = list(forms.fields(struct))
    while todo:
        for each in todo:
            answers.pop(each.name, None)
            answer = _ask_one(each, plain.get(each.name, each.default), each.name in have)
            if answer is not None:
                answers[each.name] = answer
        wrong = _wrong(struct, answers, {**plain, **dict.fromkeys(have, None)})
        todo = [each for each in todo if each.name in wrong]
        for name, words in wrong.items():
            click.echo(f"  {name}: {words}", err=True)
        if wrong and not todo:
            raise InvalidSettings(wrong)
    return answers


def _ask_one(each: FormField, now: Any, stored: bool) -> str | None:
    """What was typed; None where the stored secret stays."""
    if each.help:
        click.echo(f"  {each.help}")
    label = each.label
    if each.choices:
        label += f" ({', '.join(each.choices)})"
    if each.type is FieldType.YES_NO:
        return "yes" if click.confirm(label, default=bool(now)) else "no"
    if each.secret:
        note = " [stored; leave empty to keep]" if stored else ""
        typed: str = click.prompt(label + note, default="", hide_input=True, show_default=False)
        return None if stored and not typed else typed
    shown = "" if now is None else str(now)
    answer: str = click.prompt(label, default=shown, show_default=bool(shown))
    return answer


def _wrong(
    struct: type[msgspec.Struct], answers: dict[str, Any], stored: dict[str, Any]
) -> dict[str, str]:
    """Words by field about what cannot be taken. A secret that is stored is taken to be right."""
    try:
        forms.read(struct, answers, kept=stored)
    except InvalidSettings as error:
        return {
            name: words
            for name, words in error.errors.items()
            if name in answers or name not in stored
        }
    return {}
