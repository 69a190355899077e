-- A1: a burn as a plain transaction, statement by statement, as most programs would write it.
\set wallet random(1, :wallets)
\set offer random(1, :offers)
\set key random(1, 9000000000000000000)
begin;
select available as wallet_available from bench_a.wallet where id = :wallet for update \gset
select id as lot, issuer_id as issuer from bench_a.lot where wallet_id = :wallet and open order by expires_at, effective_at, id limit 1 \gset
select points, cost_micros from bench_a.offer where id = :offer \gset
update bench_a.wallet set available = available - :points, held = held + :points, version = version + 1 where id = :wallet;
update bench_a.lot set remaining = remaining - :points where wallet_id = :wallet and id = :lot;
insert into bench_a.burn (wallet_id, offer_id, points, cost_micros, status, effective_at) values (:wallet, :offer, :points, :cost_micros, 'held', now()) returning id as burn \gset
insert into bench_a.draw (burn_id, lot_id, issuer_id, points, effective_at) values (:burn, :lot, :issuer, :points, now());
insert into bench_a.transfer (wallet_id, code, debit_account, credit_account, amount, burn_id, effective_at) values (:wallet, 'hold', 'wallet_available', 'wallet_held', :points, :burn, now());
insert into bench_a.idempotency_key (caller_id, key, burn_id, posted_at) values (1, (:key::bigint)::text, :burn, now());
commit;
