// SPDX-License-Identifier: MIT
// Series of the store that are kept up to date: the first load takes the whole span, later ones only what is new, as long as
// samples come at the native step. Down-sampled series are loaded anew, but only as often as they gain a sample.
import { query } from './api';
import { resolutionFor, spanOf, type Range } from './ranges';
import { joinSeries, statistics, type Series } from './series';
import { queriesFor } from './topology';
import type { MetricConfig, Statistics, StoreQuery, StoreResult, Topology } from './types';

export interface Wanted {
    /** Key under which the series is found again. */
    key: string;
    label: string;
    timestep: number;
    query: StoreQuery;
}

export interface LiveView {
    cluster: string;
    range: Range;
    /** Samples that a plot can show. */
    points: number;
}

/** A metric of a whole node. Without a topology the store is asked for everything it has below the node. */
export function nodeWanted(metric: MetricConfig, host: string, topology: Topology | undefined): Wanted {
    const query = topology ? queriesFor(metric, topology, host, 'node', 0)[0]?.query : undefined;
    return {
        key: `${metric.name}/${host}`,
        label: host,
        timestep: metric.timestep,
        query: query ?? { metric: metric.name, host },
    };
}

/** Samples that arrive late are asked for again: this many steps back. */
const OVERLAP_STEPS = 5;

/** Seconds between loads of a view: the step of its finest series, as it is shown. */
export function intervalOf(view: LiveView, wanted: Wanted[]): number {
    if (!('preset' in view.range) || wanted.length === 0) return 0;
    const span = view.range.preset.seconds;
    const steps = wanted.map((w) => resolutionFor(span, w.timestep, view.points));
    return Math.min(60, Math.max(1, Math.min(...steps)));
}

export class LiveSeries {
    private kept = new Map<string, Series>();
    private errors = new Map<string, string>();
    private stats = new Map<string, Statistics>();
    private view: LiveView | null = null;

    /** Forgets what was loaded when cluster, range or detail changed. */
    private begin(view: LiveView): void {
        const same =
            this.view !== null &&
            this.view.cluster === view.cluster &&
            this.view.range === view.range &&
            this.view.points === view.points;
        if (!same) this.kept = new Map();
        this.view = view;
    }

    async load(view: LiveView, wanted: Wanted[], now: number, signal: AbortSignal): Promise<void> {
        this.begin(view);
        const span = spanOf(view.range, now);
        const sized = wanted.map((w) => ({
            ...w,
            resolution: resolutionFor(span.to - span.from, w.timestep, view.points),
        }));
        const fresh = sized.filter((w) => !this.canGrow(w.key, w.timestep));
        const growing = sized.filter((w) => this.canGrow(w.key, w.timestep));
        await Promise.all([
            this.fetch(view, fresh, span.from, span, signal),
            this.fetch(view, growing, this.growthFrom(growing, span.from), span, signal),
        ]);
    }

    get(key: string): Series | undefined {
        return this.kept.get(key);
    }

    /** Of the measured samples: from the store where it picked some of them for the plot, else computed here. */
    statistics(key: string): Statistics {
        return this.stats.get(key) ?? statistics(this.kept.get(key)?.data ?? []);
    }

    error(key: string): string | undefined {
        return this.errors.get(key);
    }

    private canGrow(key: string, timestep: number): boolean {
        const series = this.kept.get(key);
        return (
            series !== undefined &&
            series.data.length > 0 &&
            series.step === timestep &&
            this.view !== null &&
            'preset' in this.view.range
        );
    }

    private growthFrom(wanted: Wanted[], from: number): number {
        const starts = wanted.map((w) => {
            const series = this.kept.get(w.key) as Series;
            return series.from + (series.data.length - OVERLAP_STEPS) * series.step;
        });
        return Math.max(from, Math.min(...starts));
    }

    private async fetch(
        view: LiveView,
        wanted: (Wanted & { resolution: number })[],
        from: number,
        span: { from: number; to: number },
        signal: AbortSignal,
    ): Promise<void> {
        if (wanted.length === 0) return;
        const queries = wanted.map((w) =>
            w.resolution > w.timestep && from === span.from ? { ...w.query, resolution: w.resolution } : w.query,
        );
        const answer = await query({ cluster: view.cluster, from, to: span.to, queries }, signal);
        if (signal.aborted) return;
        wanted.forEach((w, i) => this.keep(w, answer.results[i]?.[0], span.from));
    }

    private keep(w: Wanted, result: StoreResult | undefined, keepFrom: number): void {
        if (result?.error !== undefined) {
            this.errors.set(w.key, result.error);
            return;
        }
        this.errors.delete(w.key);
        if (result && result.resolution > w.timestep)
            this.stats.set(w.key, { min: result.min, avg: result.avg, max: result.max });
        else this.stats.delete(w.key);
        const old = this.kept.get(w.key);
        // What the store has dropped or never had stays as it was seen; the front edge moves on.
        const young: Series = {
            label: w.label,
            from: result?.from ?? 0,
            step: result?.resolution || w.timestep,
            data: result?.data ?? [],
        };
        const empty: Series = { ...young, data: [] };
        this.kept.set(w.key, joinSeries(old ?? empty, young, keepFrom));
    }
}
