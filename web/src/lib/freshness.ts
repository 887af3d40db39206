// SPDX-License-Identifier: MIT
// When is a value too old to be called current?
import { formatAge } from './format';
import type { Cluster, NodeInfo } from './types';

/** Three missed samples, but at least a quarter of a minute: senders collect for some seconds before they send. */
export function staleAfter(timestep: number): number {
    return Math.max(15, 3 * timestep);
}

export function clusterTimestep(cluster: Cluster | undefined): number {
    const steps = (cluster?.metricConfig ?? []).map((m) => m.timestep).filter((s) => s > 0);
    return steps.length === 0 ? 60 : Math.min(...steps);
}

export type Freshness = 'live' | 'stale' | 'never';

export function freshnessOf(lastSeen: number | null, now: number, timestep: number): Freshness {
    if (lastSeen === null) return 'never';
    return now - lastSeen > staleAfter(timestep) ? 'stale' : 'live';
}

/** "live", "no data since 3 min", "no data yet". */
export function freshnessText(lastSeen: number | null, now: number, timestep: number): string {
    const state = freshnessOf(lastSeen, now, timestep);
    if (state === 'never') return 'no data yet';
    return state === 'live' ? 'live' : `no data since ${formatAge(now - (lastSeen ?? now))}`;
}

export function countFresh(nodes: NodeInfo[], now: number, timestep: number): Record<Freshness, number> {
    const counts: Record<Freshness, number> = { live: 0, stale: 0, never: 0 };
    for (const node of nodes) counts[freshnessOf(node.lastSeen, now, timestep)]++;
    return counts;
}
