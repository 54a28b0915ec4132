"""The query pack: its texts, and the values in them that a responder replaces."""

import os

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
FOLDER = os.path.join(ROOT, "queries")

# What is written in the queries: values of testdata/clean, by what they are.
WRITTEN = {
    "first day": "2026-02-28",
    "last day": "2026-03-01",
    "access key": "ASIAORNZYWPU7OGOM6LD",
    "principal": "arn:aws:iam::025000000044:role/backup",
    "address": "203.0.113.130",
    "event": "b8b39791-89e0-449e-a6be-ad9a88a2aa3b",
    "session": "arn:aws:sts::025000000044:assumed-role/web-frontend/i-0f4a1d43f85407d1e",
    "session start": "2026-03-01T01:07:31Z",
    "log": "AWSLogs/o-exampleorgid/025000000044/CloudTrail/us-east-1/2026/02/28/"
    "025000000044_CloudTrail_us-east-1_20260228T2335Z_mrtyqJ8jEdW6vNpP.json.gz",
}


def queries():
    """Every query's text, by name."""
    names = sorted(name for name in os.listdir(FOLDER) if name.endswith(".sql"))
    return {name.removesuffix(".sql"): open(os.path.join(FOLDER, name)).read() for name in names}


def with_values(text, values):
    """A query's text with other values in place of the written ones, as a responder would edit it."""
    for what, value in values.items():
        text = text.replace(f"'{WRITTEN[what]}'", f"'{value}'")
    return text
