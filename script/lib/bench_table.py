# SPDX-License-Identifier: MIT
"""Reads the figures that benchmarks print (name value unit, note) from standard input and prints one table with their bars
(bench/bars.tsv). Other lines are left out. --markdown: as docs/benchmarks.md has it.

    bench_table.py [--markdown] BARS.tsv <figures
"""
import fnmatch
import re
import sys

COLUMNS = ["figure", "value", "unit", "bar", "stretch", "", "note"]


def read_bars(path):
    bars = []
    for line in open(path, encoding="utf-8"):
        if line.strip() and not line.startswith("#"):
            name, bar, stretch, what = line.rstrip("\n").split("\t")
            bars.append((name, bar, stretch, what))
    return bars


def holds(value, bar):
    sense, limit = re.fullmatch(r"(<=|>=|<|>)(-?[\d.]+)", bar).groups()
    limit = float(limit)
    return {"<=": value <= limit, ">=": value >= limit, "<": value < limit, ">": value > limit}[sense]


def row_of(line, bars):
    """None for a line that is no figure."""
    found = re.fullmatch(r"(\S+) (-?\d+(?:\.\d+)?|n/a) ([^,(]+?)(?:(?:, | (?=\())(.*))?", line.strip())
    if not found:
        return None
    name, value, unit, note = found.groups()
    bar, stretch = next(((b, s) for pattern, b, s, _ in bars if fnmatch.fnmatchcase(name, pattern)), ("", "-"))
    state = "" if not bar else "n/a" if value == "n/a" else "ok" if holds(float(value), bar) else "MISSED"
    return [name, value, unit, bar, stretch if stretch != "-" else "", state, note or ""]


def print_text(rows):
    widths = [max(len(row[i]) for row in [COLUMNS, *rows]) for i in range(len(COLUMNS) - 1)]
    for row in [COLUMNS, *rows]:
        cells = [text.rjust(w) if i in (1, 3, 4) else text.ljust(w) for i, (text, w) in enumerate(zip(row, widths))]
        print("  ".join([*cells, row[-1]]).rstrip())


def print_markdown(rows):
    print("| figure | value | unit | bar | |\n|---|---|---|---|---|")
    for name, value, unit, bar, _, state, _ in rows:
        print(f"| {name} | {value} | {unit} | {bar.replace('>=', '≥ ').replace('<=', '≤ ').replace('<', '< ')} | {state} |")


def main():
    arguments = [a for a in sys.argv[1:] if a != "--markdown"]
    bars = read_bars(arguments[0])
    rows = [row for row in (row_of(line, bars) for line in sys.stdin) if row]
    (print_markdown if "--markdown" in sys.argv else print_text)(rows)
    states = [row[5] for row in rows]
    print(f"\nbars: {states.count('ok')} ok, {states.count('MISSED')} missed, {states.count('n/a')} without a value")


if __name__ == "__main__":
    main()
