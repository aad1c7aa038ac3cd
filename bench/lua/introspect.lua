-- POST a token of the file to the introspection endpoint, each time another.
dofile(os.getenv("BENCH_LUA") .. "/common.lua")

local counter = 1

function setup(thread)
  thread:set("number", counter)
  counter = counter + 1
end

function init(args)
  path, credentials, tokens = args[1], args[2], lines(args[3])
  math.randomseed(number)
end

function request()
  return post(path, credentials .. "&token=" .. tokens[math.random(#tokens)])
end
