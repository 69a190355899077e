-- wrk script: searches of the catalog. BENCH_MODE says which:
--   tiny      the reference route
--   hit       the same twenty searches again and again
--   miss      no search twice: words, a category, an order and bounds of points
--   personal  as miss, each by one of the participants whose tokens are in BENCH_TOKENS (a file)
-- BENCH_WORDS is a file of words, one a line. BENCH_SEED begins the randomness.
local threads = 0

function setup(thread)
  threads = threads + 1
  thread:set("thread_number", threads)
end

local function lines(path)
  local found = {}
  if path then
    for line in io.lines(path) do found[#found + 1] = line end
  end
  return found
end

local function escaped(word)
  return (word:gsub("[^%w]", function(c) return string.format("%%%02X", string.byte(c)) end))
end

function init()
  mode = os.getenv("BENCH_MODE")
  math.randomseed(tonumber(os.getenv("BENCH_SEED")) + thread_number)
  words = lines(os.getenv("BENCH_WORDS"))
  for i, word in ipairs(words) do words[i] = escaped(word) end
  tokens = lines(os.getenv("BENCH_TOKENS"))
  sorts = { "relevance", "points", "-points", "newest", "value", "popular" }
  sent = 0
end

local function search()
  sent = sent + 1
  -- The bounds make every search of a thread, and of the threads, another one.
  return string.format("/v1/catalog?q=%s+%s&category=c%d&sort=%s&points_min=%d&points_max=%d",
    words[math.random(#words)], words[math.random(#words)], math.random(1, 8),
    sorts[math.random(#sorts)], sent % 900, 100000000 + thread_number * 50000000 + sent)
end

function request()
  if mode == "tiny" then return wrk.format("GET", "/") end
  if mode == "hit" then
    return wrk.format("GET", "/v1/catalog?q=" .. words[math.random(20)] .. "&sort=points")
  end
  if mode == "miss" then return wrk.format("GET", search()) end
  local headers = { ["Authorization"] = "Bearer " .. tokens[math.random(#tokens)] }
  return wrk.format("GET", search(), headers)
end

function done(summary, latency)
  io.write(string.format(
    '\n{"requests":%d,"duration_us":%d,"refused":%d,"broken":%d,"bytes":%d,"p50_us":%d,"p95_us":%d,"p99_us":%d}\n',
    summary.requests, summary.duration, summary.errors.status,
    summary.errors.connect + summary.errors.read + summary.errors.write + summary.errors.timeout,
    summary.bytes, latency:percentile(50), latency:percentile(95), latency:percentile(99)))
end
