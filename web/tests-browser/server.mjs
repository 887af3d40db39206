// SPDX-License-Identifier: MIT
// What the pages are tested against: cc-backend with the load generator, or (CC_MOCK=1) the generated stand-in. Each test file
// starts its own, on a free port and in a temporary folder, and may stop and start it again.
import { spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const MOCK = fileURLToPath(new URL('../dev/mock-server.mjs', import.meta.url));
const SLOW = Number(process.env.CC_TEST_SLOW ?? 1);
const CLUSTER = 'simulated';

export const isMock = Boolean(process.env.CC_MOCK);

function freePort() {
    return new Promise((resolve) => {
        const probe = createServer().listen(0, '127.0.0.1', () => {
            const { port } = probe.address();
            probe.close(() => resolve(port));
        });
    });
}

export async function waitFor(condition, what, seconds = 20) {
    const end = Date.now() + seconds * 1000 * SLOW;
    for (;;) {
        const result = await condition();
        if (result) return result;
        if (Date.now() > end) throw new Error(`timed out waiting for ${what}`);
        await new Promise((resolve) => setTimeout(resolve, 50));
    }
}

class Process {
    constructor(command, args, options) {
        this.log = join(options.cwd, `${options.name}.log`);
        const out = openSync(this.log, 'a');
        this.child = spawn(command, args, {
            cwd: options.cwd,
            env: { ...process.env, ...options.env },
            stdio: ['ignore', out, out],
        });
    }

    stop() {
        if (this.child.exitCode !== null || this.child.signalCode !== null) return Promise.resolve();
        return new Promise((resolve) => {
            this.child.once('exit', resolve);
            this.child.kill('SIGTERM');
        });
    }

    tail() {
        return readFileSync(this.log, 'utf8').slice(-3000);
    }
}

function program(name) {
    return join(process.env.CC_BIN_DIR ?? '', name);
}

function writeConfiguration(folder, port, archive) {
    const made = spawnSync(program('cc-load-generator'), [...GENERATOR, '-write-archive', archive], {
        encoding: 'utf8',
    });
    if (made.status !== 0) throw new Error(`cc-load-generator: ${made.error ?? made.stderr}`);
    const config = {
        main: { addr: `127.0.0.1:${port}` },
        archive: { kind: 'file', path: archive },
        'metric-store': {
            'retention-in-memory': '24h',
            'memory-cap': 4,
            checkpoints: { directory: join(folder, 'checkpoints') },
        },
    };
    writeFileSync(join(folder, 'config.json'), JSON.stringify(config));
}

const GENERATOR = [
    '-cluster',
    CLUSTER,
    '-nodes',
    '12',
    '-hwthreads',
    '8',
    '-interval',
    '2',
    '-seed',
    '1',
    '-job-window',
    '600',
];

const RUNNING_JOB = 900000001;

export class Server {
    /** `env` reaches the stand-in only: MOCK_TOKEN, MOCK_EMPTY. */
    static async start(env = {}, useMock = isMock) {
        const server = new Server();
        server.mock = useMock;
        server.env = env;
        server.folder = mkdtempSync(join(tmpdir(), 'cc-browser-'));
        server.port = await freePort();
        server.url = `http://127.0.0.1:${server.port}`;
        if (!useMock) writeConfiguration(server.folder, server.port, join(server.folder, 'job-archive'));
        await server.resume();
        if (!useMock) await server.feed();
        return server;
    }

    async resume() {
        this.backend = this.mock
            ? new Process(process.execPath, [MOCK, String(this.port)], {
                  name: 'mock',
                  cwd: this.folder,
                  env: this.env,
              })
            : new Process(program('cc-backend'), ['-server', '-demo', '-config', 'config.json'], {
                  name: 'cc-backend',
                  cwd: this.folder,
              });
        await waitFor(async () => {
            if (this.backend.child.exitCode !== null) throw new Error(`the server ended:\n${this.backend.tail()}`);
            return (await this.get('/ui/api/info')) !== null;
        }, 'the server to answer');
    }

    async feed() {
        const args = [...GENERATOR, '-url', this.url, '-backfill', '90m', '-live', '-jobs'];
        this.generator = new Process(program('cc-load-generator'), args, {
            name: 'cc-load-generator',
            cwd: this.folder,
        });
        await waitFor(
            async () => ((await this.get('/ui/api/jobs?state=completed'))?.total ?? 0) > 0,
            'simulated jobs',
            60,
        );
        await waitFor(async () => (await this.busyNode()) !== null, 'samples', 60);
        await this.startJob();
    }

    /** One job that runs as long as the server: at times no simulated one does. */
    async startJob() {
        const { cluster, host } = await this.busyNode();
        const job = {
            jobId: RUNNING_JOB,
            user: 'sim00',
            project: 'simproj0',
            cluster,
            subCluster: 'simulated',
            partition: 'singlenode',
            shared: 'none',
            numNodes: 1,
            numHwthreads: 8,
            startTime: Math.floor(Date.now() / 1000) - 120,
            walltime: 86400,
            resources: [{ hostname: host }],
            metaData: { jobName: 'one that runs' },
        };
        const answer = await fetch(`${this.url}/api/jobs/start_job/`, {
            method: 'POST',
            body: JSON.stringify(job),
        });
        if (answer.status !== 201) throw new Error(`start_job: ${answer.status} ${await answer.text()}`);
    }

    async runningJob() {
        const { jobs } = await this.get('/ui/api/jobs?state=running&items-per-page=100');
        return this.mock ? jobs[0] : jobs.find((j) => j.jobId === RUNNING_JOB);
    }

    /** The backend goes away; pages that are open must say so. */
    pause() {
        return this.backend.stop();
    }

    async end() {
        await this.generator?.stop();
        await this.backend.stop();
        rmSync(this.folder, { recursive: true, force: true });
    }

    /** The answer as JSON; null when there is none, or for a refusal. */
    async get(path) {
        const answer = await fetch(this.url + path, {
            headers: this.env?.MOCK_TOKEN ? { 'X-Auth-Token': this.env.MOCK_TOKEN } : {},
        }).catch(() => null);
        return answer?.ok ? answer.json() : null;
    }

    /** A cluster with several nodes, and a node of it that sends now; null when there is none yet. */
    async busyNode() {
        const info = await this.get('/ui/api/info');
        const cluster = info?.clusters.find((c) => c.nodes.length > 1);
        const node = cluster?.nodes.find((n) => n.lastSeen !== null && info.now - n.lastSeen < 60);
        return node ? { cluster: cluster.name, host: node.host, nodes: cluster.nodes.length } : null;
    }

    /** A finished job of at least `nodes` nodes whose data are there. */
    async finishedJob(nodes = 1) {
        const page = await this.get('/ui/api/jobs?state=completed&items-per-page=100&sort=numNodes&order=desc');
        return page.jobs.find((j) => j.numNodes >= nodes && j.duration >= 60) ?? page.jobs[0];
    }
}
