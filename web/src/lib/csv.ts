// SPDX-License-Identifier: MIT
// Comma separated values for spreadsheet programs (RFC 4180).

function cell(value: string | number | null): string {
    if (value === null) return '';
    if (typeof value === 'number') return Number.isFinite(value) ? String(value) : '';
    // Text that starts like a formula would be run by the spreadsheet.
    const safe = /^[=+\-@\t\r]/.test(value) ? `'${value}` : value;
    return /[",\r\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
}

export function toCsv(rows: (string | number | null)[][]): string {
    return rows.map((row) => row.map(cell).join(',') + '\r\n').join('');
}

export function download(name: string, text: string): void {
    const url = URL.createObjectURL(new Blob([text], { type: 'text/csv;charset=utf-8' }));
    const link = document.createElement('a');
    link.href = url;
    link.download = name;
    link.click();
    URL.revokeObjectURL(url);
}
