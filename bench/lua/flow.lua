-- The whole code flow with PKCE: an authorization request with a live session of somebody who need not be asked, then the code at
-- the token endpoint. Two requests are one flow; the benchmark counts the codes that became tokens. Flows take turns at the
-- browsers whose cookies are in the file.
dofile(os.getenv("BENCH_LUA") .. "/common.lua")

local threads = {}

function setup(thread)
  table.insert(threads, thread)
end

function init(args)
  path, body = args[2], args[3]
  asks, asked = {}, 0
  for at, cookie in ipairs(lines(args[4])) do
    local headers = { ["Cookie"] = cookie, ["Accept"] = "text/html", ["Host"] = os.getenv("BENCH_HOST") }
    asks[at] = wrk.format("GET", args[1], headers)
  end
  codes, flows, refused = {}, 0, 0
end

function request()
  local code = table.remove(codes)
  if code then
    return post(path, body .. "&code=" .. code)
  end
  asked = asked % #asks + 1
  return asks[asked]
end

function response(status, headers, answer)
  -- Either sends the browser back: Grantry says 302, the peer 303.
  if status == 302 or status == 303 then
    codes[#codes + 1] = string.match(headers["location"] or headers["Location"] or "", "code=([^&]+)")
  elseif status == 200 and string.find(answer, '"access_token"', 1, true) then
    flows = flows + 1
  else
    refused = refused + 1
  end
end

local closing = done

function done(summary, latency, requests)
  closing(summary, latency, requests)
  local flows, refused = 0, 0
  for _, thread in ipairs(threads) do
    flows = flows + thread:get("flows")
    refused = refused + thread:get("refused")
  end
  io.write(string.format('FLOWS {"flows":%d,"refused":%d}\n', flows, refused))
end
