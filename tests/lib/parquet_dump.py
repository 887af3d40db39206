# SPDX-License-Identifier: MIT
"""Runs in the Python of build/parquet-venv: reads Parquet files and prints JSON (parquet_reader.py)."""
import json
import struct
import sys

import duckdb
import pyarrow.parquet


def short_float(value):
    """The shortest digits that give the same float32."""
    for digits in range(1, 10):
        text = f"{value:.{digits}g}"
        if struct.pack("<f", float(text)) == struct.pack("<f", value):
            return repr(float(text)).removesuffix(".0")
    return repr(value)


def open_file(path):
    return pyarrow.parquet.ParquetFile(path, page_checksum_verification=True)


def column_row(column):
    return [column.name, column.physical_type, column.logical_type.type, column.max_definition_level == 0]


def content(path):
    file = open_file(path)
    rows = file.read().to_pylist()
    for row in rows:
        for key, value in row.items():
            if isinstance(value, float):
                row[key] = short_float(value)
    return {"columns": [column_row(file.schema.column(i)) for i in range(len(file.schema.names))],
            "row_groups": [file.metadata.row_group(i).num_rows for i in range(file.metadata.num_row_groups)],
            "rows": rows}


def column_details(column):
    statistics = column.statistics
    return {"name": column.path_in_schema, "compression": column.compression, "encodings": list(column.encodings),
            "rows": column.num_values, "column_index": column.has_column_index, "offset_index": column.has_offset_index,
            "has_min_max": statistics.has_min_max, "nulls": statistics.null_count,
            "min": statistics.min if statistics.has_min_max else None,
            "max": statistics.max if statistics.has_min_max else None}


def details(path):
    file = open_file(path)
    groups = []
    for i in range(file.metadata.num_row_groups):
        group = file.metadata.row_group(i)
        groups.append({"rows": group.num_rows, "sorted_by": [s.column_index for s in group.sorting_columns],
                       "descending": [s.descending for s in group.sorting_columns],
                       "columns": [column_details(group.column(k)) for k in range(group.num_columns)]})
    return {"created_by": file.metadata.created_by, "rows": file.metadata.num_rows, "groups": groups,
            "schema": str(file.schema)}


def read(path):
    """All values, floats as they are."""
    return open_file(path).read().to_pydict()


def try_all(path, *damaged):
    """Reads each file; tells for each whether it was refused or what its values are compared with those of the first."""
    good = repr(read(path))  # as text: NaN is not equal to itself
    verdicts = []
    for name in damaged:
        try:
            verdicts.append("same" if repr(read(name)) == good else "different")
        except Exception:  # whatever a reader says about damage
            verdicts.append("refused")
    return verdicts


def query(sql):
    return duckdb.sql(sql).fetchall()


if __name__ == "__main__":
    function = {"content": content, "details": details, "read": read, "try_all": try_all, "query": query}[sys.argv[1]]
    json.dump(function(*sys.argv[2:]), sys.stdout, default=str)
