//! The table: every column, and how each engine finds the days.

use super::dialect::double_quoted;
use super::{Engine, Request};
use crate::columns::schema::{COLUMNS, ColumnType};
use crate::sink::Partitioning;

/// The first day that Athena looks for: CloudTrail began in this month.
const FIRST_DAY: &str = "2013-11-01";

/// The last, as Athena counts: clocks of sources may run ahead of it.
const LAST_DAY: &str = "NOW+1DAYS";

/// The statement that makes the table.
pub(super) fn statement(request: &Request) -> String {
    match request.engine {
        Engine::Athena => athena(request),
        Engine::DuckDb => duckdb(request),
        Engine::Spark => spark(request),
    }
}

fn hive_columns() -> Vec<String> {
    COLUMNS.iter().map(|column| format!("  `{}` {}", column.name, column.holds().hive())).collect()
}

fn keys_as_columns(partitioning: Partitioning) -> Vec<String> {
    partitioning.keys().iter().map(|key| format!("`{key}` string")).collect()
}

fn athena(request: &Request) -> String {
    let Request { location, table, partitioning, .. } = request;
    let folders: Vec<String> = partitioning.keys().iter().map(|key| format!("{key}=${{{key}}}/")).collect();
    let mut properties = vec![
        ("projection.enabled".to_owned(), "true".to_owned()),
        ("projection.event_date.type".to_owned(), "date".to_owned()),
        ("projection.event_date.format".to_owned(), "yyyy-MM-dd".to_owned()),
        ("projection.event_date.range".to_owned(), format!("{FIRST_DAY},{LAST_DAY}")),
        ("projection.event_date.interval".to_owned(), "1".to_owned()),
        ("projection.event_date.interval.unit".to_owned(), "DAYS".to_owned()),
    ];
    if *partitioning == Partitioning::DateAccountRegion {
        let accounts: Vec<&str> = request.accounts.iter().map(|account| account.as_str()).collect();
        let regions: Vec<&str> = request.regions.iter().map(|region| region.as_str()).collect();
        for (key, values) in [("account", accounts), ("region", regions)] {
            properties.push((format!("projection.{key}.type"), "enum".to_owned()));
            properties.push((format!("projection.{key}.values"), values.join(",")));
        }
    }
    properties.push(("storage.location.template".to_owned(), format!("{location}/events/{}", folders.concat())));
    let properties: Vec<String> = properties.iter().map(|(key, value)| format!("  '{key}' = '{value}'")).collect();
    format!(
        "-- The table, one row a record. Athena runs one statement at a time.\n\
         -- Days are found by name: those before {FIRST_DAY} or after tomorrow are not looked at.\n\
         CREATE EXTERNAL TABLE `{table}` (\n{}\n)\n\
         PARTITIONED BY ({})\n\
         STORED AS PARQUET\n\
         LOCATION '{location}/events/'\n\
         TBLPROPERTIES (\n{}\n);\n",
        hive_columns().join(",\n"),
        keys_as_columns(*partitioning).join(", "),
        properties.join(",\n"),
    )
}

fn duckdb(request: &Request) -> String {
    let Request { location, table, partitioning, .. } = request;
    let names = COLUMNS.iter().map(|column| {
        let name = double_quoted(column.name);
        match column.holds() {
            ColumnType::Time => format!("  {name} AT TIME ZONE 'UTC' AS {name}"),
            _ => format!("  {name}"),
        }
    });
    let columns: Vec<String> =
        names.chain(partitioning.keys().iter().map(|key| format!("  {}", double_quoted(key)))).collect();
    let folders: Vec<String> = partitioning.keys().iter().map(|key| format!("{key}=*/")).collect();
    let types: Vec<String> = partitioning.keys().iter().map(|key| format!("'{key}': VARCHAR")).collect();
    format!(
        "-- The table, one row a record, read where it lies. Times are in UTC, whatever the session's zone.\n\
         CREATE VIEW {} AS\n\
         SELECT\n{}\n\
         FROM read_parquet(\n  \
           '{location}/events/{}*.parquet',\n  \
           hive_partitioning = true,\n  \
           hive_types = {{{}}}\n\
         );\n",
        double_quoted(table),
        columns.join(",\n"),
        folders.concat(),
        types.join(", "),
    )
}

fn spark(request: &Request) -> String {
    let Request { location, table, partitioning, .. } = request;
    let keys = keys_as_columns(*partitioning).into_iter().map(|key| format!("  {key}"));
    let columns: Vec<String> = hive_columns().into_iter().chain(keys).collect();
    format!(
        "-- The table, one row a record, for this session: its folders are found without MSCK or a metastore.\n\
         -- Times are moments: SET TIME ZONE 'UTC' shows and compares them as CloudTrail writes them.\n\
         CREATE TEMPORARY VIEW `{table}` (\n{}\n)\n\
         USING parquet\n\
         OPTIONS (path '{location}/events');\n",
        columns.join(",\n"),
    )
}
