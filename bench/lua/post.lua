-- POST one body to one path, over and over: the ceiling, and client_credentials.
dofile(os.getenv("BENCH_LUA") .. "/common.lua")

function init(args)
  ready = post(args[1], args[2])
end

function request()
  return ready
end
