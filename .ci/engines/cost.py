"""What each query of the pack reads of a table, beside the gzip bytes of the raw archive that hold the same days.

Of the table: the compressed bytes of the column chunks that a query names, in the row groups that its dates, the row
groups' statistics and bloom filters cannot rule out; and apart from those the footers of the files in the dates with the
bloom filters that were asked. Of the archive: the objects in the day folders of the same dates.

    trailproof synth made --accounts 20 --regions 4 --hours 720 --logs-per-hour 2 --records-per-log 8
    trailproof scan made/bucket --public-keys made/public-keys.json --out table
    python .ci/engines/cost.py table made/bucket

Works on a table of any layout; needs duckdb and sqlglot.
"""

import argparse
import glob
import os
import re
import sys
from collections import defaultdict

import duckdb
import sqlglot
from sqlglot import exp

import pack

NEEDLES = ("by-access-key", "by-event-id")
DAY_FOLDER = re.compile(r"/CloudTrail/[a-z0-9-]+/(\d{4})/(\d{2})/(\d{2})/[^/]+\.json\.gz$")

# What a value is taken from the table for: the busiest of its kind, which is the dearest.
BUSIEST = {
    "access key": ("user_access_key_id", "user_access_key_id like 'ASIA%'"),
    "principal": ("session_issuer_arn", "session_issuer_arn is not null"),
    "address": ("source_ip_address", "user_type = 'IAMUser'"),
    "event": ("event_id", "event_name = 'CreateAccessKey'"),
    "session": ("user_arn", "session_issuer_arn is not null"),
    "log": ("source_key", "true"),
}


class Table:
    """The files of a table, and what their footers say."""

    def __init__(self, folder):
        self.files = sorted(glob.glob(os.path.join(folder, "events", "**", "*.parquet"), recursive=True))
        self.bytes = sum(map(os.path.getsize, self.files))
        self.database = duckdb.connect()
        self.database.execute(
            f"create view t as from read_parquet({self.files}, hive_partitioning = true,"
            " hive_types = {'event_date': varchar})"
        )
        self.groups = defaultdict(dict)
        self.blooms = {}
        metadata = self.database.execute(
            "select file_name, row_group_id, split_part(path_in_schema, ',', 1), stats_min_value, stats_max_value,"
            " stats_null_count, num_values, total_compressed_size, bloom_filter_offset is not null,"
            f" coalesce(bloom_filter_length, 0) from parquet_metadata({self.files})"
        )
        for file, group, column, low, high, nulls, values, size, bloom, bloom_size in metadata.fetchall():
            earlier = self.groups[file, group].get(column, {"size": 0})
            self.groups[file, group][column] = dict(
                low=low, high=high, nulls=nulls, values=values, size=size + earlier["size"], bloom=bloom, bloom_size=bloom_size
            )
        self.excluded = {}

    def busiest(self, column, condition):
        query = f"select {column} from t where {condition} group by 1 order by count(*) desc, 1 limit 1"
        row = self.database.execute(query).fetchone()
        return row and row[0]

    def bloom_excludes(self, column, value):
        """The row groups whose bloom filter says that the value is not in them."""
        if (column, value) not in self.excluded:
            rows = self.database.execute(
                f"select file_name, row_group_id from parquet_bloom_probe({self.files}, ?, ?) where bloom_filter_excludes",
                [column, value],
            )
            self.excluded[column, value] = set(rows.fetchall())
        return self.excluded[column, value]


def day_of(file):
    return re.search(r"event_date=(\d{4}-\d{2}-\d{2})", file)[1]


class Scan:
    """One reading of the table in a query: the columns named, and the conditions that must all hold."""

    def __init__(self, select, alias, alone):
        mine = lambda column: column.table == alias or (alone and not column.table)
        inner = {id(column) for sub in select.find_all(exp.Select) if sub is not select for column in sub.find_all(exp.Column)}
        columns = [column for column in select.find_all(exp.Column) if id(column) not in inner and mine(column)]
        self.columns = {column.name for column in columns}
        where = select.args.get("where")
        conditions = list(where.this.flatten()) if where and isinstance(where.this, exp.And) else [where.this] if where else []
        self.conditions = [c for c in conditions if all(mine(column) for column in c.find_all(exp.Column))]


def scans_of(text):
    """The readings of `trailproof` in a query."""
    scans = []
    for select in sqlglot.parse_one(text, dialect="athena").find_all(exp.Select):
        sources = [select.args.get("from_") or select.args["from"]] + (select.args.get("joins") or [])
        for source in sources:
            if isinstance(source.this, exp.Table):
                assert source.this.name == "trailproof", source
                scans.append(Scan(select, source.this.alias_or_name, len(sources) == 1))
    return scans


def can_hold(table, condition, key, asked):
    """Whether rows of a row group may meet a condition. What is not understood may."""
    file, chunks = key[0], table.groups[key]
    column = condition.find(exp.Column)
    if column is None:
        return True
    if column.name == "event_date":
        low = high = day_of(file)
        chunk = dict(low=low, high=high, nulls=0, values=1, bloom=False, bloom_size=0)
    else:
        chunk = chunks[column.name]
    low, high = chunk["low"], chunk["high"]
    unknown = low is None or high is None

    def may_equal(value):
        if chunk["nulls"] is not None and chunk["nulls"] == chunk["values"]:
            return False
        if not unknown and not low <= value <= high:
            return False
        if chunk["bloom"]:
            asked.add((key, column.name))
            return key not in table.bloom_excludes(column.name, value)
        return True

    match condition:
        case exp.EQ(this=exp.Column(), expression=exp.Literal(this=value)):
            return may_equal(value)
        case exp.In(this=exp.Column(), expressions=values) if values:
            return any(may_equal(value.this) for value in values)
        case exp.Between(this=exp.Column(), args=args):
            return unknown or not (high < args["low"].this or low > args["high"].this)
        case exp.NEQ(this=exp.Column(), expression=exp.Literal(this=value)):
            return (unknown and chunk["nulls"] != chunk["values"]) or not (low == high == value)
        case exp.Is(this=exp.Column(), expression=exp.Null()):
            return chunk["nulls"] is None or chunk["nulls"] > 0
    return True


def cost_of(table, text):
    """Bytes of column chunks, bytes of footers and bloom filters, and the row groups read."""
    data, groups, asked, files = 0, 0, set(), set()
    for scan in scans_of(text):
        dates = [c for c in scan.conditions if c.find(exp.Column).name == "event_date"]
        others = [c for c in scan.conditions if c not in dates]
        for key, chunks in table.groups.items():
            if not all(can_hold(table, condition, key, asked) for condition in dates):
                continue
            files.add(key[0])
            if all(can_hold(table, condition, key, asked) for condition in others):
                groups += 1
                data += sum(chunks[column]["size"] for column in scan.columns if column in chunks)
    around = sum(footer_bytes(file) for file in files)
    around += sum(table.groups[key][column]["bloom_size"] for key, column in asked)
    return data, around, groups


def footer_bytes(file):
    with open(file, "rb") as parquet:
        parquet.seek(-8, os.SEEK_END)
        return int.from_bytes(parquet.read(4), "little") + 8


def raw_bytes(bucket, first, last):
    """Bytes of the objects in the day folders from one day to another."""
    total = 0
    for path in glob.iglob(os.path.join(bucket, "**", "*.json.gz"), recursive=True):
        found = DAY_FOLDER.search(path)
        if found and first <= "-".join(found.groups()) <= last:
            total += os.path.getsize(path)
    return total


def share(part, whole):
    return f"1/{whole / part:.0f}" if part else "nothing"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("table")
    parser.add_argument("bucket")
    parser.add_argument("--check", action="store_true", help="fail where a target is missed")
    args = parser.parse_args()
    table = Table(args.table)
    days = sorted({day_of(file) for file in table.files})
    values = {"first day": days[0], "last day": days[-1]}
    values |= {what: found for what, where in BUSIEST.items() if (found := table.busiest(*where))}
    started = table.busiest("session_creation_time", f"user_arn = '{values['session']}'")
    values["session start"] = started
    raw = raw_bytes(args.bucket, days[0], days[-1])

    print(f"{len(days)} days, {len(table.files)} files, {len(table.groups)} row groups")
    print(f"table {table.bytes / 1e6:.1f} MB, archive {raw / 1e6:.1f} MB: {table.bytes / raw:.2f} of it\n")
    print("| query | column chunks, MB | of raw | row groups | footers and filters, MB |")
    print("|---|---:|---:|---:|---:|")
    sum_data, missed = 0, []
    texts = {name: pack.with_values(text, values) for name, text in pack.queries().items()}
    user_key = table.busiest("user_access_key_id", "user_access_key_id like 'AKIA%'")
    texts["by-access-key, a user's"] = texts["by-access-key"].replace(values["access key"], user_key)
    for name, text in sorted(texts.items()):
        data, around, groups = cost_of(table, text)
        print(f"| {name} | {data / 1e6:.2f} | {share(data, raw)} | {groups} | {around / 1e6:.2f} |")
        if name in pack.queries():
            sum_data += data
        if name in NEEDLES and data * 200 > raw:
            missed.append(f"{name} reads more than 1/200 of the archive")
    whole = raw * len(pack.queries())
    print(f"| the pack | {sum_data / 1e6:.2f} | {share(sum_data, whole)} | | |")
    if sum_data * 30 > whole:
        missed.append("the pack reads more than 1/30 of the archive")
    if table.bytes > raw:
        missed.append("the table is larger than the archive")
    print("\n" + ("\n".join(missed) or "every target is met"))
    return 1 if missed and args.check else 0


if __name__ == "__main__":
    sys.exit(main())
