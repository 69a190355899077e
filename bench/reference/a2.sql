-- A2: the same work in one call of a plpgsql function, one burn per call.
\set wallet random(1, :wallets)
\set offer random(1, :offers)
\set key random(1, 9000000000000000000)
select bench_a.burn(:wallet, :offer::integer, (:key::bigint)::text);
