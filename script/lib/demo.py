# SPDX-License-Identifier: MIT
"""The demonstration: collector, backend with the store built in, three jobs under the job wrapper. See script/demo."""
import argparse
import json
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parents[2]
BIN = pathlib.Path(os.environ.get("CC_BIN_DIR", ROOT / "build" / "release" / "bin")).resolve()
CLUSTER = "local"
SIMULATED = "simulated"
JOBS = [("compute", "computes: one hardware thread, arithmetic in registers"),
        ("stream", "streams through memory larger than any cache"),
        ("io", "waits for input and output")]


class Failed(Exception):
    """Something that the user must know; printed without a trace."""


def free_port(wanted):
    """The wanted port of 127.0.0.1 when it is free, else any."""
    for port in (wanted, 0):
        with socket.socket() as s:
            s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                s.bind(("127.0.0.1", port))
                return s.getsockname()[1]
            except OSError:
                continue
    raise Failed("no free port on 127.0.0.1")


class Demo:
    def __init__(self, folder, port, interval_s, nodes):
        self.folder, self.port, self.interval_s, self.nodes = pathlib.Path(folder), port, interval_s, nodes
        self.url = f"http://127.0.0.1:{port}"
        self.host = socket.gethostname().split(".")[0]
        self.children = {}

    # ---- files ---------------------------------------------------------------------------------------------
    def write_files(self):
        self.folder.mkdir(parents=True, exist_ok=True)
        archive = self.folder / "job-archive"
        self.tool("cc-cluster-init", "-name", CLUSTER, "-archive", archive, "-timestep", self.interval_s, "-force")
        if self.nodes:
            self.tool("cc-load-generator", *self.simulation(), "-write-archive", archive)
        self.write_json("config.json", {
            "main": {"addr": f"127.0.0.1:{self.port}"},
            "archive": {"kind": "file", "path": str(archive)},
            "metric-store": {"retention-in-memory": "24h", "memory-cap": 4,
                             "checkpoints": {"directory": str(self.folder / "checkpoints")}}})
        self.write_json("collector.json", {
            "main": {"interval": f"{self.interval_s}s"},
            "router": {"interval_timestamp": True,
                       "add_tags": [{"key": "cluster", "value": CLUSTER, "if": "*"}]},
            "sinks": {"backend": {"type": "http", "url": f"{self.url}/api/write?cluster={CLUSTER}",
                                  "flush_delay": "200ms"}},
            "collectors": {"loadavg": {}, "memstat": {}, "cpustat": {}, "diskstat": {}, "iostat": self.disks(),
                           "netstat": self.networks(), "cpufreq": {}, "tempstat": {}, "self": {}}})

    def write_json(self, name, value):
        (self.folder / name).write_text(json.dumps(value, indent=2) + "\n")

    @staticmethod
    def networks():
        """The device of the default route: devices of one node share a series in the store."""
        devices = []
        try:
            for line in pathlib.Path("/proc/net/route").read_text().splitlines()[1:]:
                part = line.split()
                if part[1] == "00000000" and part[0] not in devices:
                    devices.append(part[0])
        except OSError:
            pass
        names = [p.name for p in pathlib.Path("/sys/class/net").glob("*") if p.name != "lo"]
        return {"include_devices": (devices or sorted(names) or ["lo"])[:1], "send_derived_values": True}

    @staticmethod
    def disks():
        """All but the busiest disk are left out, for the same reason."""
        written = {}
        try:
            for line in pathlib.Path("/proc/diskstats").read_text().splitlines():
                part = line.split()
                if (pathlib.Path("/sys/block") / part[2]).exists():
                    written[part[2]] = int(part[5]) + int(part[9])
        except (OSError, ValueError, IndexError):
            pass
        main = max(written, key=written.get, default="")
        names = {line.split()[2] for line in pathlib.Path("/proc/diskstats").read_text().splitlines() if line.split()} \
            if written else set()
        return {"exclude_devices": sorted(names - {main})}

    # ---- programs --------------------------------------------------------------------------------------------
    def program(self, name):
        path = BIN / name
        if not path.exists():
            raise Failed(f"{path} is missing: run script/build")
        return str(path)

    def tool(self, name, *args):
        done = subprocess.run([self.program(name), *map(str, args)], capture_output=True, text=True)
        if done.returncode != 0:
            raise Failed(f"{name} failed:\n{done.stdout}{done.stderr}")
        return done.stdout

    def start(self, name, *args):
        log = open(self.folder / f"{name}.log", "wb")
        with log:
            self.children[name] = subprocess.Popen([self.program(name), *map(str, args)], cwd=self.folder, stdout=log,
                                                   stderr=log, stdin=subprocess.DEVNULL)
        return self.children[name]

    def log_tail(self, name):
        path = self.folder / f"{name}.log"
        return path.read_text(errors="replace")[-2000:] if path.exists() else ""

    def simulation(self):
        return ["-cluster", SIMULATED, "-nodes", self.nodes, "-seed", 1]

    def start_all(self):
        self.write_files()
        backend = self.start("cc-backend", "-server", "-demo", "-config", "config.json")
        deadline = time.monotonic() + 30
        while not self.answers():
            if backend.poll() is not None or time.monotonic() > deadline:
                raise Failed(f"cc-backend does not answer:\n{self.log_tail('cc-backend')}")
            time.sleep(0.1)
        self.start("cc-metric-collector", "-config", "collector.json")
        if self.nodes:
            self.start("cc-load-generator", *self.simulation(), "-url", self.url, "-live", "-jobs", "-backfill", "4h")

    def answers(self):
        try:
            self.get("/ui/api/info")
            return True
        except OSError:
            return False

    def stop_all(self):
        for name in ("cc-load-generator", "cc-metric-collector", "cc-backend"):
            child = self.children.pop(name, None)
            if child is None or child.poll() is not None:
                continue
            child.send_signal(signal.SIGTERM)
            try:
                child.wait(20)
            except subprocess.TimeoutExpired:
                child.kill()
                child.wait()

    def start_job(self, kind, seconds):
        name = {"compute": "compute", "stream": "memory stream", "io": "input and output"}[kind]
        command = [self.program("cc-run"), "-url", self.url, "-cluster", CLUSTER, "-name", name, "-project", "demo", "--",
                   self.program("cc-demo-job"), kind, str(seconds)]
        log = open(self.folder / f"job-{kind}.log", "wb")
        with log:
            return subprocess.Popen(command, cwd=self.folder, stdout=log, stderr=log, stdin=subprocess.DEVNULL)

    # ---- asking --------------------------------------------------------------------------------------------------
    def get(self, path):
        with urllib.request.urlopen(self.url + path, timeout=10) as answer:
            return json.loads(answer.read())

    def post(self, path, body):
        request = urllib.request.Request(self.url + path, json.dumps(body).encode(), {"Content-Type": "application/json"})
        with urllib.request.urlopen(request, timeout=10) as answer:
            return json.loads(answer.read())

    def query(self, metric, start, end, **more):
        body = {"cluster": CLUSTER, "from": int(start), "to": int(end), "with-padding": False,
                "queries": [{"metric": metric, "host": self.host, **more}]}
        return self.post("/api/query", body)["results"][0]


def interactive(demo, seconds):
    demo.start_all()
    print(f"""
  cc-backend, cc-metric-collector and three jobs are running.

      {demo.url}/

  This machine's metrics:  {demo.url}/clusters/{CLUSTER}/nodes/{demo.host}
  The jobs:                {demo.url}/jobs
  Files and logs:          {demo.folder}
""", flush=True)
    if demo.nodes:
        print(f"  Simulated nodes:         {demo.url}/clusters/{SIMULATED}\n", flush=True)
    for kind, text in JOBS:
        print(f"  job '{kind}' {text} ({seconds} s)", flush=True)
        job = demo.start_job(kind, seconds)
        while job.poll() is None:
            time.sleep(0.3)
            stopped = [n for n, c in demo.children.items() if c.poll() not in (None, 0)]
            if stopped:
                raise Failed(f"{stopped[0]} ended:\n{demo.log_tail(stopped[0])}")
    print("  all jobs have ended; their pages stay. Ctrl-C ends the demonstration.", flush=True)
    while all(c.poll() in (None, 0) for c in demo.children.values()):
        time.sleep(1)
    raise Failed("a program ended:\n" + "\n".join(demo.log_tail(n) for n, c in demo.children.items() if c.poll()))


def parse_arguments():
    parser = argparse.ArgumentParser(prog="script/demo", description="this machine's metrics and jobs in the web interface")
    parser.add_argument("--check", action="store_true", help="headless: prove that it works, then exit")
    parser.add_argument("--nodes", type=int, default=0, metavar="N", help="add a simulated cluster of N nodes with jobs")
    parser.add_argument("--port", type=int, default=8080, help="port on 127.0.0.1 (another one when it is taken)")
    parser.add_argument("--interval", type=int, default=1, metavar="S", help="seconds between samples")
    parser.add_argument("--job-seconds", type=int, default=0, metavar="S", help="length of each job")
    parser.add_argument("--fresh", action="store_true", help="forget the jobs of earlier demonstrations")
    return parser.parse_args()


def main():
    options = parse_arguments()
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    folder = pathlib.Path(tempfile.mkdtemp(prefix="cc-demo-")) if options.check else ROOT / "var" / "demo"
    if options.fresh and folder.exists():
        shutil.rmtree(folder)
    demo = Demo(folder, free_port(0 if options.check else options.port), options.interval, options.nodes)
    code = 0
    try:
        if options.check:
            import demo_check
            code = demo_check.run(demo, options.job_seconds or 12)
        else:
            interactive(demo, options.job_seconds or 25)
    except KeyboardInterrupt:
        print("\nending")
    except (Failed, urllib.error.URLError) as problem:
        print(f"script/demo: {problem}", file=sys.stderr)
        code = 1
    finally:
        demo.stop_all()
        if options.check and code == 0:
            shutil.rmtree(folder, ignore_errors=True)
    return code


if __name__ == "__main__":
    sys.exit(main())
