-- burns.lua with a pause before each request: BENCH_PAUSE_MS on average, evenly spread.
dofile(os.getenv("BENCH_SCRIPT"))

local most = 2 * tonumber(os.getenv("BENCH_PAUSE_MS"))

function delay()
  return math.floor(math.random() * most + 0.5)
end
