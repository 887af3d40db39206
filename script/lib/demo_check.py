# SPDX-License-Identifier: MIT
"""script/demo --check: proves the main job from the kernel's counters to the plot in the browser. One line per proof."""
import json
import os
import pathlib
import subprocess
import time

from demo import CLUSTER, JOBS, ROOT

AT_LEAST_METRICS = 5


class Proofs:
    def __init__(self):
        self.failed = 0

    def check(self, good, text):
        print(f"{'ok ' if good else 'FAIL'} {text}", flush=True)
        self.failed += not good
        return good


def wait_for(condition, seconds):
    """The first true result of condition(), or the last one at the deadline."""
    deadline = time.monotonic() + seconds
    while True:
        result = condition()
        if result or time.monotonic() > deadline:
            return result
        time.sleep(0.3)



def last_value(demo, metric):
    """Newest sample of a node metric: (time, value) or None."""
    now = time.time()
    for entry in demo.query(metric, now - 60, now + 5):
        points = [(entry["from"] + i * entry["resolution"], v) for i, v in enumerate(entry.get("data", [])) if v is not None]
        if points:
            return points[-1]
    return None


def check_live(demo, proofs):
    config = json.loads((demo.folder / "job-archive" / CLUSTER / "cluster.json").read_text())
    names = [m["name"] for m in config["metricConfig"]]
    arrived = wait_for(lambda: (lambda n: n if len(n) >= AT_LEAST_METRICS else None)(
        [m for m in names if last_value(demo, m)]), 20) or []
    proofs.check(len(arrived) >= AT_LEAST_METRICS, f"samples of {len(arrived)} metrics arrive: {', '.join(arrived)}")
    first = last_value(demo, "load_one")
    moved = wait_for(lambda: (lambda n: n and first and n[0] > first[0])(last_value(demo, "load_one")), 10)
    proofs.check(bool(moved), "new samples keep coming")


def meminfo(key):
    for line in pathlib.Path("/proc/meminfo").read_text().splitlines():
        if line.startswith(key + ":"):
            return float(line.split()[1])
    return None


def check_against_proc(demo, proofs):
    seen = last_value(demo, "mem_total")
    proofs.check(bool(seen) and abs(seen[1] - meminfo("MemTotal")) <= 1,
                 f"mem_total {seen and seen[1]} kB is that of /proc/meminfo")
    load = float(pathlib.Path("/proc/loadavg").read_text().split()[0])
    seen = last_value(demo, "load_one")
    proofs.check(bool(seen) and abs(seen[1] - load) <= 0.5 + 0.2 * load,
                 f"load_one {seen and seen[1]} agrees with /proc/loadavg {load}")
    seen = last_value(demo, "mem_available")
    now = meminfo("MemAvailable")
    proofs.check(bool(seen) and abs(seen[1] - now) <= 0.1 * meminfo("MemTotal"),
                 f"mem_available {seen and seen[1]} kB agrees with /proc/meminfo {now}")


def run_jobs(demo, proofs, seconds):
    """The three jobs one after another; their database records, and the user time of each in percent of its span."""
    own = {}
    for kind, _ in JOBS:
        job = demo.start_job(kind, seconds)
        running = wait_for(lambda: demo.get(f"/api/jobs/?state=running&cluster={CLUSTER}")["jobs"], 8)
        proofs.check(bool(running), f"job '{kind}' is listed as running")
        _, status, usage = os.wait4(job.pid, 0)
        code = job.returncode = os.waitstatus_to_exitcode(status)
        own[kind] = 100 * usage.ru_utime / seconds
        proofs.check(code == 0, f"job '{kind}' ends with its own exit code {code}")
    done = wait_for(lambda: (lambda j: j if len(j) == len(JOBS) else None)(
        [j for j in demo.get(f"/api/jobs/?state=completed&cluster={CLUSTER}&with-metadata=true")["jobs"]
         if j.get("monitoringStatus") == 3]), 30) or []
    proofs.check(len(done) == len(JOBS), f"{len(done)} jobs are completed and archived")
    return done, own


def archived_meta(demo, job):
    path = (demo.folder / "job-archive" / CLUSTER / str(job["jobId"] // 1000) / f"{job['jobId'] % 1000:03d}" /
            str(job["startTime"]) / "meta.json")
    return json.loads(path.read_text())


def job_query(demo, metric, start, end):
    """The metric at node scope as the backend forms it: the sum or mean over its native components."""
    config = json.loads((demo.folder / "job-archive" / CLUSTER / "cluster.json").read_text())
    scope = next(m["scope"] for m in config["metricConfig"] if m["name"] == metric)
    if scope == "node":
        return demo.query(metric, start, end)
    threads = config["subClusters"][0]["topology"]["node"]
    return demo.query(metric, start, end, **{"type": scope, "type-ids": [str(t) for t in threads], "aggreg": True})


def check_statistics(demo, proofs, job):
    """The archived statistics are those of the samples in the store over the job's span."""
    meta = archived_meta(demo, job)
    start, end = job["startTime"], job["startTime"] + job["duration"]
    wrong = []
    compared = 0
    for metric, told in meta["statistics"].items():
        entries = job_query(demo, metric, start, end)
        values = [v for e in entries for v in e.get("data", []) if v is not None]
        if not values:
            continue
        compared += 1
        mean = sum(values) / len(values)
        slack = 0.02 * max(abs(mean), abs(told["max"]), 1.0)
        if abs(told["avg"] - mean) > slack or told["min"] > told["avg"] or told["avg"] > told["max"]:
            wrong.append(f"{metric} archived {told} but samples average {mean:.3f}")
    proofs.check(compared >= AT_LEAST_METRICS and not wrong,
                 f"job {job['jobId']}: archived statistics of {compared} metrics agree with the samples {'; '.join(wrong)}")
    return meta["statistics"]


def check_characters(proofs, statistics, own):
    """The three jobs differ where they should. own: user time of each job's own processes, percent of its span."""
    def of(job, metric, what="avg"):
        return statistics.get(job, {}).get(metric, {}).get(what, 0)
    compute, waiting = of("compute", "cpu_user"), of("input and output", "cpu_user")
    others = waiting - own["io"]
    proofs.check(compute >= 60, f"compute keeps a hardware thread busy: cpu_user {compute} %")
    proofs.check(others > 20 or waiting + 30 < compute,
                 f"input and output mostly waits: cpu_user {waiting} %" +
                 (f" (not told apart: other programs take {others:.0f} %)" if others > 20 else ""))
    grown = (of("memory stream", "mem_used", "max") - of("compute", "mem_used", "min")) / 1024
    proofs.check(grown > 200, f"memory stream uses {grown:.0f} MiB more than the node before")


def check_pages(demo, proofs, jobs):
    """A real Chromium shows the plots."""
    pages = [f"/clusters/{CLUSTER}/nodes/{demo.host}", "/jobs"] + [f"/jobs/{j['id']}" for j in jobs[:1]]
    done = subprocess.run(["node", str(ROOT / "script" / "lib" / "check_page.mjs"), *[demo.url + p for p in pages]],
                          capture_output=True, text=True, timeout=180)
    if not proofs.check(done.returncode == 0, f"Chromium opens the pages {done.stderr[-1500:] if done.returncode else ''}"):
        return
    for page in json.loads(done.stdout):
        proofs.check(page["plots"] > 0 and page["drawn"] > 0 and not page["errors"],
                     f"{page['url']}: {page['drawn']} of {page['plots']} plots have lines, "
                     f"errors: {page['errors'] or 'none'}")


def run(demo, seconds):
    proofs = Proofs()
    demo.start_all()
    check_live(demo, proofs)
    check_against_proc(demo, proofs)
    jobs, own = run_jobs(demo, proofs, seconds)
    statistics = {j["metaData"]["jobName"]: check_statistics(demo, proofs, j) for j in jobs}
    check_characters(proofs, statistics, own)
    check_pages(demo, proofs, jobs)
    if demo.nodes:
        hosts = [c for c in demo.get("/ui/api/info")["clusters"] if c.get("simulated")]
        proofs.check(bool(hosts) and len(hosts[0]["nodes"]) == demo.nodes, "the simulated cluster is there and labelled as such")
    if proofs.failed:
        print(f"files and logs are kept in {demo.folder}")
        for name in demo.children:
            print(f"--- {name}\n{demo.log_tail(name)}")
    return 1 if proofs.failed else 0
