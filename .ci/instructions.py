"""Guards the hot stages against slowing down: instructions for each byte of JSON, counted by callgrind.

    python3 .ci/instructions.py             compares with .ci/instructions.json, fails past 10 % in any stage
    python3 .ci/instructions.py --record    records anew: after a change that is meant, or with another compiler

Counts do not depend on how busy the machine is. They do depend on the compiler, so a baseline of another one is not
compared; record it anew together with the update of the toolchain. The program is the one that the checks build anyway.
"""

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
TARGET = os.environ.get("CARGO_TARGET_DIR", os.path.join(ROOT, "target"))
BINARY = os.path.join(TARGET, "debug", "trailproof")
BASELINE = os.path.join(ROOT, ".ci", "instructions.json")
LIMIT = 1.10

# Each stage by the function that holds all of it.
STAGES = {
    "inflate": "trailproof_proof::gunzip::inflate",
    "hash": "trailproof_proof::sha256::Sha256::of",
    "parse": "trailproof_table::event::records::Records::next_entry",
    "columns": "trailproof_table::columns::build::RowBuilder::append",
    "encode": "trailproof_table::sink::encode::Encoder::encode",
    "digests": "trailproof_proof::verify::chain::Group::check",
}


def run(*command):
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def has_valgrind():
    if not shutil.which("valgrind"):
        install = "apt-get install --yes --quiet valgrind"
        as_root = [] if os.geteuid() == 0 else ["sudo", "--non-interactive"]
        try:
            subprocess.run([*as_root, *install.split()], capture_output=True, check=False)
        except FileNotFoundError:
            pass  # no apt-get or no sudo: then it stays away
    return bool(shutil.which("valgrind"))


def counted():
    """Instructions for each byte of JSON, by stage."""
    with tempfile.TemporaryDirectory() as work:
        archive, counts = os.path.join(work, "archive"), os.path.join(work, "counts")
        size = "--accounts 1 --regions 1 --hours 2 --logs-per-hour 8 --records-per-log 150 --sizes even".split()
        run(BINARY, "synth", archive, *size)
        with open(os.path.join(archive, "truth.json")) as truth:
            json_bytes = json.load(truth)["raw_bytes"]
        keys, table = os.path.join(archive, "public-keys.json"), os.path.join(work, "table")
        scan = [BINARY, "scan", archive + "/bucket", "--public-keys", keys, "--out", table, "--threads", "1"]
        run("valgrind", "--tool=callgrind", f"--callgrind-out-file={counts}", *scan)
        lines = run("callgrind_annotate", "--inclusive=yes", "--threshold=100", counts).splitlines()
    found = {}
    for stage, function in STAGES.items():
        # A function has a line for each file that was inlined into it; the largest is the whole.
        line = re.compile(r"\s*([\d,]+) \(.*?\)\s+\S+:" + re.escape(function) + r"(?: \[|$)")
        matches = [int(match[1].replace(",", "")) for match in map(line.match, lines) if match]
        if not matches:
            sys.exit(f"{function}: not among what callgrind counted; was it renamed?")
        found[stage] = round(max(matches) / json_bytes, 3)
    return found


def main():
    compiler = run("rustc", "--version").strip()
    if not has_valgrind():
        print("skipped: valgrind is not here and cannot be installed")
        return
    now = counted()
    if "--record" in sys.argv:
        with open(BASELINE, "w") as file:
            json.dump({"compiler": compiler, "instructions_per_byte": now}, file, indent=2)
            file.write("\n")
    with open(BASELINE) as file:
        baseline = json.load(file)
    if baseline["compiler"] != compiler:
        print(f"not compared: recorded with {baseline['compiler']}, this is {compiler}; record anew with --record")
        return
    slower = []
    for stage, before in baseline["instructions_per_byte"].items():
        print(f"  {stage:8} {now[stage]:8.3f} instructions a byte, recorded {before:8.3f} ({now[stage] / before - 1:+.1%})")
        if now[stage] > before * LIMIT:
            slower.append(stage)
    if slower:
        sys.exit(f"slower by more than 10 %: {', '.join(slower)}")


if __name__ == "__main__":
    main()
