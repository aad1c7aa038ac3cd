-- GET one path, over and over: the ceiling's "/" or the discovery document.
dofile(os.getenv("BENCH_LUA") .. "/common.lua")

function init(args)
  ready = wrk.format("GET", args[1])
end

function request()
  return ready
end
