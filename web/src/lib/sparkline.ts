// SPDX-License-Identifier: MIT
// Outline of a small plot as SVG path text. Pure.
import type { Sample } from './types';

export interface Frame {
    width: number;
    height: number;
    /** Values at the lower and upper edge; equal ones draw a flat line in the middle. */
    low: number;
    high: number;
}

function y(value: number, frame: Frame): string {
    const part = frame.high > frame.low ? (value - frame.low) / (frame.high - frame.low) : 0.5;
    const inner = frame.height - 2; // a pixel of air on both sides keeps the stroke whole
    return (1 + inner * (1 - Math.min(1, Math.max(0, part)))).toFixed(1);
}

function x(index: number, count: number, width: number): string {
    return (count > 1 ? (index * width) / (count - 1) : width / 2).toFixed(1);
}

/** Line through the samples, broken where samples are missing. A lonely sample becomes a short dash. */
export function linePath(data: Sample[], frame: Frame): string {
    let path = '';
    let pen = false;
    data.forEach((value, i) => {
        if (value === null) {
            pen = false;
            return;
        }
        path += `${pen ? 'L' : 'M'}${x(i, data.length, frame.width)} ${y(value, frame)}`;
        const lonely = !pen && (data[i + 1] ?? null) === null;
        if (lonely) path += 'h1.5';
        pen = true;
    });
    return path;
}

/** Closed area between two lines; one closed piece for each run without holes. */
export function bandPath(low: Sample[], high: Sample[], frame: Frame): string {
    let path = '';
    let run: number[] = [];
    const close = (): void => {
        if (run.length > 1) {
            const there = run.map((i) => `${x(i, low.length, frame.width)} ${y(high[i] as number, frame)}`);
            const back = run.map((i) => `${x(i, low.length, frame.width)} ${y(low[i] as number, frame)}`).reverse();
            path += `M${there.join('L')}L${back.join('L')}Z`;
        }
        run = [];
    };
    low.forEach((value, i) => {
        if (value === null || (high[i] ?? null) === null) close();
        else run.push(i);
    });
    close();
    return path;
}

/** Height of a horizontal mark in the frame, or null when it lies outside. */
export function markY(value: number, frame: Frame): number | null {
    if (!(value > frame.low) || value > frame.high) return null;
    return Number(y(value, frame));
}
