#!/usr/bin/env python3
"""Measures trailproof against the machine's limit and against what a user would run instead, with one command:

    python3 benches/compare.py            about ten minutes; `--rows V,S1` for some rows, `--large` for 8 GB in row M,
                                          `--real DIR` for row S2 over real logs of your own too

It builds the release program and its benches, makes its archives with `trailproof synth` (seed 1), and prints one table.
The limit is `benches/limit.rs`: the same files, inflated and hashed on the same threads, nothing else. DuckDB is measured
when its Python module is there, the AWS CLI when `aws` is. Ratios are taken within one run, in which everything compared is
run in turn; figures are medians, with the smallest and largest in brackets.
"""

import argparse
import functools
import glob
import json
import os
import platform
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
PORT = 9310
BUCKET = "example-org-trail"

ARCHIVES = {
    # Half of the logs under 2 KB stored, the busy ones of 0.5 to 8 MB of JSON.
    "mixed": "--accounts 4 --regions 2 --hours 6 --logs-per-hour 20 --records-per-log 300 --sizes mixed",
    "busy": "--accounts 4 --regions 2 --hours 3 --logs-per-hour 20 --records-per-log 200 --sizes even",
    # About 11 KB of JSON each.
    "tiny": "--accounts 4 --regions 2 --hours 12 --logs-per-hour 50 --records-per-log 8 --sizes even",
    "organization": "--accounts 4 --regions 2 --hours 12 --logs-per-hour 10 --records-per-log 8 --sizes even",
    "large-1": "--accounts 4 --regions 2 --hours 12 --logs-per-hour 36 --records-per-log 200 --sizes mixed",
    "large-8": "--accounts 4 --regions 2 --hours 96 --logs-per-hour 36 --records-per-log 200 --sizes mixed",
}

ENVIRONMENT = dict(
    os.environ,
    AWS_ACCESS_KEY_ID="test",
    AWS_SECRET_ACCESS_KEY="test",
    AWS_REGION="us-east-1",
    AWS_DEFAULT_REGION="us-east-1",
    AWS_EC2_METADATA_DISABLED="true",
    AWS_ENDPOINT_URL=f"http://127.0.0.1:{PORT}",
)

DUCKDB = """
import duckdb, glob, sys
root, out, threads = sys.argv[1:]
files = glob.glob(root + "/**/CloudTrail/**/*.json.gz", recursive=True)
text, flag = "VARCHAR", "BOOLEAN"
def struct(**fields):
    return "STRUCT(" + ", ".join(f'"{name}" {kind}' for name, kind in fields.items()) + ")"
issuer = struct(type=text, principalId=text, arn=text, accountId=text, userName=text)
session = struct(sessionIssuer=issuer, attributes=struct(creationDate=text, mfaAuthenticated=text))
identity = struct(type=text, principalId=text, arn=text, accountId=text, accessKeyId=text, userName=text,
                  invokedBy=text, sessionContext=session)
tls = struct(tlsVersion=text, cipherSuite=text, clientProvidedHostHeader=text)
record = struct(
    eventVersion=text, userIdentity=identity, eventTime=text, eventSource=text, eventName=text, awsRegion=text,
    sourceIPAddress=text, userAgent=text, errorCode=text, errorMessage=text, requestParameters="JSON",
    responseElements="JSON", additionalEventData="JSON", requestID=text, eventID=text, readOnly=flag,
    resources=struct(accountId=text, type=text, ARN=text) + "[]", eventType=text, managementEvent=flag,
    recipientAccountId=text, eventCategory=text, tlsDetails=tls)
connection = duckdb.connect()
connection.execute(f"set threads = {threads}; set preserve_insertion_order = false; set enable_progress_bar = false")
import time
started = time.perf_counter()
connection.execute(f'''copy (select r.* from (select unnest("Records") r from read_json({files!r},
    columns = {{"Records": '{record}[]'}}, maximum_object_size = 200000000))) to '{out}' (format parquet, compression zstd)''')
print(time.perf_counter() - started)
"""


class Ran:
    """One finished command: wall seconds, CPU seconds, peak bytes, and what it printed."""

    def __init__(self, command, codes=(0,), environment=ENVIRONMENT):
        with tempfile.TemporaryFile() as out:
            started = time.perf_counter()
            process = subprocess.Popen(command, stdout=out, stderr=subprocess.STDOUT, env=environment)
            _, status, usage = os.wait4(process.pid, 0)
            self.wall = time.perf_counter() - started
            process.returncode = os.waitstatus_to_exitcode(status)
            self.cpu = usage.ru_utime + usage.ru_stime
            self.peak = usage.ru_maxrss * 1024
            out.seek(0)
            self.out = out.read().decode()
        if process.returncode not in codes:
            sys.exit(f"{' '.join(command)}\nended with {process.returncode}:\n{self.out}")


class Loopback:
    """The fast S3 on loopback, while the block runs."""

    def __init__(self, binary, what, delay):
        self.command = [binary, str(PORT), what, str(delay)]

    def __enter__(self):
        self.process = subprocess.Popen(self.command, stdout=subprocess.PIPE, text=True)
        self.objects = int(self.process.stdout.readline().split()[1])

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()


class Bench:
    def __init__(self, arguments):
        self.runs, self.large, self.threads = arguments.runs, arguments.large, arguments.threads
        self.real = arguments.real
        self.work = tempfile.mkdtemp(prefix="compare-", dir=arguments.work)
        self.made = {}
        self.rows = {}
        release = os.path.join(os.environ.get("CARGO_TARGET_DIR", os.path.join(ROOT, "target")), "release")
        self.trailproof = os.path.join(release, "trailproof")
        if not arguments.no_build:
            benches = ["cargo", "bench", "--no-run", "--bench", "limit", "--bench", "loopback"]
            for command in (["cargo", "build", "--release"], benches):
                subprocess.run(command, cwd=ROOT, check=True)
        self.limit_binary, self.loopback_binary = (newest(release, name) for name in ("limit", "loopback"))

    def archive(self, name):
        if name not in self.made:
            path = os.path.join(self.work, name)
            made = Ran([self.trailproof, "synth", path, *ARCHIVES[name].split()])
            print(f"# {name}: {ARCHIVES[name]}\n#   {made.out.splitlines()[0].split(': ')[1]}, {made.out.splitlines()[3].strip()}")
            with open(os.path.join(path, "truth.json")) as truth:
                self.made[name] = (path, json.load(truth))
        return self.made[name]

    def bucket(self, name):
        """The directory of an archive's objects."""
        return self.real if name == "real" else self.archive(name)[0] + "/bucket"

    @functools.cache
    def json_bytes(self, name):
        if name == "real":
            return self.inflated(name, self.threads)["json_bytes"]
        return self.archive(name)[1]["raw_bytes"]

    def inflated(self, name, threads):
        """What the limit tells of an archive."""
        return json.loads(Ran([self.limit_binary, self.bucket(name), str(threads)]).out)

    def limit(self, name, threads):
        told = self.inflated(name, threads)
        assert told["json_bytes"] == self.json_bytes(name), told
        return told["seconds"]

    def verify(self, name, threads=None, s3=False):
        path, _ = self.archive(name)
        where = f"s3://{BUCKET}" if s3 else path + "/bucket"
        command = [self.trailproof, "verify", where, "--public-keys", path + "/public-keys.json"]
        return Ran(command + ["--threads", str(threads or self.threads)])

    def scan(self, name, threads=None):
        out = os.path.join(self.work, "table")
        shutil.rmtree(out, ignore_errors=True)
        command = [self.trailproof, "scan", self.bucket(name), "--out", out, "--threads", str(threads or self.threads)]
        if name == "real":
            return Ran(command, codes=(0, 1, 3))
        return Ran([*command, "--public-keys", self.archive(name)[0] + "/public-keys.json"])

    def duckdb(self, name):
        out = os.path.join(self.work, "duckdb.parquet")
        return float(Ran([sys.executable, "-c", DUCKDB, self.bucket(name), out, str(self.threads)]).out)

    def aws(self, name):
        """`validate-logs` for every account and Region in turn: seconds in all."""
        _, truth = self.archive(name)
        seconds = 0
        for account in truth["accounts"]:
            for region in truth["regions"]:
                arn = f"arn:aws:cloudtrail:us-east-1:{truth['accounts'][0]}:trail/{truth['trail']}"
                command = ["aws", "cloudtrail", "validate-logs", "--trail-arn", arn, "--account-id", account]
                command += ["--region", region, "--start-time", truth["start"], "--end-time", truth["end"]]
                ran = Ran(command)
                assert "logs valid" in ran.out or "log files valid" in ran.out, ran.out
                seconds += ran.wall
        return seconds

    def tell(self, row, what, values, unit, target):
        """Notes a row: the median with its spread, beside its target."""
        form = "{:.0f}" if statistics.median(values) >= 1000 else "{:.3g}"
        middle, least, most = (form.format(pick(values)) for pick in (statistics.median, min, max))
        spread = f" [{least} to {most}]" if len(values) > 1 else ""
        self.rows[row] = f"| {row} | {what} | {middle}{unit}{spread} | {target} | {len(values)} |"
        print(f"#   {self.rows[row]}", flush=True)

    def mega(self, name, seconds):
        return self.json_bytes(name) / 1e6 / seconds

    def row_v(self):
        ratios, speeds, limits = [], [], []
        for _ in range(self.runs):
            limit, verify = self.limit("mixed", self.threads), self.verify("mixed").wall
            ratios.append(limit / verify)
            speeds.append(self.mega("mixed", verify))
            limits.append(self.mega("mixed", limit))
        self.tell("V", "verify of a directory: share of the limit", ratios, "", "≥ 0.85")
        self.tell("V MB/s", "the same, in MB/s of JSON", speeds, "", "")
        self.tell("limit MB/s", "the limit itself", limits, "", "")

    def row_s1(self):
        ratios, speeds, duck = [], [], []
        for _ in range(self.runs):
            limit, scan = self.limit("busy", self.threads), self.scan("busy").wall
            ratios.append(limit / scan)
            speeds.append(self.mega("busy", scan))
            if self.has_duckdb:
                duck.append(self.duckdb("busy") / scan)
        self.tell("S1", "scan of busy logs: share of the limit", ratios, "", "≥ 0.35")
        self.tell("S1 MB/s", "the same, in MB/s of JSON", speeds, "", "")
        if duck:
            self.tell("S1 DuckDB", "the same against DuckDB", duck, " ×", "≥ 12 ×")

    def row_s2(self):
        for name, row in (("tiny", "S2"), *((("real", "S2 real"),) if self.real else ())):
            duck, speeds = [], []
            self.inflated(name, self.threads)  # real logs, too, are read from memory, as what was just made is
            for _ in range(self.runs):
                scan = self.scan(name).wall
                speeds.append(self.mega(name, scan))
                if self.has_duckdb:
                    duck.append(self.duckdb(name) / scan)
            self.tell(f"{row} MB/s", f"scan of {name} logs, in MB/s of JSON", speeds, "", "")
            if duck:
                self.tell(row, "the same against DuckDB", duck, " ×", "≥ 30 ×")

    def over_s3(self, row, delay, target, times):
        if not shutil.which("aws"):
            return
        path, _ = self.archive("organization")
        ratios, seconds = [], []
        with Loopback(self.loopback_binary, path, delay):
            for _ in range(min(self.runs, times)):
                aws = self.aws("organization")
                verify = [self.verify("organization", s3=True).wall for _ in range(3)]
                seconds.append(statistics.median(verify))
                ratios.append(aws / seconds[-1])
        self.tell(row, f"verify over S3, {delay} ms added, against the AWS CLI", ratios, " ×", target)
        self.tell(f"{row} s", "the same, in seconds", seconds, " s", "")

    def row_n1(self):
        self.over_s3("N1", 0, "≥ 30 ×", 3)

    def row_n2(self):
        self.over_s3("N2", 20, "≥ 80 ×", 2)

    def row_l(self):
        keys = []
        with Loopback(self.loopback_binary, "made-up:1000000", 50):
            for _ in range(self.runs):
                ran = Ran([self.trailproof, "ls", f"s3://{BUCKET}", "--format", "json"])
                told = json.loads(ran.out)
                assert sum(row["objects"] for row in told["rows"]) == 1_000_000
                keys.append(1_000_000 / ran.wall)
        self.tell("L", "ls of 1,000,000 keys behind 50 ms: keys/s", keys, "", "≥ 100000")

    def row_m(self):
        one = [self.scan("large-1").peak / 2**20 for _ in range(min(self.runs, 3))]
        self.tell("M", "peak memory of scan, 1 GB of JSON", one, " MiB", "≤ 400 MiB")
        if self.large:
            eight = self.scan("large-8").peak / 2**20
            self.tell("M 8 GB", "peak memory of scan, 8 GB of JSON", [eight], " MiB", "≤ 400 MiB")
            self.tell("M ratio", "the second against the first", [eight / statistics.median(one)], " ×", "≤ 1.1 ×")

    def row_t(self):
        for row, run, name in (("T verify", self.verify, "mixed"), ("T scan", self.scan, "busy")):
            ratios = [run(name, threads=1).wall / run(name, threads=2).wall for _ in range(self.runs)]
            self.tell(row, f"{row.split()[1]}: 1 to 2 threads", ratios, " ×", "≥ 1.8 ×")

    def row_c(self):
        path, truth = self.archive("tiny")
        with Loopback(self.loopback_binary, path, 0):
            objects = truth["logs"] + truth["digests"]
            micros = [self.verify("tiny", s3=True).cpu / objects * 1e6 for _ in range(self.runs)]
        self.tell("C", "client CPU per small object over S3", micros, " µs", "≤ 120 µs")

    def row_u(self):
        help_ = [Ran([self.trailproof, "--help"]).wall * 1e3 for _ in range(4 * self.runs)]
        wrong = [Ran([self.trailproof, "scan"], codes=(2,)).wall * 1e3 for _ in range(4 * self.runs)]
        self.tell("U", "--help", help_, " ms", "≤ 20 ms")
        self.tell("U usage", "a usage error", wrong, " ms", "≤ 20 ms")

    @property
    def has_duckdb(self):
        try:
            import duckdb
        except ImportError:
            return False
        return bool(duckdb)


def newest(release, name):
    """The bench of this name that was built last."""
    built = [path for path in glob.glob(f"{release}/deps/{name}-*") if "." not in os.path.basename(path)]
    return max(built, key=os.path.getmtime)


def versions():
    def told(*command):
        try:
            return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip().splitlines()[0]
        except (OSError, subprocess.CalledProcessError, IndexError):
            return f"no {command[0]}"

    with open("/proc/cpuinfo") as info:
        model = next((line.split(":")[1].strip() for line in info if line.startswith("model name")), platform.machine())
    duckdb = told(sys.executable, "-c", "import duckdb; print('DuckDB', duckdb.__version__)")
    aws = told("aws", "--version").split()[0]
    commit = told("git", "-C", ROOT, "rev-parse", "--short", "HEAD")
    return f"{os.cpu_count()} × {model}, {platform.system()} {platform.release()}; {told('rustc', '--version')}; {duckdb}; {aws}; commit {commit}"


def main():
    parser = argparse.ArgumentParser(description="Measures trailproof against the limit, DuckDB and the AWS CLI.")
    parser.add_argument("--rows", default="U,V,S1,S2,T,C,M,L,N1,N2", help="rows of the table, separated by commas")
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--large", action="store_true", help="row M with 8 GB too")
    parser.add_argument("--real", metavar="DIR", help="a directory of real logs, for row S2 too")
    parser.add_argument("--no-build", action="store_true", help="measure what was built before")
    parser.add_argument("--work", help="where archives and tables are put; removed at the end")
    arguments = parser.parse_args()
    with socket.socket() as free:
        free.bind(("127.0.0.1", PORT))
    bench = Bench(arguments)
    try:
        for row in arguments.rows.split(","):
            getattr(bench, f"row_{row.lower()}")()
    finally:
        shutil.rmtree(bench.work, ignore_errors=True)
    print(f"\n{versions()}\n\n| | measure | median [spread] | target | runs |\n|---|---|---|---|---|")
    print("\n".join(bench.rows.values()))


if __name__ == "__main__":
    main()
