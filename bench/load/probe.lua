-- GET as a kubelet's probe sends it: Host and three fields.
wrk.headers["User-Agent"] = "kube-probe/1.30"
wrk.headers["Accept"] = "*/*"
wrk.headers["Accept-Encoding"] = "gzip"
dofile(os.getenv("BENCH_LOAD") .. "/report.lua")
