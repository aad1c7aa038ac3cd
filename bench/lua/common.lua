-- Shared by all scripts: reading a file of lines, and the closing line that the benchmark reads.

function lines(path)
  local out = {}
  for line in io.lines(path) do out[#out + 1] = line end
  return out
end

function post(path, body, extra)
  local headers = { ["Content-Type"] = "application/x-www-form-urlencoded", ["Host"] = os.getenv("BENCH_HOST") }
  for name, value in pairs(extra or {}) do headers[name] = value end
  return wrk.format("POST", path, headers, body)
end

-- wrk counts a status of 400 and more as an error of its own; connection trouble is in the other four.
function done(summary, latency, requests)
  local errors = summary.errors
  io.write(string.format(
    'RESULT {"requests":%d,"duration_us":%d,"bytes":%d,"status_errors":%d,"socket_errors":%d,"p50_us":%d,"p99_us":%d}\n',
    summary.requests, summary.duration, summary.bytes, errors.status,
    errors.connect + errors.read + errors.write + errors.timeout,
    latency:percentile(50), latency:percentile(99)))
end
