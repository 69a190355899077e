-- wrk script: each request burns for another seat that somebody has reserved, from a random wallet.
-- Environment: BENCH_TOKEN, BENCH_WALLETS, BENCH_OFFER (id), BENCH_RUN (begins every key and selection).
local threads = 0

function setup(thread)
  threads = threads + 1
  thread:set("thread_number", threads)
end

function init()
  math.randomseed(thread_number)
  wallets = tonumber(os.getenv("BENCH_WALLETS"))
  name = os.getenv("BENCH_RUN") .. "-" .. thread_number .. "-"
  sent = 0
  headers = {
    ["Authorization"] = "Bearer " .. os.getenv("BENCH_TOKEN"),
    ["Content-Type"] = "application/json",
  }
  body = '{"wallet_id":"00000000-0000-7000-8000-%012x","offer_id":"' .. os.getenv("BENCH_OFFER")
    .. '","quantity":1,"selection":"%s"}'
end

function request()
  sent = sent + 1
  local selection = name .. sent
  headers["Idempotency-Key"] = selection
  return wrk.format("POST", "/v1/burns", headers,
    string.format(body, math.random(1, wallets), selection))
end

function done(summary, latency)
  io.write(string.format(
    '\n{"requests":%d,"duration_us":%d,"refused":%d,"broken":%d,"mean_us":%d,"p50_us":%d,"p99_us":%d,"max_us":%d}\n',
    summary.requests, summary.duration, summary.errors.status,
    summary.errors.connect + summary.errors.read + summary.errors.write + summary.errors.timeout,
    latency.mean, latency:percentile(50), latency:percentile(99),
    latency.max))
end
