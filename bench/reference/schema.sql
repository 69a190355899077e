-- The reference's own schema: what a burn needs, primary keys and the index that finds lots, and
-- nothing else (no foreign keys, checks or triggers). Integer keys, narrower than the product's.
drop schema if exists bench_a cascade;
create schema bench_a;
set search_path = bench_a;

create table wallet (
    id bigint primary key,
    available bigint not null,
    held bigint not null,
    version bigint not null
) with (fillfactor = 70);

create table lot (
    wallet_id bigint not null,
    id bigint not null,
    issuer_id integer not null,
    points bigint not null,
    remaining bigint not null,
    open boolean not null,
    effective_at timestamptz not null,
    expires_at timestamptz not null,
    primary key (wallet_id, id)
) with (fillfactor = 70);
create index lot_draw_order on lot (wallet_id, expires_at, effective_at, id) where open;

create table offer (
    id integer primary key,
    acceptor_id integer not null,
    points bigint not null,
    cost_micros bigint not null
);

create table burn (
    id bigint generated always as identity primary key,
    wallet_id bigint not null,
    offer_id integer not null,
    points bigint not null,
    cost_micros bigint not null,
    status text not null,
    effective_at timestamptz not null
) with (fillfactor = 70);

create table draw (
    id bigint generated always as identity primary key,
    burn_id bigint not null,
    lot_id bigint not null,
    issuer_id integer not null,
    points bigint not null,
    effective_at timestamptz not null
);

create table transfer (
    id bigint generated always as identity primary key,
    wallet_id bigint not null,
    code text not null,
    debit_account text not null,
    credit_account text not null,
    amount bigint not null,
    burn_id bigint not null,
    effective_at timestamptz not null
);

create table idempotency_key (
    caller_id integer not null,
    key text not null,
    burn_id bigint not null,
    posted_at timestamptz not null,
    primary key (caller_id, key)
);

insert into wallet select id, 300000000, 0, 0 from generate_series(1, :wallets) as id;
insert into lot
select wallet_id, number, number % 5, 100000000, 100000000, true,
    now() - number * interval '10 days', 'infinity'
from generate_series(1, :wallets) as wallet_id, generate_series(1, 3) as number;
insert into offer select id, id % 12, 1000, 7000000 from generate_series(1, :offers) as id;

create function burn(a_wallet bigint, an_offer integer, a_key text) returns bigint
language plpgsql as $$
declare
    purse bench_a.wallet;
    goods bench_a.offer;
    source bench_a.lot;
    made bigint;
begin
    select * into purse from bench_a.wallet where id = a_wallet for update;
    select * into source from bench_a.lot where wallet_id = a_wallet and open
    order by expires_at, effective_at, id limit 1;
    select * into goods from bench_a.offer where id = an_offer;
    if purse.available < goods.points then
        raise exception 'insufficient points';
    end if;
    update bench_a.wallet set available = available - goods.points, held = held + goods.points,
        version = version + 1
    where id = a_wallet;
    update bench_a.lot set remaining = remaining - goods.points
    where wallet_id = a_wallet and id = source.id;
    insert into bench_a.burn (wallet_id, offer_id, points, cost_micros, status, effective_at)
    values (a_wallet, an_offer, goods.points, goods.cost_micros, 'held', now())
    returning id into made;
    insert into bench_a.draw (burn_id, lot_id, issuer_id, points, effective_at)
    values (made, source.id, source.issuer_id, goods.points, now());
    insert into bench_a.transfer
        (wallet_id, code, debit_account, credit_account, amount, burn_id, effective_at)
    values (a_wallet, 'hold', 'wallet_available', 'wallet_held', goods.points, made, now());
    insert into bench_a.idempotency_key (caller_id, key, burn_id, posted_at)
    values (1, a_key, made, now());
    return made;
end $$;

vacuum analyze wallet, lot, offer;
checkpoint;
