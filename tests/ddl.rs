//! The SQL of `ddl`, engine by engine. `.ci/engines` runs it on the engines.

use proptest::prelude::*;
use trailproof_table::columns::schema::COLUMNS;
use trailproof_table::ddl::{self, DdlError, Engine, Location, Request, TableName};
use trailproof_table::sink::Partitioning;

const ENGINES: [Engine; 3] = [Engine::Athena, Engine::DuckDb, Engine::Spark];

fn request(engine: Engine, partitioning: Partitioning) -> Request {
    Request {
        engine,
        location: "s3://lake/cloudtrail".parse().expect("a location"),
        table: "trailproof".parse().expect("a name"),
        view: "cloudtrail_logs".parse().expect("a name"),
        partitioning,
        accounts: vec!["025000000044".parse().expect("an account")],
        regions: vec!["eu-west-1".parse().expect("a Region")],
    }
}

#[test]
fn the_printed_sql_and_the_refusals_are_those_on_disk() {
    trycmd::TestCases::new().case("tests/ddl/*.toml");
}

#[test]
fn every_column_and_every_folder_is_in_every_table() {
    for engine in ENGINES {
        for partitioning in [Partitioning::Date, Partitioning::DateAccountRegion] {
            let sql = ddl::write(&request(engine, partitioning)).expect("SQL");
            let (table, _) = sql.split_once(";\n").expect("two statements");
            let quote = if engine == Engine::DuckDb { '"' } else { '`' };
            for name in COLUMNS.iter().map(|column| column.name).chain(partitioning.keys().iter().copied()) {
                assert!(table.contains(&format!("{quote}{name}{quote}")), "{engine:?}: {name}");
            }
        }
    }
}

#[test]
fn athena_is_told_every_account_and_region_or_nothing_is_written() {
    let missing = Request { accounts: Vec::new(), ..request(Engine::Athena, Partitioning::DateAccountRegion) };
    assert_eq!(ddl::write(&missing), Err(DdlError::NoLists));
    let by_date = Request { accounts: Vec::new(), regions: Vec::new(), ..request(Engine::Athena, Partitioning::Date) };
    assert!(ddl::write(&by_date).is_ok());
}

/// Whether a text means the same inside any quotes of any engine.
fn is_harmless(text: &str) -> bool {
    !text.contains(['\'', '"', '`', '\\', ';', '$', '{', '}', '*', '?', '[', ']', '\0', '\n', '\r'])
}

proptest! {
    #[test]
    fn no_location_ends_its_quotes_or_is_a_pattern(text in any::<String>(), tail in "[a-z'\"`;$\\\\*{\\[\n ]{0,4}") {
        for text in [format!("s3://{text}"), format!("s3://lake/{tail}"), text] {
            if let Ok(location) = text.parse::<Location>() {
                prop_assert!(is_harmless(&location.to_string()));
                for engine in ENGINES {
                    let sql = ddl::write(&Request { location: location.clone(), ..request(engine, Partitioning::Date) });
                    prop_assert!(sql.is_err() || sql.is_ok_and(|sql| sql.matches(';').count() == 2));
                }
            }
        }
    }

    #[test]
    fn names_are_plain_or_refused(text in any::<String>(), name in "[a-z_][a-z0-9_]{0,126}") {
        if let Ok(table) = text.parse::<TableName>() {
            prop_assert!(table.to_string().chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_'));
        }
        prop_assert_eq!(name.parse::<TableName>().map(|table| table.to_string()), Ok(name));
    }
}
