// SPDX-License-Identifier: MIT
// What a value means against the thresholds of its metric: the rules of the footprint (peak, normal, caution, alert), in words.
import type { MetricConfig, Scope, Topology } from './types';
import { elementCount } from './topology';

export interface Thresholds {
    peak: number;
    normal: number;
    caution: number;
    alert: number;
    lowerIsBetter: boolean;
}

// A load average of 72.4 on 72 cores is noise, not news: so much above the peak counts as the peak.
const OVER = 1.1;

export type Level = 'over' | 'good' | 'normal' | 'caution' | 'alert' | 'none';

/** Thresholds are written for the node. A sum over parts is divided by their number, a mean holds for each part as it is. */
export function thresholdsAt(metric: MetricConfig, scope: Scope, topology: Topology | undefined): Thresholds | null {
    if (metric.peak <= 0 && metric.normal <= 0) return null;
    let divisor = 1;
    if (scope !== 'node') {
        if (metric.aggregation === 'sum') divisor = topology ? elementCount(topology, scope) : 0;
        else if (metric.aggregation !== 'avg') return null;
    }
    if (divisor < 1) return null;
    return {
        peak: metric.peak / divisor,
        normal: metric.normal / divisor,
        caution: metric.caution / divisor,
        alert: metric.alert / divisor,
        // Descriptions often leave the flag out; limits that rise from caution to alert say the same.
        lowerIsBetter: (metric.lowerIsBetter ?? false) || metric.alert > metric.caution,
    };
}

export function levelOf(value: number | null, t: Thresholds | null): Level {
    if (value === null || t === null) return 'none';
    if (t.peak > 0 && value > t.peak * OVER) return 'over';
    if (t.lowerIsBetter) {
        if (t.alert > 0 && value >= t.alert) return 'alert';
        if (t.caution > 0 && value >= t.caution) return 'caution';
        return 'normal';
    }
    if (value <= t.alert) return 'alert';
    if (value <= t.caution) return 'caution';
    return value <= t.normal ? 'normal' : 'good';
}

/**
 * The word for a level. Below the limits of a metric where more is better only says that little happens: an idle node is no fault,
 * so the word is "low", not "alert".
 */
export function levelWord(level: Level, lowerIsBetter: boolean): string {
    switch (level) {
        case 'over':
            return 'above peak';
        case 'good':
            return 'above normal';
        case 'normal':
            return 'normal';
        case 'caution':
            return lowerIsBetter ? 'high' : 'low';
        case 'alert':
            return lowerIsBetter ? 'very high' : 'very low';
        case 'none':
            return '';
    }
}

/**
 * Upper edge of a value axis that starts at 0. The normal value is in view as soon as the data come near it; when they stay far
 * below, the shape of the data matters more than the distance.
 */
export function viewTop(dataMax: number | null, t: Thresholds | null): number {
    const data = dataMax ?? 0;
    if (data <= 0) return 1;
    return (t && t.normal > 0 && data > t.normal * 0.35 ? Math.max(data, t.normal) : data) * 1.08;
}
