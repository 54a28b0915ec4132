"""Runs the built program over archives and lets real engines read the tables: DuckDB, pyarrow and, with --spark, Spark.

For each archive: the table's rows, sums and days; the pack of `queries/`; queries as AWS publishes them, over the view; and
the view's rows in full. Every answer is compared with plain Python over the source JSON. Athena itself is not at hand: its
statements and the pack are parsed in its dialect by sqlglot, and its view is run on DuckDB in sqlglot's translation.

    python .ci/engines [--spark]
"""

import glob
import json
import os
import random
import shutil
import subprocess
import sys
import tarfile
import tempfile
import time

os.environ["TZ"] = "UTC"
time.tzset()

import pyarrow.parquet
import sqlglot
from sqlglot import exp

import pack
import plain
import published
import readers

CLEAN = os.path.join(pack.ROOT, "testdata", "clean")
SHARED = os.path.join(pack.ROOT, "..", "shared", "real")

# How many rows of the view are compared in full, at most.
SAMPLE = 500

TOTALS = """select event_date, count(*), sum(source_index), count(distinct event_id), count(recipient_account_id),
                   min(event_time), max(event_time)
            from trailproof group by event_date"""

JSON = ("requestparameters", "responseelements", "additionaleventdata", "serviceeventdetails", "edgedevicedetails")


def scan(name, bucket, keys, out, code):
    command = [readers.BINARY, "scan", bucket, "--public-keys", keys, "--out", out, "--progress", "never"]
    run = subprocess.run(command, capture_output=True, text=True)
    print(f"\n{name}: exit {run.returncode}: {run.stdout.splitlines()[0]}")
    report = json.load(open(os.path.join(out, "report.json")))
    assert run.returncode == code, (run.returncode, code, report["findings"][:3])
    files = glob.glob(out + "/**/*.parquet", recursive=True)
    rows = sum(pyarrow.parquet.read_table(file, partitioning=None).num_rows for file in files)
    assert rows == report["output"]["rows"], (rows, report["output"]["rows"])
    print(f"  pyarrow reads {rows} rows in {len(files)} files")
    return report


def ordered(rows):
    return sorted((tuple(row) for row in rows), key=repr)


def agree(what, expected, answers, shown=None):
    """Prints the answers side by side and ends at a difference."""
    expected = ordered(expected)
    example = shown if shown is not None else next((" · ".join(map(str, row)) for row in expected), "nothing")
    sizes = [f"python {len(expected)}"] + [f"{name} {len(rows)}" for name, rows in answers.items()]
    print(f"  {what:<42} {'  '.join(sizes):<42} {example[:90]}")
    for name, rows in answers.items():
        rows = ordered(rows)
        assert rows == expected, (what, name, [pair for pair in zip(rows, expected) if pair[0] != pair[1]][:2])


def check_totals(records, engines):
    days = {}
    for r in records:
        days.setdefault(plain.day(r), []).append(r)
    expected = []
    for day, rows in days.items():
        times = [r["eventTime"] for r in rows]
        named = sum("recipientAccountId" in r for r in rows)
        sums = sum(r["_index"] for r in rows), len({r["eventID"] for r in rows}), named
        expected.append((day, len(rows), *sums, min(times), max(times)))
    agree("totals by day", expected, {name: engine.rows(TOTALS) for name, engine in engines.items()})


def check_pack(records, engines, values, unproven):
    written = pack.queries()
    filters = plain.filters(written, values)
    for name, text in written.items():
        text = pack.with_values(text, values)
        sqlglot.parse_one(text, dialect="athena")
        if name in filters:
            expected = [(r["_key"], r["_index"]) for r in records if filters[name](r)]
            # The log of `one-log` is in its question.
            take = lambda rows: [(row.get("source_key", values["log"]), row["source_index"]) for row in rows]
        elif name == "assume-role-chains":
            expected = plain.assume_role_chains(records, text)
            named = "source_key source_index caller given_session given_key earlier_source_key earlier_source_index".split()
            take = lambda rows: [tuple(row[name] for name in named) for row in rows]
        else:
            expected = {
                "denied-calls": lambda: plain.denied_calls(records, text),
                "keys-first-and-last-seen": lambda: plain.keys_first_and_last_seen(records),
                "unproven-rows": lambda: plain.unproven_rows(records) if unproven else [],
            }[name]()
            take = lambda rows: [tuple(row.values()) for row in rows]
        answers = {engine: reader.named(text) for engine, reader in engines.items()}
        agree(name, expected, {engine: take(rows) for engine, rows in answers.items()})
        first = next(iter(answers.values()))
        for rows in answers.values():
            key = lambda row: repr(row)
            assert sorted(rows, key=key) == sorted(first, key=key), (name, "the engines differ")


def check_published(records, engines):
    for name, (text, expected) in published.COMMON.items():
        sqlglot.parse_one(text, dialect="athena")
        agree(name, expected(records), {engine: reader.rows(text) for engine, reader in engines.items()})
    for name, (text, expected) in published.ATHENA.items():
        agree(name, expected(records), {"DuckDB": engines["DuckDB"].rows(published.for_duckdb(text))})


def check_view(records, engines):
    """Whole rows of the view, field by field."""
    ids = {}
    for r in records:
        ids.setdefault(r["eventID"], []).append(r)
    single = sorted(event for event, same in ids.items() if len(same) == 1)
    chosen = set(random.Random(1).sample(single, min(SAMPLE, len(single))))
    expected = {event: plain.view_row(ids[event][0]) for event in chosen}
    for name, engine in engines.items():
        view = "athena_logs" if name == "Athena's view" else "cloudtrail_logs"
        differences, compared = [], 0
        listed = ", ".join(f"'{event}'" for event in sorted(chosen))
        for row in engine.named(f"select * from {view} where eventid in ({listed})"):
            compared += 1
            row.pop("integrity")
            for column in JSON:
                row[column] = row[column] and json.loads(row[column])
            wanted = expected[row["eventid"]]
            differences += [(column, row[column], wanted.get(column)) for column in row if row[column] != wanted.get(column)]
        print(f"  the view's rows in full, {name + ':':<17} {compared} compared, {len(differences)} differences")
        assert compared == len(chosen) and not differences, differences[:2]


def check_athena(engine):
    """Athena's statements parse, and its view is that of DuckDB where sqlglot translates it."""
    table, view = readers.ddl("athena", "s3://lake/cloudtrail")
    created = sqlglot.parse_one(table, dialect="athena")
    properties = {p.name: p.args["value"].name for p in created.find_all(exp.Property) if isinstance(p.args.get("value"), exp.Literal)}
    assert properties["projection.enabled"] == "true", properties
    assert properties["storage.location.template"].endswith("/events/event_date=${event_date}/"), properties
    parsed = sqlglot.parse_one(view, dialect="athena")
    parsed.set("this", exp.to_table("athena_logs"))
    engine.database.execute(parsed.sql("duckdb"))
    columns = len([one for one in created.this.expressions if isinstance(one, exp.ColumnDef)])
    print(f"  Athena's statements parse: {columns} columns, {len(parsed.expression.expressions)} in the view")


def check(name, folder, keys, work, spark, code, written_values=False, **expected):
    started = time.monotonic()
    out = os.path.join(work, "table-" + name)
    bucket = os.path.join(folder, "bucket")
    report = scan(name, bucket, keys, out, code)
    for field, value in expected.items():
        part, outcome = field.split("_")
        assert report[part][outcome] == value, (field, report[part])
    records = plain.records_of(bucket)
    values = pack.WRITTEN if written_values else plain.values_of(records)
    engines = {"DuckDB": readers.DuckDb(out)}
    if spark:
        engines["Spark"] = readers.Spark(spark, out)
    check_totals(records, engines)
    check_pack(records, engines, values, unproven=bool(report["logs"]["uncovered"]))
    check_published(records, engines)
    check_athena(engines["DuckDB"])
    check_view(records, engines | {"Athena's view": engines["DuckDB"]})
    print(f"  in {time.monotonic() - started:.0f} s")
    return report


def main():
    work = tempfile.mkdtemp()
    try:
        spark = readers.Spark.start() if "--spark" in sys.argv[1:] else None
        truth = json.load(open(os.path.join(CLEAN, "truth.json")))
        keys = os.path.join(CLEAN, "public-keys.json")
        counts = dict(records_written=truth["records"])
        check("testdata", CLEAN, keys, work, spark, 0, written_values=True, **counts)
        if not os.path.isdir(SHARED):
            print("skipped: the real archives are not beside this checkout")
            return
        for archive in ("org-archive", "sans-504"):
            with tarfile.open(os.path.join(SHARED, archive + ".tar.gz")) as tar:
                tar.extractall(os.path.join(work, archive), filter="data")
        org = os.path.join(work, "org-archive")
        truth = json.load(open(os.path.join(org, "truth.json")))
        keys = os.path.join(org, "public-keys.json")
        counts = dict(digests_verified=truth["digests"], logs_verified=truth["logs"], records_written=truth["records"])
        check("org-archive", org, keys, work, spark, 0, **counts)
        sans = os.path.join(work, "sans-504")
        counts = dict(logs_uncovered=3872, logs_altered=0, records_written=30477)
        report = check("sans-504", sans, keys, work, spark, 3, **counts)
        assert not {finding["severity"] for finding in report["findings"]} & {"tamper", "malformed"}
    finally:
        shutil.rmtree(work)


if __name__ == "__main__":
    sys.exit(main())
