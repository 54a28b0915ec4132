//! Every record can be had back from its row: the same JSON, numbers by their spelling.

#![allow(clippy::use_self, reason = "the derived traits of a type that holds itself")]

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use crate::support::{table, unpacked};
use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::TimestampMillisecondType;
use jiff::Timestamp;
use proptest::prelude::*;
use serde_json::value::RawValue;
use trailproof_table::columns::schema::{COLUMNS, Fill, RESOURCE};
use trailproof_table::columns::{RowBuilder, Source};
use trailproof_table::event::{Entry, Field, Recall, Records, Scope};

/// JSON in which numbers are compared by spelling and members by name, several of one name in order.
#[derive(Debug, Clone, PartialEq)]
enum Json {
    Atom(String),
    Text(String),
    List(Vec<Json>),
    Object(BTreeMap<String, Vec<Json>>),
}

fn json(text: &str) -> Json {
    let text = text.trim();
    match text.as_bytes()[0] {
        b'"' => serde_json::from_str(text).map_or_else(|_| Json::Atom(text.to_owned()), Json::Text),
        b'[' => Json::List(
            serde_json::from_str::<Vec<&RawValue>>(text).unwrap().iter().map(|raw| json(raw.get())).collect(),
        ),
        b'{' => Json::Object(members(text)),
        _ => Json::Atom(text.to_owned()),
    }
}

fn members(text: &str) -> BTreeMap<String, Vec<Json>> {
    struct Members(BTreeMap<String, Vec<Json>>);
    impl<'de> serde::Deserialize<'de> for Members {
        fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
            struct Visitor;
            impl<'de> serde::de::Visitor<'de> for Visitor {
                type Value = Members;
                fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                    f.write_str("an object")
                }
                fn visit_map<A: serde::de::MapAccess<'de>>(self, mut map: A) -> Result<Members, A::Error> {
                    let mut members: BTreeMap<String, Vec<Json>> = BTreeMap::new();
                    while let Some((key, value)) = map.next_entry::<String, &RawValue>()? {
                        members.entry(key).or_default().push(json(value.get()));
                    }
                    Ok(Members(members))
                }
            }
            deserializer.deserialize_map(Visitor)
        }
    }
    serde_json::from_str::<Members>(text).unwrap().0
}

/// The path of a field's value in a record.
fn path(field: Field) -> Vec<&'static str> {
    let above: &[&str] = match field.scope() {
        Scope::Record => &[],
        Scope::UserIdentity => &["userIdentity"],
        Scope::SessionContext => &["userIdentity", "sessionContext"],
        Scope::SessionIssuer => &["userIdentity", "sessionContext", "sessionIssuer"],
        Scope::SessionAttributes => &["userIdentity", "sessionContext", "attributes"],
        Scope::WebIdFederation => &["userIdentity", "sessionContext", "webIdFederationData"],
        Scope::OnBehalfOf => &["userIdentity", "onBehalfOf"],
        Scope::TlsDetails => &["tlsDetails"],
        Scope::TimeWindow => &["timeWindow"],
    };
    above.iter().copied().chain([field.name()]).collect()
}

fn put(object: &mut BTreeMap<String, Vec<Json>>, path: &[&str], value: Json) {
    let (first, rest) = path.split_first().unwrap();
    let values = object.entry((*first).to_owned()).or_default();
    if rest.is_empty() {
        values.push(value);
        return;
    }
    if values.is_empty() {
        values.push(Json::Object(BTreeMap::new()));
    }
    let Some(Json::Object(inner)) = values.first_mut() else { panic!("{path:?} is no object") };
    put(inner, rest, value);
}

/// Puts what `extra_json` holds beside what the columns gave.
fn merge(object: &mut BTreeMap<String, Vec<Json>>, extra: BTreeMap<String, Vec<Json>>) {
    for (key, values) in extra {
        let from_columns = object.contains_key(&key);
        for value in values {
            match (object.get_mut(&key).and_then(|there| there.first_mut()), value) {
                (Some(Json::Object(there)), Json::Object(more)) if from_columns => merge(there, more),
                (_, value) => object.entry(key.clone()).or_default().push(value),
            }
        }
    }
}

/// The record that a row stands for.
fn rebuilt(batch: &RecordBatch, row: usize) -> Json {
    let mut object = BTreeMap::new();
    let extra = batch.column_by_name("extra_json").unwrap().as_string::<i32>();
    let extra = if extra.is_valid(row) { members(extra.value(row)) } else { BTreeMap::new() };
    if let Some(whole) = extra.get("trailproof:record") {
        return whole[0].clone();
    }
    // Aggregated events lend their values to columns of other names; those stand in extra_json too.
    let lent = |name: &str, from: &str| extra.contains_key(from) && !extra.contains_key(name);
    for (column, array) in COLUMNS.iter().zip(batch.columns()) {
        let (field, value) = match column.fill {
            _ if array.is_null(row) => continue,
            Fill::Text(Field::EventId) if lent("eventID", "eventId") => continue,
            Fill::Text(Field::RecipientAccountId) if lent("recipientAccountId", "accountId") => continue,
            Fill::Time(field) if extra.contains_key(field.name()) || lent("eventTime", "timeWindow") => continue,
            Fill::Text(field) => (field, Json::Text(array.as_string::<i32>().value(row).to_owned())),
            Fill::Flag(field) => (field, Json::Atom(array.as_boolean().value(row).to_string())),
            Fill::FlagText(field) => (field, Json::Text(array.as_boolean().value(row).to_string())),
            Fill::Json(field) => (field, json(array.as_string::<i32>().value(row))),
            Fill::Time(field) => {
                let millis = array.as_primitive::<TimestampMillisecondType>().value(row);
                (field, Json::Text(Timestamp::from_millisecond(millis).unwrap().to_string()))
            }
            Fill::Resources => (Field::Resources, resources(&array.as_list::<i32>().value(row))),
            Fill::Omitted | Fill::Extra | Fill::From(_) => continue,
        };
        put(&mut object, &path(field), value);
    }
    merge(&mut object, extra);
    Json::Object(object)
}

fn resources(list: &dyn Array) -> Json {
    let structs = list.as_struct();
    let element = |row: usize| {
        let given = RESOURCE.iter().zip(structs.columns()).filter(|(_, column)| column.is_valid(row));
        let members = given.map(|(member, column)| {
            (member.key.to_owned(), vec![Json::Text(column.as_string::<i32>().value(row).to_owned())])
        });
        Json::Object(members.collect())
    };
    Json::List((0..structs.len()).map(element).collect())
}

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

/// Compares every record of a log with what its row gives back; answers how many there were.
fn check(content: &[u8]) -> usize {
    let mut builder = RowBuilder::new(true);
    let mut sources = Vec::new();
    let mut recall = Recall::default();
    let mut walker = Records::new(content, &mut recall);
    while let Some(entry) = walker.next_entry() {
        match entry {
            Entry::Record(record) => {
                sources.push(record.text.to_owned());
                builder.append(&record, &SOURCE);
            }
            Entry::Malformed(malformed) => builder.append_malformed(&malformed, &SOURCE),
        }
    }
    builder.end_log(&SOURCE);
    let batches = table::read(table::parquet_file(&builder));
    let mut expected = sources.iter();
    for batch in &batches {
        let raw = batch.column_by_name("raw_json").unwrap().as_string::<i32>();
        for row in (0..batch.num_rows()).filter(|&row| raw.is_valid(row)) {
            let source = expected.next().unwrap();
            assert_eq!(raw.value(row), source);
            assert_eq!(rebuilt(batch, row), json(source), "{source}");
        }
    }
    assert_eq!(expected.next(), None);
    sources.len()
}

fn check_folder(folder: &Path) -> usize {
    let mut records = 0;
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            records += check_folder(&path);
        } else if path.to_string_lossy().contains("/CloudTrail/") {
            let mut content = Default::default();
            trailproof_proof::gunzip::inflate(&fs::read(&path).unwrap(), 1 << 30, &mut content);
            records += check(&content);
        }
    }
    records
}

#[test]
fn no_record_of_the_test_archive_loses_anything() {
    assert_eq!(check_folder(&Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/clean/bucket")), 276);
}

mod needs_shared {
    use super::*;

    #[test]
    #[ignore = "needs ../shared"]
    fn no_record_of_the_real_archives_loses_anything() {
        for (archive, records) in [("org-archive", 57_600), ("sans-504", 30_477)] {
            let unpacked = unpacked(archive);
            assert_eq!(check_folder(&unpacked.path().join("bucket")), records, "{archive}");
        }
    }
}

#[test]
fn irregular_records_lose_nothing() {
    for record in [
        r#"{}"#,
        r#"{"eventTime":"2026-01-02T03:04:05Z","readOnly":"true","managementEvent":null}"#,
        r#"{"eventTime":"2026-01-02T03:04:05.6789+01:00"}"#,
        r#"{"eventTime":"yesterday","eventVersion":1.08}"#,
        r#"{"userIdentity":null,"tlsDetails":{}}"#,
        r#"{"userIdentity":{"sessionContext":{"sessionIssuer":{},"webIdFederationData":{},"attributes":{"mfaAuthenticated":"maybe"}}}}"#,
        r#"{"userIdentity":{"type":"Root","new":{"a":[1.0,1e5,-0]},"sessionContext":{"x:y":1}}}"#,
        r#"{"requestParameters":"text","responseElements":null,"additionalEventData":[1,2.50]}"#,
        r#"{"requestParameters":{"tag":1,"Tag":2,"n":243.0,"m":1.688560107857E9}}"#,
        r#"{"resources":["arn",{"ARN":"a"}]}"#,
        r#"{"resources":[{"ARNPrefix":"p","type":"t"},{}]}"#,
        r#"{"resources":null,"resourcesX":1}"#,
        r#"{"eventName":"a","eventName":"b"}"#,
        r#"{"userIdentity":{"arn":"a"},"userIdentity":{"arn":"b"}}"#,
        r#"{"trailproof:record":{"eventName":"x"},"eventName":"y"}"#,
        r#"{"eventVersion":"1.0","accountId":"111122223333","eventId":"e","timeWindow":{"windowStart":"2026-01-02T03:00:00Z","windowEnd":"2026-01-02T03:05:00Z"},"summary":{}}"#,
        r#"{"eventId":"e","eventID":"f","accountId":7,"recipientAccountId":"1"}"#,
        r#"{"userAgent":"tab\tquote\"\u00e9\ud83d\ude00 \ud800 end"}"#,
        r#"{"event\u004eame":"escaped key","new\u0041":1}"#,
        r#"{"sessionCredentialFromConsole":"true","eventName":{"an":"object"}}"#,
    ] {
        assert_eq!(check(format!("{{\"Records\":[{record}]}}").as_bytes()), 1, "{record}");
    }
}

/// Any JSON value, spelled.
fn any_json() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        Just("null".to_owned()),
        any::<bool>().prop_map(|b| b.to_string()),
        any::<i64>().prop_map(|n| n.to_string()),
        (any::<i16>(), 0_u8..4).prop_map(|(n, zeros)| format!(
            "{n}.{}5{}",
            "0".repeat(zeros.into()),
            "0".repeat(zeros.into())
        )),
        "[0-9]E-?[0-9]".prop_map(|n| n),
        "\\PC{0,12}".prop_map(|text| serde_json::to_string(&text).unwrap()),
        Just("\"true\"".to_owned()),
        Just("\"2026-01-02T03:04:05Z\"".to_owned()),
        Just("\"\\ud800\"".to_owned()),
    ];
    leaf.prop_recursive(3, 24, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(|list| format!("[{}]", list.join(","))),
            prop::collection::vec((any_key(), inner), 0..5).prop_map(|members| object(&members)),
        ]
    })
}

fn any_key() -> impl Strategy<Value = String> {
    let known: Vec<String> = Field::ALL.iter().skip(1).map(|field| field.name().to_owned()).collect();
    prop_oneof![3 => prop::sample::select(known), 1 => "[a-zA-Z:.-]{0,6}", 1 => Just("trailproof:record".to_owned())]
}

fn object(members: &[(String, String)]) -> String {
    let spelled: Vec<String> =
        members.iter().map(|(key, value)| format!("{}:{value}", serde_json::to_string(key).unwrap())).collect();
    format!("{{{}}}", spelled.join(","))
}

proptest! {
    #[test]
    fn no_record_loses_anything_whatever_it_holds(members in prop::collection::vec((any_key(), any_json()), 0..12)) {
        let record = object(&members);
        prop_assert_eq!(check(format!("{{\"Records\":[{record}]}}").as_bytes()), 1);
    }

    #[test]
    fn no_bytes_panic_and_none_are_lost(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        check(&bytes);
    }
}
