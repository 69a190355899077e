"""A marketplace full of points, made by SQL in seconds: what the burns of bench.burns run on.

Every row is one the product itself could have written; `marketplace ledger verify` agrees.
"""

from __future__ import annotations

from bench.server import execute
from marketplace.identity.credentials import KEY_PREFIX, digest, new_token
from marketplace.identity.domain import Scope

ISSUERS = 5
LOTS_PER_WALLET = 3
LOT_POINTS = 100_000_000
OFFER_POINTS = 1_000
OFFER_COST_MICROS = 7_000_000
PRICE_MICROS = 8_000
STOCK = 1_000_000_000
LIMIT = 1_000_000
"""Stock and limit of the offers that have one: checked by every burn, never reached."""
CAP_MICROS = 10**16

_HEX = "lpad(to_hex({}), 12, '0')"


def _id(group: str, number: str) -> str:
    """SQL of a UUID made from a number; `8000` and `9000` are the groups burns.lua knows."""
    return f"('00000000-0000-7000-{group}-' || {_HEX.format(number)})::uuid"


MEMBERS = f"""
insert into member (id, slug, name, country, is_operator)
select {_id("a000", "n")}, 'member-' || n, 'Member ' || n, 'DE', n = 0
from generate_series(0, {ISSUERS}) as n
"""
CONTRACTS = f"""
insert into contract (id, reference, member_id, role, funding, currency, price_micros, breakage,
                      valid_from)
select {_id("b000", "n")}, 'contract-' || n, {_id("a000", "n")}, 'both', 'redemption', 'EUR',
       {PRICE_MICROS}, 'operator', '2020-01-01Z'
from generate_series(0, {ISSUERS}) as n
"""
FIRM = f"""
insert into firm (id, reference, name, country, sponsor_id)
values ({_id("c000", "1")}, 'firm', 'Firm', 'DE', {_id("a000", "1")})
"""
PARTICIPANTS = f"""
insert into participant (id, reference, firm_id, name, email, role, locale)
select {_id("d000", "n")}, 'participant-' || n, {_id("c000", "1")}, 'Participant ' || n, null,
       'buyer', 'en'
from generate_series(1, {{wallets}}) as n
"""
WALLETS = f"""
insert into wallet (id, participant_id, sponsor_id, available)
select {_id("8000", "n")}, {_id("d000", "n")}, {_id("a000", "1")}, {{lots}} * {LOT_POINTS}::bigint
from generate_series(1, {{wallets}}) as n
"""
LOTS = f"""
insert into lot (wallet_id, id, issuer_id, contract_id, reference, points, remaining, open,
                 currency, price_micros, funding, effective_at)
select {_id("8000", "n")}, n * {{lots}}::bigint + k, {_id("a000", "issuer")},
       {_id("b000", "issuer")}, n || '/' || k, {LOT_POINTS}, {LOT_POINTS}, true, 'EUR',
       {PRICE_MICROS}, 'redemption', statement_timestamp() - (10 * (k + 1)) * interval '1 day'
from generate_series(1, {{wallets}}) as n, generate_series(0, {{lots}} - 1) as k,
     lateral (select (n + k) % {ISSUERS} + 1 as issuer) as who
"""
TRANSFERS = """
insert into transfer (wallet_id, id, code, debit_account, debit_owner, credit_account,
                      credit_owner, unit, amount, lot_id, effective_at)
select wallet_id, id, 'issue', 'issuer_issued', issuer_id, 'wallet_available', wallet_id,
       'POINTS', points, id, effective_at
from lot
"""
OFFERS = f"""
insert into offer (id, reference, kind, name, acceptor_id, plugin, sku, points, cost_micros,
                   currency, limit_per_wallet, status)
select {_id("9000", "n")}, 'offer-' || n, 'gift', 'Offer ' || n,
       {_id("a000", f"n % {ISSUERS} + 1")}, 'giftfund', 'offer-' || n, {OFFER_POINTS},
       {OFFER_COST_MICROS}, 'EUR', case when n % 10 = 1 then {LIMIT} end, 'on_sale'
from generate_series(1, {{offers}}) as n
"""
STOCKS = f"""
insert into offer_stock (offer_id, remaining)
select {_id("9000", "n")}, {STOCK} from generate_series(1, {{offers}}) as n where n % 5 = 0
"""


CAP = f"""
update contract set exposure_cap_micros = {CAP_MICROS} where member_id = {_id("a000", "1")}
"""
RAISE_CAP = f"""
update contract set exposure_cap_micros =
    (select used_micros from exposure where member_id = {_id("a000", "1")}) + $1
where member_id = {_id("a000", "1")}
"""
"""Leave the capped issuer room for so many micros more."""
BURN_MICROS = OFFER_POINTS * PRICE_MICROS
"""What a burn counts towards the cap of the issuer of its points."""
EXPOSURE = f"""
insert into exposure (member_id, used_micros) values ({_id("a000", "1")}, 0)
"""


def seed(
    url: str, *, wallets: int, offers: int, lots: int = LOTS_PER_WALLET, capped: bool = False
) -> str:
    """Fill the migrated, empty database `url`; returns an API key of the operator.

    One in five offers has stock, one in ten a limit for each wallet. Each wallet has so many lots;
    with `capped` the first issuer has a cap on what it may owe, which is not reached.
    """
    token = new_token(KEY_PREFIX)
    scopes = f"array['{Scope.BURNS_WRITE}', '{Scope.BURNS_READ}']"
    key = f"""
    insert into api_key (id, member_id, label, digest, hint, scopes)
    values (gen_random_uuid(), {_id("a000", "0")}, 'bench', '\\x{digest(token).hex()}', 'mk_',
            {scopes})
    """
    statements = (MEMBERS, CONTRACTS, FIRM, PARTICIPANTS, WALLETS, LOTS, TRANSFERS, OFFERS, STOCKS)
    filled = [text.format(wallets=wallets, offers=offers, lots=lots) for text in statements]
    caps = (CAP, EXPOSURE) if capped else ()
    execute(url, *filled, key, *caps, "vacuum analyze", "checkpoint")
    return token
