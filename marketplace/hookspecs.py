"""Every hook a plugin can implement.

Hooks are synchronous. Registering hooks are called once per process while it starts, each plugin
by itself, outside any transaction; a plugin that raises there is disabled and named on the health
page. Observing hooks are called after commit, as a rule once per fact: a process killed in between
tells nobody, and a retry may tell twice. What they raise is logged and changes nothing. An observer
names the arguments it wants: `fact`, and `host` where it needs that. Each hook has its page in
docs/partners/hooks/.
"""

from __future__ import annotations

from collections.abc import Sequence

import pluggy

from marketplace import api

hookspec = pluggy.HookspecMarker("marketplace")


@hookspec
def marketplace_register_suppliers(host: api.Host) -> Sequence[api.Supplier]:
    """Return the suppliers of this plugin, one per slug of its own.

    Fires: at start of every process. Transaction: none. `host` is what the core lends this plugin.
    Errors: any raise disables the plugin. Idempotency: called once per process; keep no state.
    Since 1.0.
    """
    raise NotImplementedError


@hookspec
def marketplace_register_rails(host: api.Host) -> Sequence[api.Rail | api.FileRail]:
    """Return what moves money between the clearing house and members, one per slug of its own.

    Fires: at start of every process; a rail is called in the plugin's own process, for workers,
    the API and the command line. Transaction: none. Errors: any raise, or a rail of another slug,
    disables the plugin. Idempotency: called once per process; keep no state. Since 1.0.
    """
    raise NotImplementedError


@hookspec
def marketplace_register_settings() -> api.PluginSettings:
    """Return the Structs of settings that the operator and members give this plugin.

    Fires: when the plugin loads, and in the simulator. Transaction: none. Errors: any raise, or a
    field that no form can ask for, disables the plugin. Idempotency: pure. Since 1.0.
    """
    raise NotImplementedError


@hookspec
def marketplace_register_reward_kinds() -> Sequence[api.RewardKind]:
    """Return kinds of reward that offers may have, besides those of other plugins.

    Fires: at start of every process. Transaction: none. Errors: any raise, or a slug that another
    plugin registered, disables the plugin. Idempotency: called once per process. Since 1.0.
    """
    raise NotImplementedError


@hookspec
def marketplace_register_eligibility_rules() -> Sequence[api.EligibilityRule]:
    """Return rules that offers may name in their eligibility.

    Fires: at start of every process; the rules themselves run inside the burn engine. Transaction:
    none. Errors: any raise disables the plugin. Idempotency: called once per process. Since 1.0.
    """
    raise NotImplementedError


@hookspec
def marketplace_register_offer_describers(host: api.Host) -> Sequence[api.OfferDescriber]:
    """Return what knows offers by title, picture and value, for all pages that name an offer.

    Fires: at start of every process; describers are asked while a page or mail is made.
    Transaction: none. Errors: any raise disables the plugin; what a describer itself raises is
    logged, and offers go by their own names. Idempotency: called once per process. Since 1.0.
    """
    raise NotImplementedError


@hookspec
def marketplace_register_notifiers(host: api.Host) -> Sequence[api.Notifier]:
    """Return channels, besides the inbox and e-mail, over which people can choose to be told.

    Fires: at start of every process; notices are sent by workers, addresses are looked at by the
    API. Transaction: none. Errors: any raise, or a channel that is not the plugin's, disables the
    plugin; what sending raises makes its notices come again later. Idempotency: called once per
    process. Since 1.0.
    """
    raise NotImplementedError


@hookspec
def marketplace_register_routes(host: api.Host) -> api.Routes:
    """Return HTTP handlers, mounted under `/v1/<slug>` with the core's identity and errors.

    Fires: when the API process builds its app. Transaction: none; handlers open their own with
    `host.transaction()`. Every handler states `access(...)`; one that does not disables the plugin.
    Errors: any raise disables the plugin. Idempotency: called once per process. Since 1.0.
    """
    raise NotImplementedError


@hookspec
def marketplace_register_pages(host: api.Host) -> api.Pages:
    """Return pages for the browser, mounted under `/<slug>` with the core's look and languages.

    Fires: when the API process builds its app. Transaction: none. Every handler states
    `access(...)`, with `page=True` where it shows HTML. Errors: any raise, an address that is not
    the plugin's, or a folder that does not exist disables the plugin. Idempotency: called once per
    process. Since 1.0.
    """
    raise NotImplementedError


@hookspec
def marketplace_register_commands(host: api.Host) -> Sequence[api.Command]:
    """Return command line commands.

    Fires: when the command line starts. Transaction: none. Errors: any raise leaves the plugin's
    commands out, with a warning. Idempotency: called once per process. Since 1.0.
    """
    raise NotImplementedError


@hookspec
def marketplace_register_tasks(host: api.Host) -> Sequence[api.PeriodicTask]:
    """Return periodic work, started by beat on the plugin's own queue.

    Fires: at start of worker and beat. Transaction: none. Errors: any raise disables the plugin.
    Idempotency: a task may run twice at once and must bear it. Since 1.0.
    """
    raise NotImplementedError


@hookspec
def marketplace_register_tables() -> api.PluginTables:
    """Return the tables the plugin owns; `marketplace db upgrade` runs their migrations.

    Fires: at `marketplace db upgrade` and in the check that models and migrations agree.
    Transaction: none. Errors: any raise, or a table whose name does not begin with the slug, stops
    the upgrade. Idempotency: pure. Since 1.0.
    """
    raise NotImplementedError


@hookspec
def marketplace_register_checks() -> Sequence[api.Check]:
    """Return what always holds in the plugin's own tables; `marketplace ledger verify` proves it.

    Fires: at `marketplace ledger verify`. Transaction: none; the SQL of each check then runs in the
    read-only snapshot of all checks. Errors: any raise disables the plugin, and its checks are
    missing; SQL that fails ends the proof. Idempotency: pure. Since 1.0.
    """
    raise NotImplementedError


@hookspec
def marketplace_register_journal_notes() -> Sequence[api.JournalNotes]:
    """Return what the exported journal says beside transfers, so that strangers can recompute it.

    Fires: at `marketplace ledger export`. Transaction: none; the SQL of each then runs in the
    read-only snapshot of the export. Errors: any raise disables the plugin, and its notes are
    missing; SQL that fails ends the export. Idempotency: pure. Since 1.3.
    """
    raise NotImplementedError


@hookspec
def marketplace_register_burn_tracers(host: api.Host) -> Sequence[api.BurnTracer]:
    """Return what knows where the money of captured burns went.

    Fires: at start of a process that asks; tracers are asked while a page or document is made, in
    processes that have the plugin loaded. Transaction: none. Errors: any raise disables the plugin;
    what a tracer itself raises is logged, and the way ends there. Idempotency: called once per
    process. Since 1.0.
    """
    raise NotImplementedError


@hookspec
def marketplace_register_payout_tracers(host: api.Host) -> Sequence[api.PayoutTracer]:
    """Return what knows which payments to members failed, and what they gave back after disputes.

    Fires: at start of a process that works by the clock; tracers are asked once a minute, in
    processes that have the plugin loaded. Transaction: none. Errors: any raise disables the plugin;
    what a tracer itself raises is logged, and it is asked again a minute later. Idempotency: called
    once per process. Since 1.3.
    """
    raise NotImplementedError


@hookspec
def marketplace_after_burn_fulfilled(fact: api.BurnFact, host: api.Host) -> None:
    """A burn was captured: its reward is delivered and its points are spent.

    Fires: after commit, in a worker. Transaction: none. Errors: logged, nothing else. Idempotency:
    may be told twice; `fact.burn_id` tells. Since 1.0.
    """


@hookspec
def marketplace_after_burn_voided(fact: api.BurnFact, host: api.Host) -> None:
    """A held burn ended without delivery and its points went back; `fact.reason` says why.

    Fires: after commit, in a worker or the API. Transaction: none. Errors: logged, nothing else.
    Idempotency: may be told twice; `fact.burn_id` tells. Since 1.0.
    """


@hookspec
def marketplace_after_burn_refunded(fact: api.RefundFact, host: api.Host) -> None:
    """Points of a captured burn were given back, all or some.

    Fires: after commit, in the API. Transaction: none. Errors: logged, nothing else. Idempotency:
    may be told twice; `fact.refund_id` tells. Since 1.0.
    """


@hookspec
def marketplace_after_points_issued(fact: api.IssueFact, host: api.Host) -> None:
    """Points were issued by a request or a file.

    Fires: after commit, in the API or the importer. Transaction: none. Errors: logged, nothing
    else. Idempotency: told once per request or file that issued anything new. Since 1.0.
    """


@hookspec
def marketplace_after_window_closed(fact: api.WindowFact, host: api.Host) -> None:
    """A settlement window was closed: nothing is added to it any more.

    Fires: after commit, in the API, a worker or the command line. Transaction: none. Errors:
    logged, nothing else. Idempotency: may be told twice; `fact.window_id` tells. Since 1.0.
    """
