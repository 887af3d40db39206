// SPDX-License-Identifier: MIT
// What all pages share: the clusters, what the store knows of their nodes, the server's clock, and how the connection does.
import { ApiError, getClusters, getInfo, onOutcome, setToken } from './api';
import { clusterTimestep } from './freshness';
import { subClusterOf } from './topology';
import type { Cluster, Info, SubCluster } from './types';

class Shared {
    clusters = $state.raw<Cluster[] | null>(null);
    info = $state.raw<Info | null>(null);
    /** The last failure as long as nothing succeeded after it. */
    failure = $state.raw<ApiError | null>(null);
    /** Browser time (ms) of the first failure in a row. */
    failedSince = $state(0);
    signInNeeded = $state(false);
    /** Advances every second while the tab is visible; Unix seconds of the server. */
    now = $state(Date.now() / 1000);

    private skew = 0;
    private loading: Promise<void> | null = null;

    start(): void {
        onOutcome((error) => this.note(error));
        setInterval(() => {
            if (!document.hidden) this.now = this.clock();
        }, 1000);
    }

    /** The server's time now, from the browser's clock and the difference seen with the last answer. */
    clock(): number {
        return Date.now() / 1000 + this.skew;
    }

    cluster(name: string): Cluster | undefined {
        return this.clusters?.find((c) => c.name === name);
    }

    isSimulated(name: string): boolean {
        return this.info?.clusters.find((c) => c.name === name)?.simulated ?? false;
    }

    /** Loads both; pages that come later find them there. Concurrent callers share one load. */
    load(force = false): Promise<void> {
        if (this.loading !== null) return this.loading;
        if (!force && this.info !== null && this.clusters !== null) return Promise.resolve();
        this.loading = this.fetchBoth(force).finally(() => (this.loading = null));
        return this.loading;
    }

    async refreshInfo(signal?: AbortSignal): Promise<void> {
        const info = await getInfo(signal);
        this.skew = info.now - Date.now() / 1000;
        this.info = info;
        this.now = this.clock();
        if (this.clusters !== null && info.clusters.some((c) => this.cluster(c.name) === undefined))
            this.clusters = await getClusters(signal);
    }

    signIn(token: string): Promise<void> {
        setToken(token);
        this.signInNeeded = false;
        return this.load(true);
    }

    signOut(): void {
        setToken(null);
        this.info = null;
        this.clusters = null;
        this.signInNeeded = true;
    }

    /** The sub-cluster of a node, as far as it is known. */
    subClusterOfNode(cluster: string, host: string): SubCluster | undefined {
        const node = this.info?.clusters.find((c) => c.name === cluster)?.nodes.find((n) => n.host === host);
        return subClusterOf(this.cluster(cluster), node?.subcluster ?? '');
    }

    timestep(cluster: string): number {
        return clusterTimestep(this.cluster(cluster));
    }

    private async fetchBoth(force: boolean): Promise<void> {
        const clusters = this.clusters === null || force ? getClusters() : Promise.resolve(this.clusters);
        const [list] = await Promise.all([clusters, this.refreshInfo()]);
        this.clusters = list;
    }

    private note(error: ApiError | null): void {
        if (error === null) {
            this.failure = null;
            this.failedSince = 0;
        } else if (error.kind === 'unauthorized') {
            this.signInNeeded = true;
        } else if (error.kind !== 'refused') {
            if (this.failure === null) this.failedSince = Date.now();
            this.failure = error;
        }
    }
}

export const shared = new Shared();
