// SPDX-License-Identifier: MIT
// Tick labels of a time axis: 24-hour clock, and the date where the day changes. Pure except for the reader's time zone.
import { formatClock, formatTimeShort } from './format';

/** One label per tick; `increment` is the distance of the ticks in seconds. The first tick of each day has its date below. */
export function timeLabels(ticks: number[], increment: number): string[] {
    let day = '';
    return ticks.map((tick) => {
        const [date = '', clock = ''] = formatTimeShort(tick, undefined, increment < 60).split(' ');
        if (increment >= 86400) return date;
        const label = date === day ? clock : `${clock}\n${date}`;
        day = date;
        return label;
    });
}

/** Numbers of a value axis: as many decimals as their distance needs, all alike. */
export function valueLabels(ticks: number[], factor: number): string[] {
    const distance = ticks.length > 1 ? Math.abs((ticks[1] as number) - (ticks[0] as number)) * factor : 1;
    const decimals = distance > 0 ? Math.min(4, Math.max(0, Math.ceil(-Math.log10(distance) - 1e-9))) : 0;
    return ticks.map((tick) =>
        (tick * factor).toFixed(Math.abs(distance - 2.5 * 10 ** -decimals) < 1e-9 * distance ? decimals + 1 : decimals),
    );
}

export function cursorTime(time: number, step: number): string {
    return step >= 60 ? formatTimeShort(time) : formatClock(time);
}
