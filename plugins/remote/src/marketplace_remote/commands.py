"""Command line: what a partner's engineer is given."""

from __future__ import annotations

import json
from collections.abc import Sequence

import click

from marketplace import api
from marketplace_remote.openapi import document


def make_commands() -> Sequence[api.Command]:
    """Commands of the group `remote`."""

    @click.command("openapi")
    def openapi() -> None:
        """Print the OpenAPI document that a remote partner implements."""
        click.echo(json.dumps(document(), indent=2))

    @click.command("key")
    def key() -> None:
        """Print a new signing key for a remote partner."""
        click.echo(api.new_signing_key())

    return [api.Command(group="remote", command=each) for each in (openapi, key)]
