"""Runs the built program over archives and lets real engines read the tables: DuckDB and pyarrow."""

import glob
import gzip
import json
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
from collections import Counter

import duckdb
import pyarrow.parquet

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
TARGET = os.environ.get("CARGO_TARGET_DIR", os.path.join(ROOT, "target"))
BINARY = os.path.join(TARGET, "debug", "trailproof")
SHARED = os.path.join(ROOT, "..", "shared", "real")


def scan(bucket, keys, out):
    command = [BINARY, "scan", bucket, "--public-keys", keys, "--out", out]
    run = subprocess.run(command, capture_output=True, text=True)
    print(f"$ scan {os.path.basename(os.path.dirname(bucket))}: exit {run.returncode}: {run.stdout.splitlines()[0]}")
    with open(os.path.join(out, "report.json")) as report:
        return run.returncode, json.load(report)


def source_counts(bucket):
    """Records by day and recipient account, counted from the source JSON alone."""
    counts = Counter()
    for path in glob.glob(bucket + "/**/*.json.gz", recursive=True):
        if "/CloudTrail/" in path:
            for record in json.loads(gzip.open(path).read())["Records"]:
                counts[record["eventTime"][:10], record.get("recipientAccountId")] += 1
    return counts


def table_counts(out):
    query = f"""select event_date::varchar, recipient_account_id, count(*)
                from read_parquet('{out}/events/**/*.parquet', hive_partitioning = true) group by all order by all"""
    rows = duckdb.sql(query).fetchall()
    for row in rows[:6]:
        print("   ", *row)
    return Counter({(day, account): count for day, account, count in rows})


def check(name, bucket, keys, work, code, **expected):
    out = os.path.join(work, name)
    exit_code, report = scan(bucket, keys, out)
    assert exit_code == code, (exit_code, code, report["findings"][:3])
    for field, value in expected.items():
        part, outcome = field.split("_")
        assert report[part][outcome] == value, (field, report[part])
    assert table_counts(out) == source_counts(bucket), name
    files = glob.glob(out + "/**/*.parquet", recursive=True)
    rows = sum(pyarrow.parquet.read_table(file, partitioning=None).num_rows for file in files)
    assert rows == report["output"]["rows"], (rows, report["output"]["rows"])
    return report


def main():
    work = tempfile.mkdtemp()
    try:
        clean = os.path.join(ROOT, "testdata", "clean")
        truth = json.load(open(os.path.join(clean, "truth.json")))
        check("testdata", f"{clean}/bucket", f"{clean}/public-keys.json", work, 0, records_written=truth["records"])
        if not os.path.isdir(SHARED):
            print("skipped: the real archives are not beside this checkout")
            return
        for archive in ("org-archive", "sans-504"):
            with tarfile.open(os.path.join(SHARED, archive + ".tar.gz")) as tar:
                tar.extractall(os.path.join(work, "source", archive), filter="data")
        org = os.path.join(work, "source", "org-archive")
        truth = json.load(open(os.path.join(org, "truth.json")))
        keys = os.path.join(org, "public-keys.json")
        counts = dict(digests_verified=truth["digests"], logs_verified=truth["logs"], records_written=truth["records"])
        check("org-archive", f"{org}/bucket", keys, work, 0, **counts)
        sans = os.path.join(work, "source", "sans-504", "bucket")
        report = check("sans-504", sans, keys, work, 3, logs_uncovered=3872, logs_altered=0, records_written=30477)
        assert not {finding["severity"] for finding in report["findings"]} & {"tamper", "malformed"}
    finally:
        shutil.rmtree(work)


if __name__ == "__main__":
    sys.exit(main())
