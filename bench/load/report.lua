-- Shared by the wrk scripts: the last line that wrk prints is read by bench/load/tools.py.
function done(summary, latency, requests)
  local errors = summary.errors
  io.write(string.format('{"requests": %d, "failed": %d, "p99": %f}\n',
    summary.requests,
    errors.connect + errors.read + errors.write + errors.status + errors.timeout,
    latency:percentile(99) / 1e6))
end
