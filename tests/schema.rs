//! `docs/schema.md` describes the columns as they are.

use std::fs;
use std::path::Path;

use trailproof_table::columns::schema::{COLUMNS, Column, ColumnType, VERSION};

fn described_type(column: &Column) -> &'static str {
    match column.holds() {
        ColumnType::Text => "text",
        ColumnType::Json => "JSON text",
        ColumnType::Flag => "boolean",
        ColumnType::Time => "timestamp (ms, UTC)",
        ColumnType::Number => "integer (64 bit)",
        ColumnType::Bytes => "binary",
        ColumnType::Resources => "list of struct",
    }
}

#[test]
fn every_column_is_described_in_order_with_its_type() {
    let page =
        fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/schema.md")).expect("the page is there");
    let described: Vec<(String, String)> = page
        .lines()
        .filter_map(|line| {
            let mut cells = line.strip_prefix("| `")?.splitn(3, '|');
            let name = cells.next()?.trim().trim_end_matches('`').to_owned();
            Some((name, cells.next()?.trim().to_owned()))
        })
        .collect();
    let expected: Vec<(String, String)> =
        COLUMNS.iter().map(|column| (column.name.to_owned(), described_type(column).to_owned())).collect();
    assert_eq!(described, expected);
    assert!(page.starts_with(&format!("# The columns, schema {VERSION}\n")));
}
