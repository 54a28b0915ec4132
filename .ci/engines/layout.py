"""What other layouts would take: rewrites the largest file of a table in each, and prints sizes and what a query reads.

    python .ci/engines/layout.py TABLE       (needs pyarrow; writes to a temporary folder)

The rewriting is pyarrow's, so sizes compare with each other and with its own copy of the layout as it is. "Reads" is the
share of row groups that the smallest and largest values leave, for the busiest values of each column.
"""

import glob
import os
import sys
import tempfile
import time

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

COLUMNS = ["source_account_id", "user_arn", "event_name"]
JSON = ["request_parameters", "response_elements", "additional_event_data", "extra_json"]
IDS = ["event_id", "request_id"]


def share_read(file, column, values):
    """The share of row groups that may hold a value, by its bounds, averaged over `values`."""
    metadata = pq.ParquetFile(file).metadata
    index = metadata.schema.to_arrow_schema().get_field_index(column)
    groups = [metadata.row_group(n).column(index).statistics for n in range(metadata.num_row_groups)]
    hits = [sum(s is None or not s.has_min_max or s.min <= v <= s.max for s in groups) / len(groups) for v in values]
    return sum(hits) / len(hits)


def main():
    table = sys.argv[1]
    files = glob.glob(os.path.join(table, "events", "**", "*.parquet"), recursive=True)
    source = max(files, key=os.path.getsize)
    ours = os.path.getsize(source)
    # Lists make the positions of leaves differ from those of columns, and are a small part.
    rows = pq.ParquetFile(source).read().drop_columns(["resources"])
    values = {}
    for column in COLUMNS:
        counts = sorted(pc.value_counts(rows[column]).to_pylist(), key=lambda one: -one["counts"])
        values[column] = [one["values"] for one in counts if one["values"] is not None][:10]
    print(f"{rows.num_rows:,} rows, {ours / 1e6:.2f} MB as scan wrote them, resources included\n")
    by_account = [("source_account_id", "ascending"), ("event_time", "ascending")]
    texts = [field.name for field in rows.schema if pa.types.is_string(field.type)]
    where_it_pays = [name for name in texts if name not in JSON + IDS]
    variants = [("account, time · 20,000 rows · zstd 1 · dictionaries where they pay", by_account, 20_000, 1, where_it_pays)]
    variants += [(f"the same with zstd {level}", by_account, 20_000, level, where_it_pays) for level in (3, 9)]
    variants += [(f"the same with {n:,} rows", by_account, n, 1, where_it_pays) for n in (1_000, 5_000, 100_000)]
    variants += [
        ("the same with dictionaries everywhere", by_account, 20_000, 1, texts),
        ("the same without dictionaries", by_account, 20_000, 1, False),
        ("time alone · 5,000 rows", [("event_time", "ascending")], 5_000, 1, where_it_pays),
    ]
    print("| layout | MB | written in | " + " | ".join(f"reads for a {column}" for column in COLUMNS) + " |")
    print("|---|---:|---:|" + "---:|" * len(COLUMNS))
    with tempfile.TemporaryDirectory() as work:
        for number, (name, order, group, level, dictionaries) in enumerate(variants):
            file = os.path.join(work, f"{number}.parquet")
            ordered = rows.take(pc.sort_indices(rows, sort_keys=order))
            started = time.process_time()
            pq.write_table(ordered, file, row_group_size=group, compression="zstd", compression_level=level,
                           use_dictionary=dictionaries)
            spent = time.process_time() - started
            shares = " | ".join(f"{share_read(file, column, values[column]):.0%}" for column in COLUMNS)
            print(f"| {name} | {os.path.getsize(file) / 1e6:.2f} | {spent:.2f} s | {shares} |")


if __name__ == "__main__":
    sys.exit(main())
