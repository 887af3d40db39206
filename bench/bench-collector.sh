#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# What does the node agent cost on an idle machine? All its collectors at intervals of 1 s and 10 s, to the stdout sink
# and to an http sink, and on a machine of 256 hardware threads (made up, below -root, where files are opened anew at
# each read). One line per run: CPU in percent of one processor and of all, resident memory, longest burst (CPU time in
# the busiest window of 100 ms, that is of the most expensive tick).
#   bench/bench-collector.sh [seconds per run, 60]
set -euo pipefail
cd "$(dirname "$0")/.."
seconds=${1:-60}
program=${CC_BIN_DIR:-build/release/bin}/cc-metric-collector
work=$(mktemp -d)
pids=()
trap 'kill "${pids[@]}" 2>/dev/null || true; rm -rf "$work"' EXIT

# A receiver that takes everything.
/usr/bin/python3 - "$work/port" <<'PY' &
import http.server, sys
class H(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def do_POST(self):
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()
    def log_message(self, *a):
        pass
s = http.server.ThreadingHTTPServer(("127.0.0.1", 0), H)
open(sys.argv[1], "w").write(str(s.server_address[1]))
s.serve_forever()
PY
pids+=($!)
while [ ! -s "$work/port" ]; do sleep 0.1; done
port=$(cat "$work/port")

# Two sockets of 64 cores with two threads each.
make_machine() {
  local cpu=$1/sys/devices/system/cpu i core
  mkdir -p "$cpu" "$1/proc/net" "$1/proc/self"
  cp /proc/meminfo /proc/loadavg /proc/diskstats "$1/proc/"
  cp /proc/net/dev "$1/proc/net/"
  cp /proc/self/mounts "$1/proc/self/"
  echo 0-255 >"$cpu/online"
  {
    echo "cpu  100000 2000 30000 4000000 500 60 70 80 90 10"
    for ((i = 0; i < 256; i++)); do echo "cpu$i 1$i 2$i 3$i 4$i 5$i 6$i 7$i 8$i 9$i 10$i"; done
    printf 'intr'; printf ' %d' {1..1200}; echo
  } >"$1/proc/stat"
  for ((i = 0; i < 256; i++)); do
    core=$((i % 128))
    mkdir -p "$cpu/cpu$i/topology" "$cpu/cpu$i/cpufreq" "$cpu/cpu$i/node$((core / 64))"
    echo $((core % 64)) >"$cpu/cpu$i/topology/core_id"
    echo $((core / 64)) >"$cpu/cpu$i/topology/physical_package_id"
    echo "$core,$((core + 128))" >"$cpu/cpu$i/topology/core_cpus_list"
    echo $((2000000 + i)) >"$cpu/cpu$i/cpufreq/scaling_cur_freq"
  done
}

cpu_ns() { cat /proc/"$1"/task/*/schedstat | awk '{ n += $1 } END { printf "%d", n }'; }

# run <name> <interval> <sink> [argument ...]
run() {
  local name=$1 interval=$2 sink=$3 devices pid start before now last max=0
  shift 3
  devices=$(awk -F: 'NR > 2 { gsub(/ /, "", $1); printf "%s\"%s\"", sep, $1; sep = "," }' /proc/net/dev)
  cat >"$work/config.json" <<JSON
{"main": {"interval": "$interval"}, "router": {"interval_timestamp": true}, "sinks": {"out": $sink}, "receivers": {},
 "collectors": {"loadavg": {}, "memstat": {}, "cpustat": {}, "diskstat": {}, "iostat": {}, "cpufreq": {},
  "tempstat": {}, "netstat": {"include_devices": [$devices], "send_derived_values": true},
  "self": {"read_rusage": true, "read_mem_stats": true, "read_goroutines": true}}}
JSON
  "$program" -config "$work/config.json" "$@" >/dev/null 2>"$work/log" &
  pid=$!
  pids+=("$pid")
  sleep 2.5
  start=$(date +%s%N)
  before=$(cpu_ns "$pid")
  last=$before
  while (($(date +%s%N) - start < seconds * 1000000000)); do
    sleep 0.1
    now=$(cpu_ns "$pid")
    ((now - last <= max)) || max=$((now - last))
    last=$now
  done
  awk -v name="$name" -v ns=$((last - before)) -v wall=$(($(date +%s%N) - start)) -v cpus="$(nproc)" -v burst=$max \
    -v rss="$(awk '/^VmRSS/ { print $2 }' /proc/"$pid"/status)" 'BEGIN {
      share = ns / wall * 100
      printf "collector-cpu-%s %.4f %% of one CPU, %.4f %% of %d\n", name, share, share / cpus, cpus
      printf "collector-rss-%s %.2f MB\n", name, rss / 1024
      printf "collector-burst-%s %.0f us\n", name, burst / 1000 }'
  kill "$pid"
  wait "$pid" 2>/dev/null || true
}

stdout='{"type": "stdout"}'
http="{\"type\": \"http\", \"url\": \"http://127.0.0.1:$port/api/write/?cluster=bench\"}"
make_machine "$work/big"
run 1s-stdout 1s "$stdout"
run 10s-stdout 10s "$stdout"
run 1s-http 1s "$http"
run 10s-http 10s "$http"
run 1s-256-threads-stdout 1s "$stdout" -root "$work/big"
run 1s-256-threads-http 1s "$http" -root "$work/big"
