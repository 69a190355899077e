-- wrk script: each request burns one unit of a random offer from a random wallet under a new key.
-- Answers of 400 and more are counted by wrk itself (a `response` function would slow it down);
-- that each of the others made one burn is checked in the database afterwards.
-- Environment: BENCH_TOKEN (API key), BENCH_WALLETS and BENCH_OFFERS (the last of each),
-- BENCH_FIRST_WALLET, BENCH_WALLET_STEP, BENCH_FIRST_OFFER, BENCH_RUN (begins every key), BENCH_SEED.
local threads = 0

function setup(thread)
  threads = threads + 1
  thread:set("thread_number", threads)
end

function init()
  math.randomseed(tonumber(os.getenv("BENCH_SEED")) + thread_number)
  first = tonumber(os.getenv("BENCH_FIRST_WALLET"))
  step = tonumber(os.getenv("BENCH_WALLET_STEP"))
  steps = math.floor((tonumber(os.getenv("BENCH_WALLETS")) - first) / step)
  first_offer = tonumber(os.getenv("BENCH_FIRST_OFFER"))
  offers = tonumber(os.getenv("BENCH_OFFERS"))
  key = os.getenv("BENCH_RUN") .. "-" .. thread_number .. "-"
  sent = 0
  headers = {
    ["Authorization"] = "Bearer " .. os.getenv("BENCH_TOKEN"),
    ["Content-Type"] = "application/json",
  }
  body = '{"wallet_id":"00000000-0000-7000-8000-%012x",'
    .. '"offer_id":"00000000-0000-7000-9000-%012x","quantity":1}'
end

function request()
  sent = sent + 1
  headers["Idempotency-Key"] = key .. sent
  return wrk.format("POST", "/v1/burns", headers,
    string.format(body, first + step * math.random(0, steps), math.random(first_offer, offers)))
end

function done(summary, latency)
  io.write(string.format(
    '\n{"requests":%d,"duration_us":%d,"refused":%d,"broken":%d,"mean_us":%d,"p50_us":%d,"p99_us":%d,"max_us":%d}\n',
    summary.requests, summary.duration, summary.errors.status,
    summary.errors.connect + summary.errors.read + summary.errors.write + summary.errors.timeout,
    latency.mean, latency:percentile(50), latency:percentile(99),
    latency.max))
end
