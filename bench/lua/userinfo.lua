-- GET the userinfo endpoint with a token of the file as the bearer, each time another. The requests are written before the
-- clock runs: the load generator shares the machine with the server.
dofile(os.getenv("BENCH_LUA") .. "/common.lua")

local counter = 1

function setup(thread)
  thread:set("number", counter)
  counter = counter + 1
end

function init(args)
  ready = {}
  for at, token in ipairs(lines(args[2])) do
    ready[at] = wrk.format("GET", args[1], { ["Authorization"] = "Bearer " .. token, ["Host"] = os.getenv("BENCH_HOST") })
  end
  math.randomseed(number)
end

function request()
  return ready[math.random(#ready)]
end
