// SPDX-License-Identifier: MIT
// Stand-in for cc-backend: serves web/dist and the contract of docs/ui-api.md from generated data, so that the pages can be
// worked on and tested without a store. Every value is a function of cluster, host, metric, part and time.
//   node dev/mock-server.mjs [port]     MOCK_TOKEN=<t>: requests need it   MOCK_EMPTY=1: no clusters, no jobs
//   POST /mock/fail?on=1 and on=0: the store is "stopped" (503) or runs again; POST /mock/silence?host=<h>: a node falls silent
import { existsSync, readFileSync, statSync } from 'node:fs';
import { createServer } from 'node:http';
import { dirname, extname, join, normalize } from 'node:path';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';

const DIST = join(dirname(fileURLToPath(import.meta.url)), '..', 'dist');
const TYPES = {
    '.html': 'text/html; charset=utf-8',
    '.js': 'text/javascript',
    '.css': 'text/css',
    '.svg': 'image/svg+xml',
};
const POLICY =
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";
const PAGES = /^\/($|clusters\/[^/]+(\/nodes\/[^/]+)?$|jobs(\/\d+)?$)/;

const range = (n, f = (i) => i) => Array.from({ length: n }, (_, i) => f(i));
function hash(text) {
    let h = 2166136261;
    for (let i = 0; i < text.length; i++) h = Math.imul(h ^ text.charCodeAt(i), 16777619);
    return ((h >>> 0) % 100003) / 100003;
}

// ---- clusters ------------------------------------------------------------------------------------------------------------
function metric(name, base, prefix, scope, aggregation, timestep, peak, normal, caution, alert, extra = {}) {
    return {
        name,
        unit: prefix ? { base, prefix } : { base },
        scope,
        aggregation,
        timestep,
        peak,
        normal,
        caution,
        alert,
        ...extra,
    };
}
function metricsFor(threads, step) {
    return [
        metric('cpu_load', 'load', '', 'node', 'avg', step, threads, threads, threads / 2, threads / 8, {
            footprint: 'avg',
        }),
        metric('cpu_user', '%', '', 'hwthread', 'avg', step, 100, 90, 40, 10, { footprint: 'avg' }),
        metric('mem_used', 'B', 'G', 'node', 'avg', step, 256, 128, 200, 240, {
            footprint: 'max',
            lowerIsBetter: true,
        }),
        metric('flops_any', 'F/s', 'G', 'hwthread', 'sum', step, 40 * threads, 14 * threads, 4 * threads, threads, {
            footprint: 'avg',
        }),
        metric('mem_bw', 'B/s', 'G', 'socket', 'sum', step, 350, 100, 50, 10, { footprint: 'avg' }),
        metric('clock', 'Hz', 'M', 'hwthread', 'avg', step, 3000, 2400, 1200, 900),
        metric('cpu_power', 'W', '', 'socket', 'sum', step, 500, 250, 100, 50),
        metric('net_bytes_in_bw', 'B/s', '', 'node', 'sum', step, 1e10, 1e9, 1e6, 1e3),
        metric('net_bytes_out_bw', 'B/s', '', 'node', 'sum', step, 1e10, 1e9, 1e6, 1e3),
        metric('disk_read_bw', 'B/s', 'M', 'node', 'sum', step, 2000, 500, 1, 0),
        metric('temp', '°C', '', 'socket', 'avg', step, 100, 70, 85, 95, { lowerIsBetter: true }),
        metric('ib_recv', 'B/s', 'M', 'node', 'sum', step, 12000, 1000, 1, 0),
    ];
}
function cluster(name, sub, hosts, threads, step) {
    const half = threads / 2;
    const topology = {
        node: range(threads),
        socket: [range(half), range(half, (i) => i + half)],
        memoryDomain: [range(half), range(half, (i) => i + half)],
        core: range(half, (i) => [i, i + half]),
        accelerators: [],
    };
    const metricConfig = metricsFor(threads, step);
    return {
        name,
        hosts,
        threads,
        step,
        description: {
            name,
            metricConfig,
            subClusters: [
                {
                    name: sub,
                    nodes: '*',
                    processorType: 'Generic x86-64',
                    socketsPerNode: 2,
                    coresPerSocket: half / 2,
                    threadsPerCore: 2,
                    topology,
                    metricConfig,
                },
            ],
        },
    };
}
const CLUSTERS = process.env.MOCK_EMPTY
    ? []
    : [
          cluster('local', 'this', ['workstation'], 8, 2),
          cluster(
              'sim',
              'main',
              range(64, (i) => `s${String(i + 1).padStart(3, '0')}`),
              32,
              10,
          ),
      ];
const silent = new Map([
    ['s017', 200],
    ['s042', 5400],
]); // host: seconds of silence
let failing = false;

// ---- values --------------------------------------------------------------------------------------------------------------
const START = Math.floor(Date.now() / 1000);
const EPOCH = START - 3 * 86400;
function value(clusterName, host, m, part, t) {
    const seed = hash(`${clusterName}/${host}`);
    const phase = hash(`${host}/${Math.floor(t / 2400)}/${Math.floor(seed * 7)}`);
    if (m.name === 'ib_recv' && host === 's003') return null; // a metric that one node does not deliver
    const busy = phase < 0.18 ? 0.02 : 0.45 + 0.5 * phase;
    const wave =
        0.05 * Math.sin(t / 97 + seed * 40) +
        0.08 * (hash(`${host}${m.name}${part}${Math.floor(t / m.timestep)}`) - 0.5);
    const skew = part === '' ? 0 : 0.25 * (hash(`${host}${part}`) - 0.5);
    const share = Math.max(0, Math.min(1.05, busy * (1 + skew) + wave));
    if (m.name === 'temp') return 38 + 45 * share;
    if (m.name === 'clock') return 1400 + 1500 * share;
    if (m.name === 'mem_used') return 20 + 190 * Math.min(1, phase + 0.1 * Math.sin(t / 900));
    if (m.name.startsWith('net') || m.name === 'disk_read_bw' || m.name === 'ib_recv')
        return m.peak * 0.3 * share * share * (hash(`${host}${Math.floor(t / 60)}`) < 0.2 ? 1 : 0.05);
    return m.peak * share * (m.name === 'flops_any' ? 0.6 : 1);
}
function partsOf(c, scope) {
    const t = c.description.subClusters[0].topology;
    if (scope === 'hwthread') return t.node.map(String);
    return scope === 'node' ? [''] : range((t[scope] ?? []).length, String);
}
function sample(c, host, m, parts, t) {
    const native = partsOf(c, m.scope).length;
    let sum = 0;
    let n = 0;
    for (const part of parts) {
        const v = value(c.name, host, m, part, t);
        if (v === null) continue;
        sum += m.aggregation === 'sum' && m.scope !== 'node' ? v / native : v;
        n++;
    }
    return n === 0 ? null : m.aggregation === 'sum' ? sum : sum / n;
}
function read(c, host, m, parts, from, to, resolution) {
    const step = Math.max(m.timestep, resolution || 0);
    const now = Math.floor(Date.now() / 1000);
    const end = Math.min(to, now - (silent.get(host) ?? 0));
    const first = Math.ceil(Math.max(from, EPOCH) / step) * step;
    const data = [];
    for (let t = first; t < end; t += step) data.push(sample(c, host, m, parts.slice(0, 8), t));
    if (data.length === 0 || data.every((v) => v === null)) return null;
    return { from: first, to: first + data.length * step, resolution: step, data };
}
function stats(data) {
    const v = data.filter((x) => x !== null);
    return v.length === 0
        ? { min: null, avg: null, max: null }
        : { min: Math.min(...v), avg: v.reduce((a, b) => a + b, 0) / v.length, max: Math.max(...v) };
}
const round = (v, d) => (v === null ? null : Number(v.toFixed(d)));

// ---- jobs ----------------------------------------------------------------------------------------------------------------
const NAMES = [
    'lammps',
    'gromacs md',
    'vasp_std',
    'openfoam simpleFoam',
    'julia solve.jl',
    'cp2k.popt',
    'python train.py',
    'stream triad',
    'hpcg',
];
function makeJobs() {
    const jobs = [];
    const sim = CLUSTERS.find((c) => c.name === 'sim');
    for (let i = 0; sim && i < 260; i++) {
        const r = (k) => hash(`job${i}${k}`);
        const nodes = [1, 1, 1, 2, 4, 8, 16, 32][Math.floor(r('n') * 8)];
        const start = START - Math.floor(r('s') ** 2 * 2.5 * 86400) - 120;
        const planned = 120 + Math.floor(r('d') ** 3 * 86400);
        const running = start + planned > START;
        const state = running
            ? 'running'
            : r('x') < 0.08
              ? 'failed'
              : r('x') < 0.12
                ? 'cancelled'
                : r('x') < 0.15
                  ? 'timeout'
                  : 'completed';
        const at = Math.floor(r('h') * (64 - nodes));
        jobs.push(
            job(
                1000 + i,
                1205000 + i,
                'sim',
                'main',
                state,
                start,
                planned,
                sim.hosts.slice(at, at + nodes),
                32,
                NAMES[Math.floor(r('p') * NAMES.length)],
                `user${String(Math.floor(r('u') * 12)).padStart(2, '0')}`,
            ),
        );
    }
    if (CLUSTERS.length > 0) {
        jobs.push(job(1, 1, 'local', 'this', 'completed', START - 900, 180, ['workstation'], 8, 'compute', 'demo'));
        jobs.push(job(2, 2, 'local', 'this', 'completed', START - 600, 200, ['workstation'], 8, 'stream', 'demo'));
        jobs.push(job(3, 3, 'local', 'this', 'running', START - 240, 9e9, ['workstation'], 8, 'wait', 'demo'));
    }
    return jobs;
}
function job(id, jobId, clusterName, sub, jobState, startTime, duration, hosts, threads, name, user) {
    return {
        cluster: clusterName,
        subCluster: sub,
        project: user === 'demo' ? 'demo' : 'hpc',
        user,
        shared: 'none',
        jobState,
        resources: hosts.map((hostname) => ({ hostname })),
        metaData: { jobName: name, jobScript: `srun ${name} --input case.in` },
        footprint: null,
        statistics: null,
        walltime: 86400,
        jobId,
        duration,
        smt: 1,
        monitoringStatus: jobState === 'running' ? 1 : 3,
        numHwthreads: hosts.length * threads,
        numNodes: hosts.length,
        id,
        startTime,
    };
}
const JOBS = makeJobs();
function shown(j, withMeta) {
    const live = j.jobState === 'running';
    const out = { ...j, duration: live ? Math.floor(Date.now() / 1000) - j.startTime : j.duration };
    if (!withMeta) out.metaData = null;
    if (!live) out.statistics = statisticsOf(j);
    return out;
}
function spanOf(j) {
    return {
        from: j.startTime,
        to: j.jobState === 'running' ? Math.floor(Date.now() / 1000) : j.startTime + j.duration,
    };
}
function statisticsOf(j) {
    const c = CLUSTERS.find((x) => x.name === j.cluster);
    return Object.fromEntries(
        c.description.metricConfig.slice(0, 5).map((m) => {
            const { from, to } = spanOf(j);
            const all = j.resources
                .slice(0, 4)
                .flatMap(
                    (r) =>
                        read(c, r.hostname, m, partsOf(c, m.scope), from, to, Math.max(m.timestep, (to - from) / 40))
                            ?.data ?? [],
                );
            const s = stats(all);
            return [m.name, { unit: m.unit, avg: round(s.avg, 2), min: round(s.min, 2), max: round(s.max, 2) }];
        }),
    );
}

// ---- answers -------------------------------------------------------------------------------------------------------------
function info() {
    const now = Math.floor(Date.now() / 1000);
    const clusters = CLUSTERS.map((c) => ({
        name: c.name,
        simulated: c.name === 'sim',
        nodes: c.hosts.map((host) => ({
            host,
            subcluster: c.description.subClusters[0].name,
            lastSeen: now - (now % c.step) - (silent.get(host) ?? 0),
        })),
    }));
    return {
        version: '0.1.0-mock',
        demo: !process.env.MOCK_TOKEN,
        authentication: Boolean(process.env.MOCK_TOKEN),
        now,
        clusters,
    };
}
function listJobs(q) {
    const states = q.getAll('state');
    const [a, b] = (q.get('start-time') ?? '0-99999999999').split('-').map(Number);
    const has = (key, get) => !q.get(key) || get === q.get(key);
    const list = JOBS.filter(
        (j) =>
            (states.length === 0 || states.includes(j.jobState)) &&
            has('cluster', j.cluster) &&
            has('user', j.user) &&
            has('project', j.project) &&
            j.startTime >= a &&
            j.startTime <= b &&
            (!q.get('host') || j.resources.some((r) => r.hostname === q.get('host'))) &&
            (!q.get('name') || j.metaData.jobName.includes(q.get('name'))),
    );
    const key = q.get('sort') ?? 'startTime';
    const sign = q.get('order') === 'asc' ? 1 : -1;
    const sorted = list
        .map((j) => shown(j, q.has('with-metadata')))
        .sort((x, y) => sign * (x[key] - y[key]) || x.id - y.id);
    const items = Number(q.get('items-per-page') ?? 25);
    const page = Number(q.get('page') ?? 1);
    return { jobs: sorted.slice((page - 1) * items, page * items), items, page, total: list.length };
}
function jobPlots({ ids, metrics, points }) {
    const jobs = {};
    for (const id of ids) {
        const j = JOBS.find((x) => x.id === id);
        if (!j) continue;
        const c = CLUSTERS.find((x) => x.name === j.cluster);
        const { from, to } = spanOf(j);
        jobs[id] = {};
        for (const m of c.description.metricConfig.filter((x) => metrics.includes(x.name))) {
            const step = Math.max(m.timestep, Math.ceil((to - from) / points / m.timestep) * m.timestep);
            const all = j.resources
                .map((r) => read(c, r.hostname, m, partsOf(c, m.scope), from, to, step)?.data)
                .filter(Boolean);
            if (all.length === 0) continue;
            const columns = range(Math.max(...all.map((d) => d.length)), (i) => stats(all.map((d) => d[i] ?? null)));
            jobs[id][m.name] = {
                from: Math.ceil(from / step) * step,
                step,
                unit: m.unit,
                mean: columns.map((s) => round(s.avg, 2)),
                min: columns.map((s) => round(s.min, 2)),
                max: columns.map((s) => round(s.max, 2)),
            };
        }
    }
    return { jobs };
}
function jobMetrics(id, q) {
    const j = JOBS.find((x) => x.id === id);
    if (!j) return { data: null, error: { message: `finding job with db id ${id} failed` } };
    const c = CLUSTERS.find((x) => x.name === j.cluster);
    const scope = q.get('scope') ?? 'node';
    const wanted = q.getAll('metric');
    const { from, to } = spanOf(j);
    const jobMetricsList = c.description.metricConfig
        .filter((m) => wanted.length === 0 || wanted.includes(m.name))
        .map((m) => {
            const order = ['node', 'socket', 'memoryDomain', 'core', 'hwthread'];
            const at = order.indexOf(scope) > order.indexOf(m.scope) ? m.scope : scope;
            const series = j.resources
                .flatMap((r) =>
                    partsOf(c, at).map((part) => {
                        const d = read(
                            c,
                            r.hostname,
                            m,
                            at === 'node' ? partsOf(c, m.scope) : [part],
                            from,
                            to,
                            m.timestep,
                        );
                        if (!d) return null;
                        const s = stats(d.data);
                        return {
                            hostname: r.hostname,
                            ...(at === 'node' ? {} : { id: part }),
                            statistics: { min: round(s.min, 2), avg: round(s.avg, 2), max: round(s.max, 2) },
                            data: d.data.map((v) => round(v, 2)),
                        };
                    }),
                )
                .filter(Boolean);
            return { name: m.name, scope: at, metric: { unit: m.unit, timestep: m.timestep, series } };
        })
        .filter((m) => m.metric.series.length > 0);
    return { data: { jobMetrics: jobMetricsList }, error: null };
}
function storeQuery(body) {
    const c = CLUSTERS.find((x) => x.name === body.cluster);
    return {
        results: body.queries.map((q) => {
            const m = c?.description.metricConfig.find((x) => x.name === q.metric);
            if (!m)
                return [
                    {
                        error: `[METRICSTORE]> unknown metric: ${q.metric}`,
                        from: 0,
                        to: 0,
                        resolution: 0,
                        avg: 0,
                        min: 0,
                        max: 0,
                    },
                ];
            const groups = !q.type
                ? [partsOf(c, m.scope)]
                : q.aggreg
                  ? [q['type-ids']]
                  : q['type-ids'].map((id) => [id]);
            return groups
                .map((parts) => read(c, q.host, m, parts, body.from, body.to, q.resolution))
                .filter(Boolean)
                .map((d) => {
                    const s = stats(d.data);
                    return {
                        data: d.data.map((v) => round(v, 3)),
                        from: d.from,
                        to: d.to,
                        resolution: d.resolution,
                        avg: round(s.avg, 2),
                        min: round(s.min, 2),
                        max: round(s.max, 2),
                    };
                });
        }),
    };
}

function answerApi(method, path, q, body) {
    if (path === '/ui/api/info') return [200, info()];
    if (path === '/api/clusters/') return [200, { clusters: CLUSTERS.map((c) => c.description) }];
    if (path === '/ui/api/jobs') return [200, listJobs(q)];
    if (path === '/ui/api/job-plots') return [200, jobPlots(JSON.parse(body))];
    if (path === '/api/query') return [200, storeQuery(JSON.parse(body))];
    const metrics = /^\/api\/jobs\/metrics\/(\d+)$/.exec(path);
    if (metrics) return [200, jobMetrics(Number(metrics[1]), q)];
    const one = /^\/api\/jobs\/(\d+)$/.exec(path);
    const found = one && JOBS.find((j) => j.id === Number(one[1]));
    if (found) return [200, { Meta: { ...shown(found, true), statistics: null }, Data: null }];
    if (one)
        return [
            422,
            {
                status: 'Unprocessable Entity',
                error: `finding job with db id ${one[1]} failed: sql: no rows in result set`,
            },
        ];
    return [404, { status: 'Not Found', error: `no such path: ${path}` }];
}
function control(path, q) {
    if (path === '/mock/fail') failing = q.get('on') !== '0';
    if (path === '/mock/silence') silent.set(q.get('host'), 600);
    return [200, { failing, silent: [...silent.keys()] }];
}

// ---- server --------------------------------------------------------------------------------------------------------------
function send(request, response, status, type, content, extra = {}) {
    const packed = (request.headers['accept-encoding'] ?? '').includes('gzip') && content.length > 500;
    const bytes = packed ? gzipSync(content) : content;
    response.writeHead(status, {
        'Content-Type': type,
        'Content-Length': bytes.length,
        'X-Content-Type-Options': 'nosniff',
        ...(packed ? { 'Content-Encoding': 'gzip' } : {}),
        ...extra,
    });
    response.end(bytes);
}
function sendFile(request, response, path) {
    const file = normalize(join(DIST, PAGES.test(path) ? 'index.html' : path));
    if (!file.startsWith(DIST) || !existsSync(file) || !statSync(file).isFile())
        return send(request, response, 404, 'text/plain', Buffer.from('404 page not found\n'));
    const cache = path.startsWith('/assets/') ? 'public, max-age=31536000, immutable' : 'no-cache';
    return send(request, response, 200, TYPES[extname(file)] ?? 'application/octet-stream', readFileSync(file), {
        'Cache-Control': cache,
        'Content-Security-Policy': POLICY,
    });
}
const server = createServer((request, response) => {
    const url = new URL(request.url, 'http://localhost');
    const chunks = [];
    request.on('data', (c) => chunks.push(c));
    request.on('end', () => {
        if (!/^\/(api|ui|mock)\//.test(url.pathname)) return sendFile(request, response, url.pathname);
        let [status, answer] = [503, { status: 'Service Unavailable', error: 'the metric store is stopped' }];
        if (url.pathname.startsWith('/mock/')) [status, answer] = control(url.pathname, url.searchParams);
        else if (process.env.MOCK_TOKEN && request.headers['x-auth-token'] !== process.env.MOCK_TOKEN)
            [status, answer] = [401, { status: 'Unauthorized', error: 'unauthorized access' }];
        else if (!failing)
            [status, answer] = answerApi(
                request.method,
                url.pathname,
                url.searchParams,
                Buffer.concat(chunks).toString(),
            );
        return send(request, response, status, 'application/json', Buffer.from(JSON.stringify(answer)));
    });
});
server.listen(Number(process.argv[2] ?? 0), '127.0.0.1', () =>
    console.log(`http://127.0.0.1:${server.address().port}/`),
);
