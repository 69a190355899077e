"""What a plugin's own process is lent: its Host on few connections, each with a time limit."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path

from marketplace import api
from marketplace.containment.messages import Terms
from marketplace.db import Database
from marketplace.host import PluginHost
from marketplace.outbound import Outbound, open_outbound
from marketplace.secrets import Vault, open_vault
from marketplace.settings import Settings

CONNECTIONS = 2


def lent_host(terms: Terms) -> Callable[[str, Callable[[], api.PluginSettings]], api.Host]:
    """Makes the Host of a plugin; database and vault are opened when it first uses them.

    The server ends statements and idle transactions of a process that was killed or hangs, so
    locks it took do not outlive its call.
    """

    @cache
    def database() -> Database:
        if terms.database_url is None:
            from marketplace.embedded import embedded_url

            url = embedded_url(Path(terms.var_dir))
        else:
            url = terms.database_url
        return Database(
            url,
            role=terms.database_role,
            pool_size=CONNECTIONS,
            name=f"marketplace plugin {terms.slug}".strip(),
            statement_s=terms.statement_s,
        )

    @cache
    def vault() -> Vault:
        return open_vault(
            Settings(
                database_url=terms.database_url,
                var_dir=Path(terms.var_dir),
                secret_keys=terms.secret_keys or None,
            )
        )

    @cache
    def outbound() -> Outbound:
        return open_outbound(Settings(outbound_allow=terms.outbound_allow))

    return lambda slug, asked: PluginHost(
        slug,
        database,
        vault,
        asked=asked,
        outbound=outbound,
        grace_days=terms.refund_grace_days,
    )
