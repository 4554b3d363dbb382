-- SPDX-License-Identifier: MIT
-- What wrk says at its end, as the one line that nido-bench reads (wrk.c).
function done(summary, latency, requests)
    local failed = summary.errors
    local errors = failed.connect + failed.read + failed.write + failed.status + failed.timeout
    io.write(string.format(
        '\n{"requests": %d, "us": %d, "p50": %g, "p99": %g, "p999": %g, "errors": %d}\n',
        summary.requests, summary.duration, latency:percentile(50), latency:percentile(99),
        latency:percentile(99.9), errors))
end
