// SPDX-License-Identifier: MIT
// Which metrics the job list plots: the reader's choice (kept in this browser), else the first of the footprints.
import { orderedMetrics } from './topology';
import type { Cluster } from './types';

const KEY = 'cc-job-metrics';
export const COLUMNS_MAX = 6;
const COLUMNS = 4;

/** Names over all clusters: those of footprints first, each once. */
export function metricNames(clusters: Cluster[]): string[] {
    const all = clusters.flatMap((c) => orderedMetrics(c.metricConfig));
    return [...new Set([...all.filter((m) => m.footprint), ...all].map((m) => m.name))];
}

export function defaultMetrics(clusters: Cluster[]): string[] {
    const offered = metricNames(clusters);
    const footprint = new Set(clusters.flatMap((c) => c.metricConfig.filter((m) => m.footprint).map((m) => m.name)));
    const spread = (name: string): number => clusters.filter((c) => c.metricConfig.some((m) => m.name === name)).length;
    // Footprints first, and of those the ones that most clusters have, so that few cells stay empty.
    const worth = (name: string): number => (footprint.has(name) ? 1000 : 0) + spread(name);
    return [...offered].sort((a, b) => worth(b) - worth(a)).slice(0, COLUMNS);
}

class JobMetrics {
    private chosen = $state.raw<string[] | null>(read());

    names(clusters: Cluster[] | null): string[] {
        if (clusters === null) return [];
        const offered = metricNames(clusters);
        const kept = (this.chosen ?? []).filter((name) => offered.includes(name));
        return kept.length > 0 ? kept : defaultMetrics(clusters);
    }

    choose(names: string[]): void {
        this.chosen = names.slice(0, COLUMNS_MAX);
        localStorage.setItem(KEY, JSON.stringify(this.chosen));
    }
}

function read(): string[] | null {
    try {
        const value: unknown = JSON.parse(localStorage.getItem(KEY) ?? 'null');
        return Array.isArray(value) ? value.filter((v): v is string => typeof v === 'string') : null;
    } catch {
        return null;
    }
}

export const jobMetrics = new JobMetrics();
