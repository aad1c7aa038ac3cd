-- Refresh with rotation: each answer's refresh token is the next request's. Every thread of every round begins with its
-- own part of the file, and takes the tokens in turn, so that no token is asked for twice.
dofile(os.getenv("BENCH_LUA") .. "/common.lua")

local counter = 0

function setup(thread)
  thread:set("number", counter)
  counter = counter + 1
end

function init(args)
  path, credentials = args[1], args[2]
  local parts = tonumber(args[4])
  local own = number + tonumber(args[5]) * (tonumber(os.getenv("BENCH_ROUND")) - 1)
  queue, first, last = {}, 1, 0
  for at, token in ipairs(lines(args[3])) do
    if at % parts == own then
      last = last + 1
      queue[last] = token
    end
  end
end

function request()
  local token = queue[first]
  queue[first] = nil
  first = first + 1
  return post(path, credentials .. "&grant_type=refresh_token&refresh_token=" .. (token or "none-left"))
end

function response(status, headers, body)
  local token = string.match(body, '"refresh_token":"([^"]+)"')
  if token then
    last = last + 1
    queue[last] = token
  end
end
