-- POST a token of the file to the introspection endpoint, each time another. The requests are written before the clock
-- runs: the load generator shares the machine with the server.
dofile(os.getenv("BENCH_LUA") .. "/common.lua")

local counter = 1

function setup(thread)
  thread:set("number", counter)
  counter = counter + 1
end

function init(args)
  ready = {}
  for at, token in ipairs(lines(args[3])) do
    ready[at] = post(args[1], args[2] .. "&token=" .. token)
  end
  math.randomseed(number)
end

function request()
  return ready[math.random(#ready)]
end
