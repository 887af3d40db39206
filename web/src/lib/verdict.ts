// SPDX-License-Identifier: MIT
// What can honestly be said about a job from its footprint: each sentence names the value, the limit and the rule.
import { formatValue } from './format';
import { levelOf, thresholdsAt } from './thresholds';
import type { Job, MetricConfig, Statistics } from './types';

export interface Remark {
    metric: string;
    text: string;
}

export interface Verdict {
    remarks: Remark[];
    /** Footprint metrics that had a value to judge. */
    judged: number;
}

type Statistic = 'min' | 'avg' | 'max';

function statisticOf(metric: MetricConfig): Statistic {
    return metric.footprint === 'min' || metric.footprint === 'max' ? metric.footprint : 'avg';
}

const STATISTIC_WORD: Record<Statistic, string> = { min: 'minimum', avg: 'mean', max: 'maximum' };

function remarkOn(metric: MetricConfig, value: number): Remark | null {
    const t = thresholdsAt(metric, 'node', undefined);
    const level = levelOf(value, t);
    if (t === null || (level !== 'caution' && level !== 'alert')) return null;
    const limit = level === 'alert' ? t.alert : t.caution;
    const side = t.lowerIsBetter ? 'above' : 'below';
    const what = `${metric.name}: ${STATISTIC_WORD[statisticOf(metric)]} ${formatValue(value, metric.unit)}`;
    return {
        metric: metric.name,
        text: `${what} is ${side} the ${level} limit of ${formatValue(limit, metric.unit)} per node`,
    };
}

/** Limits are written for whole nodes, so nothing is said about jobs that share their nodes or used a part of the threads. */
export function verdictOf(
    job: Job,
    metrics: MetricConfig[],
    values: Record<string, Statistics>,
    nodeThreads: number,
): Verdict {
    const shared = job.shared !== undefined && job.shared !== '' && job.shared !== 'none';
    const partial =
        nodeThreads > 0 &&
        (job.numHwthreads ?? 0) > 0 &&
        (job.numHwthreads as number) < nodeThreads * job.numNodes * 0.5;
    if (shared || partial) return { remarks: [], judged: 0 };
    const verdict: Verdict = { remarks: [], judged: 0 };
    for (const metric of metrics.filter((m) => m.footprint)) {
        const value = values[metric.name]?.[statisticOf(metric)] ?? null;
        if (value === null || thresholdsAt(metric, 'node', undefined) === null) continue;
        verdict.judged++;
        const remark = remarkOn(metric, value);
        if (remark !== null) verdict.remarks.push(remark);
    }
    return verdict;
}
