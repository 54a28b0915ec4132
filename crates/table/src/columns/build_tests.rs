//! What is remembered of one record changes no other: each row is what its record makes by itself.

use proptest::prelude::*;

use super::*;
use crate::event::{Entry, Recall, Records};

const SOURCE: Source<'_> = Source {
    org: None,
    account: "111122223333",
    region: "us-east-1",
    key: "key",
    sha256: "hash",
    digest: None,
    integrity: "verified",
    day: 0,
};

/// A row, one text for each column that has a value.
type Row = Vec<(&'static str, String)>;

fn append(log: &str, builder: &mut RowBuilder, recall: &mut Recall) {
    let mut walker = Records::new(log.as_bytes(), recall);
    while let Some(entry) = walker.next_entry() {
        match entry {
            Entry::Record(record) => _ = builder.append(&record, &SOURCE),
            Entry::Malformed(malformed) => builder.append_malformed(&malformed, &SOURCE),
        }
    }
    builder.end_log(&SOURCE);
}

fn rows(builder: &RowBuilder) -> Vec<Row> {
    let rows = builder.rows();
    let text = |texts: &Texts, row| texts.key(row).map(|key| String::from_utf8_lossy(texts.text(key)).into_owned());
    let value = |values: &Values, row: u32| match values {
        Values::Texts(texts) => text(texts, row),
        Values::Flags(flags) => flags.get(row).map(|flag| flag.to_string()),
        Values::Numbers(numbers) => numbers.get(row).map(|number| number.to_string()),
        Values::Lists(lists) => lists.get(row).map(|elements| {
            let members = |at| (0..RESOURCE.len()).map(|member| text(lists.member(member), at)).collect::<Vec<_>>();
            format!("{:?}", elements.map(members).collect::<Vec<_>>())
        }),
    };
    let row = |(row, &day): (u32, &i32)| {
        let filled = builder.table.iter().zip(rows.columns).filter(|(column, _)| column.name != "source_index");
        let filled = filled.filter_map(|(column, values)| Some((column.name, value(values, row)?)));
        filled.chain([("day", day.to_string())]).collect()
    };
    (0..).zip(rows.days).map(row).collect()
}

/// The rows of each record by itself.
fn apart(records: &[String]) -> Vec<Row> {
    let alone = |record: &String| {
        let mut builder = RowBuilder::new(true);
        append(&format!("[{record}]"), &mut builder, &mut Recall::default());
        rows(&builder)
    };
    records.iter().flat_map(alone).collect()
}

fn together(logs: &[Vec<String>]) -> Vec<Row> {
    let (mut builder, mut recall) = (RowBuilder::new(true), Recall::default());
    logs.iter().for_each(|records| append(&format!("[{}]", records.join(",")), &mut builder, &mut recall));
    rows(&builder)
}

#[test]
fn the_same_object_means_something_else_under_another_key() {
    for objects in [
        [r#"{"userIdentity":{"type":"Root"}}"#, r#"{"tlsDetails":{"type":"Root"}}"#],
        [r#"{"tlsDetails":{"tlsVersion":"1"}}"#, r#"{"userIdentity":{"tlsVersion":"1"}}"#],
        [r#"{"userIdentity":{"new":1}}"#, r#"{"user\u0049dentity":{"new":1}}"#],
        [r#"{"userIdentity":{}}"#, r#"{"tlsDetails":{}}"#],
    ] {
        let records = objects.map(str::to_owned);
        let (first, second) = (vec![records[0].clone()], vec![records[1].clone()]);
        for logs in [[first.clone(), second.clone()], [second, first]] {
            assert_eq!(together(&logs), apart(&logs.concat()), "{logs:?}");
        }
    }
}

/// The table with columns more at its end, on fields that have columns already: of a record and of an object in it, as a text,
/// a truth value, a time, JSON and a list.
fn with_second_columns() -> &'static [Column] {
    let fills = [
        Fill::Text(Field::AwsRegion),
        Fill::Json(Field::AwsRegion),
        Fill::Time(Field::EventTime),
        Fill::Flag(Field::ReadOnly),
        Fill::Json(Field::RequestParameters),
        Fill::Resources,
        Fill::Text(Field::UserArn),
        Fill::FlagText(Field::SessionMfaAuthenticated),
        Fill::Text(Field::EventId),
    ];
    let again = |(at, &fill): (usize, &Fill)| {
        let first = COLUMNS.iter().find(|column| column.fill == fill).unwrap_or(&COLUMNS[0]);
        Column { name: SECOND[at], fill, ..*first }
    };
    let table: Vec<Column> = COLUMNS.iter().copied().chain(fills.iter().enumerate().map(again)).collect();
    Vec::leak(table)
}

const SECOND: [&str; 9] = ["text", "json", "time", "flag", "json 2", "list", "inner text", "inner flag", "event"];

#[test]
fn a_field_fills_every_column_that_is_made_from_it() {
    let record = r#"{"awsRegion":"eu-west-1","eventTime":"2026-01-02T03:04:05Z","readOnly":true,"resources":[{"ARN":"a"}],
        "requestParameters":{"a":1},"userIdentity":{"arn":"r","sessionContext":{"attributes":{"mfaAuthenticated":"true"}}},
        "eventID":"e"}"#;
    // The second of the same records has its userIdentity from memory.
    let log = format!("[{record},{record}]");
    let (mut builder, mut plain) = (RowBuilder::of(with_second_columns(), false), RowBuilder::new(false));
    append(&log, &mut builder, &mut Recall::default());
    append(&log, &mut plain, &mut Recall::default());
    let more = [
        ("text", "eu-west-1"),
        ("json", "\"eu-west-1\""),
        ("time", "1767323045000"),
        ("flag", "true"),
        ("json 2", r#"{"a":1}"#),
        ("list", r#"[[Some("a"), None, None, None]]"#),
        ("inner text", "r"),
        ("inner flag", "true"),
        ("event", "e"),
    ];
    let mut expected = rows(&plain);
    for row in &mut expected {
        let day = row.pop().expect("every row has a day");
        row.extend(more.map(|(name, value)| (name, value.to_owned())));
        row.push(day);
    }
    assert_eq!(rows(&builder), expected);
}

#[test]
fn a_value_that_one_of_its_columns_gives_back_does_not_stand_in_extra_json_as_well() {
    let mut builder = RowBuilder::of(with_second_columns(), false);
    append(r#"[{"awsRegion":null,"readOnly":"no"}]"#, &mut builder, &mut Recall::default());
    let row = &rows(&builder)[0];
    let value = |name| row.iter().find(|(column, _)| *column == name).map(|(_, value)| value.as_str());
    assert_eq!((value("aws_region"), value("text"), value("json")), (None, None, Some("null")));
    assert_eq!(value("extra_json"), Some(r#"{"readOnly":"no"}"#));
}

#[test]
fn a_field_that_stands_in_for_another_fills_every_column_of_the_other() {
    let mut builder = RowBuilder::of(with_second_columns(), false);
    append(r#"[{"eventId":"aggregated"}]"#, &mut builder, &mut Recall::default());
    let row = &rows(&builder)[0];
    let value = |name| row.iter().find(|(column, _)| *column == name).map(|(_, value)| value.as_str());
    assert_eq!((value("event_id"), value("event")), (Some("aggregated"), Some("aggregated")));
}

#[test]
fn a_row_strays_no_further_from_its_log_than_31_days_back_and_one_ahead() {
    const DAY: i64 = MILLIS_PER_DAY;
    for (millis, expected) in [
        (None, (100, Dated::Itself)),
        (Some(100 * DAY), (100, Dated::Itself)),
        (Some(69 * DAY), (69, Dated::Itself)),
        (Some(69 * DAY - 1), (100, Dated::ByItsLog)),
        (Some(102 * DAY - 1), (101, Dated::Itself)),
        (Some(102 * DAY), (100, Dated::ByItsLog)),
        (Some(i64::MIN), (100, Dated::ByItsLog)),
        (Some(i64::MAX), (100, Dated::ByItsLog)),
    ] {
        assert_eq!(day_of(millis, 100), expected, "{millis:?}");
    }
}

/// An object that stands in several places, as members of a record.
fn member() -> impl Strategy<Value = String> {
    let key = prop::sample::select(vec![
        "userIdentity",
        "tlsDetails",
        "user\\u0049dentity",
        "tls\\u0044etails",
        "timeWindow",
        "requestParameters",
        "sessionContext",
        "other",
    ]);
    let part = prop::sample::select(vec![
        r#""type":"Root""#,
        r#""type":null"#,
        r#""t\u0079pe":"Root""#,
        r#""arn":"a}b""#,
        r#""accountId":"1""#,
        r#""tlsVersion":"1""#,
        r#""windowStart":"2026-01-02T03:04:05Z""#,
        r#""sessionContext":{"attributes":{"mfaAuthenticated":"true"},"x":1}"#,
        r#""sessionContext":{"sessionIssuer":{"type":"Root"}}"#,
        r#""onBehalfOf":{"userId":"u"}"#,
        r#""new":[1.0]"#,
        r#""trailproof:record":1"#,
    ]);
    (key, prop::collection::vec(part, 0..3)).prop_map(|(key, parts)| format!(r#""{key}":{{{}}}"#, parts.join(",")))
}

fn record() -> impl Strategy<Value = String> {
    prop::collection::vec(member(), 0..4).prop_map(|members| format!("{{{}}}", members.join(",")))
}

proptest! {
    #[test]
    fn records_together_make_the_rows_that_each_makes_by_itself(
        logs in prop::collection::vec(prop::collection::vec(record(), 0..6), 0..4),
    ) {
        prop_assert_eq!(together(&logs), apart(&logs.concat()));
    }
}
