"""The engines: each is given the program's own SQL for it, and answers with plain rows."""

import datetime
import os
import subprocess

import duckdb

import pack

TARGET = os.environ.get("CARGO_TARGET_DIR", os.path.join(pack.ROOT, "target"))
BINARY = os.path.join(TARGET, "debug", "trailproof")


def ddl(engine, location):
    """The program's statements for an engine."""
    command = [BINARY, "ddl", engine, "--location", location]
    printed = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    return [statement.strip() for statement in printed.split(";\n") if statement.strip()]


def plain(value):
    """A value as the source JSON would have it."""
    if isinstance(value, datetime.datetime):
        return value.strftime("%Y-%m-%dT%H:%M:%SZ")
    if hasattr(value, "asDict"):
        value = value.asDict()
    if isinstance(value, dict):
        return {name: plain(inner) for name, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(inner) for inner in value]
    return value


class DuckDb:
    """DuckDB, in a zone that would show if times depended on it."""

    def __init__(self, table):
        self.database = duckdb.connect()
        self.database.execute("set timezone = 'America/New_York'")
        for statement in ddl("duckdb", table):
            self.database.execute(statement)

    def rows(self, text):
        return [tuple(map(plain, row)) for row in self.database.execute(text).fetchall()]

    def named(self, text):
        answer = self.database.execute(text)
        names = [column[0] for column in answer.description]
        return [dict(zip(names, map(plain, row))) for row in answer.fetchall()]


class Spark:
    """Spark, one small session for all tables; it needs Java."""

    @staticmethod
    def start():
        from pyspark.sql import SparkSession

        settings = {
            "spark.ui.enabled": "false",
            "spark.ui.showConsoleProgress": "false",
            "spark.sql.shuffle.partitions": "2",
            "spark.driver.memory": "1g",
            "spark.driver.host": "127.0.0.1",
            "spark.driver.bindAddress": "127.0.0.1",
            "spark.sql.session.timeZone": "UTC",
        }
        builder = SparkSession.builder.master("local[2]")
        for name, value in settings.items():
            builder = builder.config(name, value)
        session = builder.getOrCreate()
        session.sparkContext.setLogLevel("ERROR")
        return session

    def __init__(self, session, table):
        self.session = session
        for name in ("cloudtrail_logs", "trailproof"):
            session.catalog.dropTempView(name)
        for statement in ddl("spark", table):
            session.sql(statement)

    def rows(self, text):
        return [tuple(plain(list(row))) for row in self.session.sql(text).collect()]

    def named(self, text):
        return [plain(row) for row in self.session.sql(text).collect()]
