-- POST of 1 KiB of JSON: a few numbers and labels, then text, as an API client sends.
-- Reading and writing it costs Python's json about 7 to 9 us, so the servers stay visible.
local note = string.rep("The quick brown fox jumps over the lazy dog. ", 4)
local head = '{"id": 4711, "kind": "deployment", "name": "payments", "ready": true, "replicas": 3, "load": 0.731, '
  .. '"labels": {"tier": "backend", "zone": "eu-1"}, "ports": [8080, 8443], "notes": ["'
  .. note .. '", "' .. note .. '", "' .. note .. '"], "pad": "'
wrk.method = "POST"
wrk.body = head .. string.rep("x", 1024 - #head - 2) .. '"}'
wrk.headers["Content-Type"] = "application/json"
wrk.headers["User-Agent"] = "bench/1"
wrk.headers["Accept"] = "*/*"
dofile(os.getenv("BENCH_LOAD") .. "/report.lua")
