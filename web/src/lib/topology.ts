// SPDX-License-Identifier: MIT
// Parts of a node at each scope, and the store queries that read a metric at a scope. Ids of cores, sockets and memory
// domains are indices of the topology lists; hardware threads carry the numbers of the operating system.
import type { Cluster, MetricConfig, Scope, StoreQuery, SubCluster, Topology } from './types';

const ORDER: Scope[] = ['node', 'socket', 'memoryDomain', 'core', 'hwthread'];

export const SCOPE_NAMES: Record<Scope, string> = {
    node: 'Node',
    socket: 'Socket',
    memoryDomain: 'Memory domain',
    core: 'Core',
    hwthread: 'Thread',
    accelerator: 'Accelerator',
};

export function groupsOf(topology: Topology, scope: Scope): number[][] {
    switch (scope) {
        case 'node':
            return [topology.node];
        case 'socket':
            return topology.socket ?? [];
        case 'memoryDomain':
            return topology.memoryDomain ?? [];
        case 'core':
            return topology.core ?? [];
        case 'hwthread':
            return topology.node.map((id) => [id]);
        case 'accelerator':
            return [];
    }
}

export function elementCount(topology: Topology, scope: Scope): number {
    return scope === 'accelerator' ? (topology.accelerators ?? []).length : groupsOf(topology, scope).length;
}

/** Scopes at which a metric can be shown: from the node down to where it is measured. */
export function scopesOf(metric: MetricConfig, topology: Topology): Scope[] {
    if (metric.scope === 'accelerator')
        return elementCount(topology, 'accelerator') > 0 ? ['node', 'accelerator'] : ['node'];
    const depth = ORDER.indexOf(metric.scope);
    return ORDER.slice(0, depth + 1).filter((scope) => scope === 'node' || elementCount(topology, scope) > 0);
}

/** The scope nearest to the wanted one that the metric has: the wanted one, else the next coarser. */
export function fittingScope(metric: MetricConfig, topology: Topology, wanted: Scope): Scope {
    const offered = scopesOf(metric, topology);
    if (offered.includes(wanted)) return wanted;
    const depth = ORDER.indexOf(wanted);
    const coarser = offered.filter((scope) => ORDER.indexOf(scope) <= depth);
    return coarser[coarser.length - 1] ?? 'node';
}

export interface LabelledQuery {
    label: string;
    query: StoreQuery;
}

/**
 * One query per part, never one query for several: the store leaves out parts without data, so in a common answer the
 * positions would no longer tell which part a series belongs to.
 */
export function queriesFor(
    metric: MetricConfig,
    topology: Topology,
    host: string,
    scope: Scope,
    resolution: number,
): LabelledQuery[] {
    const base = { metric: metric.name, host, ...(resolution > metric.timestep ? { resolution } : {}) };
    if (scope === 'node') return [{ label: 'node', query: { ...base, ...wholeNode(metric, topology) } }];
    if (scope === 'accelerator') {
        return (topology.accelerators ?? []).map((a) => ({
            label: `accelerator ${a.id}`,
            query: { ...base, type: 'accelerator', 'type-ids': [a.id] },
        }));
    }
    return groupsOf(topology, scope).map((threads, index) => ({
        label: `${scope === 'hwthread' ? 'thread' : scope === 'memoryDomain' ? 'domain' : scope} ${scope === 'hwthread' ? threads[0] : index}`,
        query: { ...base, ...selector(metric.scope, scope, topology, threads, index) },
    }));
}

/**
 * A metric that is measured on parts is asked for as the aggregate of its parts, as job data are. Without naming them the store
 * would mix in what a collector sends for the whole node under the same name (cpustat sends the sum of all CPUs there).
 */
function wholeNode(metric: MetricConfig, topology: Topology): Selector {
    if (metric.scope === 'node') return {};
    if (metric.scope === 'accelerator') {
        const ids = (topology.accelerators ?? []).map((a) => a.id);
        return ids.length > 0 ? { type: 'accelerator', 'type-ids': ids, aggreg: true } : {};
    }
    return groupsOf(topology, metric.scope).length > 0
        ? { ...selector(metric.scope, 'node', topology, topology.node, 0) }
        : {};
}

type Selector = Pick<StoreQuery, 'type' | 'type-ids' | 'aggreg'>;

function selector(native: Scope, scope: Scope, topology: Topology, threads: number[], index: number): Selector {
    if (native === scope) return { type: scope, 'type-ids': [String(scope === 'hwthread' ? threads[0] : index)] };
    const parts = groupsOf(topology, native);
    const ids = parts.flatMap((part, i) =>
        part.some((id) => threads.includes(id)) ? [String(native === 'hwthread' ? part[0] : i)] : [],
    );
    return { type: native, 'type-ids': ids, aggreg: true };
}

export function subClusterOf(cluster: Cluster | undefined, name: string): SubCluster | undefined {
    return cluster?.subClusters.find((s) => s.name === name) ?? cluster?.subClusters[0];
}

/** Footprint metrics first (the cluster's owner thinks they matter most), then the order of the description. */
export function orderedMetrics(metrics: MetricConfig[]): MetricConfig[] {
    return [...metrics.filter((m) => m.footprint), ...metrics.filter((m) => !m.footprint)];
}
