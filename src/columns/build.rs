//! Fills the columns, one record at a time.

use std::borrow::Cow;
use std::sync::Arc;

use arrow::array::{
    ArrayBuilder, ArrayRef, BinaryBuilder, BooleanBuilder, Int64Builder, ListBuilder, RecordBatch, StringBuilder,
    StructBuilder, TimestampMillisecondBuilder,
};
use arrow::datatypes::Field as ArrowField;
use memchr::memmem;

use super::extra;
use super::schema::{self, COLUMNS, Fill, Origin};
use super::value;
use crate::event::{Field, Malformed, Member, Record};

/// Where rows come from: the same for every row of a log.
#[derive(Debug, Clone, Copy)]
pub struct Source<'a> {
    /// Organization in the key.
    pub org: Option<&'a str>,
    /// Account in the key.
    pub account: &'a str,
    /// Region in the key.
    pub region: &'a str,
    /// Object key.
    pub key: &'a str,
    /// SHA-256 of the log's content, hex.
    pub sha256: &'a str,
    /// Key of the digest that lists the log.
    pub digest: Option<&'a str>,
    /// What verification said of the log.
    pub integrity: &'a str,
    /// Days since 1970 of the log's folder: the partition of rows that have no time of their own.
    pub day: i32,
}

/// Bytes that a row takes in every column, whatever it holds: an offset and the bits that tell nulls.
const BYTES_PER_COLUMN: usize = 5;

impl Source<'_> {
    /// Bytes that a row takes for saying where it came from, and for being a row.
    fn held_bytes(&self) -> usize {
        let texts = [self.key, self.sha256, self.digest.unwrap_or_default(), self.account, self.region];
        texts.iter().map(|text| text.len()).sum::<usize>() + COLUMNS.len() * BYTES_PER_COLUMN
    }
}

/// Finished rows.
#[derive(Debug)]
pub struct Rows {
    /// The columns.
    pub batch: RecordBatch,
    /// For each row, days since 1970 of its event.
    pub days: Vec<i32>,
}

enum Builder {
    Text(StringBuilder),
    Flag(BooleanBuilder),
    Time(TimestampMillisecondBuilder),
    Number(Int64Builder),
    Bytes(BinaryBuilder),
    Resources(ListBuilder<StructBuilder>),
}

/// Collects rows.
pub struct RowBuilder {
    builders: Vec<Builder>,
    days: Vec<i32>,
    fills: [Option<Fill>; Field::ALL.len()],
    extra: String,
    keeps_raw: bool,
    held_bytes: usize,
    omitted: memmem::Finder<'static>,
}

const MILLIS_PER_DAY: i64 = 86_400_000;

impl RowBuilder {
    /// An empty builder; `keeps_raw` also keeps each record's exact bytes.
    pub fn new(keeps_raw: bool) -> Self {
        let builder = |column: &schema::Column| match column.fill {
            Fill::Text(_) | Fill::Json(_) | Fill::Extra => Builder::Text(StringBuilder::new()),
            Fill::Flag(_) | Fill::FlagText(_) | Fill::Omitted => Builder::Flag(BooleanBuilder::new()),
            Fill::Time(_) => Builder::Time(TimestampMillisecondBuilder::new().with_timezone("UTC")),
            Fill::Resources => {
                let element = StructBuilder::from_fields(schema::resource_fields(), 0);
                let field =
                    ArrowField::new("element", arrow::datatypes::DataType::Struct(schema::resource_fields()), true);
                Builder::Resources(ListBuilder::new(element).with_field(field))
            }
            Fill::From(Origin::Index) => Builder::Number(Int64Builder::new()),
            Fill::From(Origin::MalformedRaw) => Builder::Bytes(BinaryBuilder::new()),
            Fill::From(_) => Builder::Text(StringBuilder::new()),
        };
        Self {
            builders: COLUMNS.iter().map(builder).collect(),
            days: Vec::new(),
            fills: extra::fills(),
            extra: String::new(),
            keeps_raw,
            held_bytes: 0,
            omitted: memmem::Finder::new("\"omitted\""),
        }
    }

    /// Bytes that the rows take in memory, roughly.
    pub fn held_bytes(&self) -> usize {
        self.held_bytes
    }

    /// Rows so far.
    pub fn len(&self) -> usize {
        self.days.len()
    }

    /// Whether there is no row.
    pub fn is_empty(&self) -> bool {
        self.days.is_empty()
    }

    /// Adds a record.
    pub fn append(&mut self, record: &Record<'_, '_>, source: &Source<'_>) {
        let mut slots: [Option<&Member>; Field::ALL.len()] = [None; Field::ALL.len()];
        for member in record.members {
            let slot = &mut slots[member.field as usize];
            if slot.is_none() {
                *slot = Some(member);
            }
        }
        stand_in(&mut slots);
        extra::write(record, &self.fills, &mut self.extra);
        let time = slots[Field::EventTime as usize]
            .and_then(|member| value::time(member.kind, record.value(member)))
            .map(|(millis, _)| millis);
        let mut is_omitted = false;
        for (column, builder) in COLUMNS.iter().zip(&mut self.builders) {
            match (column.fill, builder) {
                (Fill::Text(field), Builder::Text(texts)) => {
                    let text = slots[field as usize].and_then(|m| value::text(m.kind, record.value(m)));
                    texts.append_option(text);
                }
                (Fill::Flag(field), Builder::Flag(flags)) => {
                    flags.append_option(slots[field as usize].and_then(|m| value::flag(m.kind)));
                }
                (Fill::FlagText(field), Builder::Flag(flags)) => {
                    flags.append_option(slots[field as usize].and_then(|m| value::flag_text(record.value(m))));
                }
                (Fill::Time(_), Builder::Time(times)) => times.append_option(time),
                (Fill::Json(field), Builder::Text(texts)) => {
                    let json = slots[field as usize].map(|m| record.value(m));
                    is_omitted |= json.is_some_and(|json| says_omitted(&self.omitted, json));
                    texts.append_option(json);
                }
                (Fill::Resources, Builder::Resources(lists)) => {
                    let resources =
                        slots[Field::Resources as usize].and_then(|m| value::resources(m.kind, record.value(m)));
                    append_resources(lists, resources);
                }
                (Fill::Omitted, Builder::Flag(flags)) => flags.append_value(is_omitted),
                (Fill::Extra, Builder::Text(texts)) => {
                    texts.append_option((!self.extra.is_empty()).then_some(self.extra.as_str()));
                }
                (Fill::From(Origin::RawJson), Builder::Text(texts)) => {
                    texts.append_option(self.keeps_raw.then_some(record.text));
                }
                (Fill::From(origin), builder) => append_origin(builder, origin, source, record.index),
                _ => unreachable!("builders are made from the same table of columns"),
            }
        }
        let day = time.and_then(|millis| i32::try_from(millis.div_euclid(MILLIS_PER_DAY)).ok());
        self.days.push(day.unwrap_or(source.day));
        self.held_bytes += record.text.len() + source.held_bytes();
    }

    /// Adds what is no record, with its bytes.
    pub fn append_malformed(&mut self, malformed: &Malformed<'_>, source: &Source<'_>) {
        for (column, builder) in COLUMNS.iter().zip(&mut self.builders) {
            match (column.fill, builder) {
                (Fill::From(Origin::MalformedRaw), Builder::Bytes(bytes)) => bytes.append_value(malformed.raw),
                (Fill::From(Origin::MalformedReason), Builder::Text(texts)) => {
                    texts.append_value(format!("{} at byte {}", malformed.defect, malformed.offset));
                }
                (Fill::From(origin), builder) => append_origin(builder, origin, source, malformed.index),
                (_, Builder::Text(texts)) => texts.append_null(),
                (_, Builder::Flag(flags)) => flags.append_null(),
                (_, Builder::Time(times)) => times.append_null(),
                (_, Builder::Number(numbers)) => numbers.append_null(),
                (_, Builder::Bytes(bytes)) => bytes.append_null(),
                (_, Builder::Resources(lists)) => lists.append_null(),
            }
        }
        self.days.push(source.day);
        self.held_bytes += malformed.raw.len() + source.held_bytes();
    }

    /// Takes the rows out; the builder is empty again.
    pub fn finish(&mut self) -> Rows {
        let finished = self.builders.iter_mut().map(|builder| -> ArrayRef {
            match builder {
                Builder::Text(texts) => Arc::new(texts.finish()),
                Builder::Flag(flags) => Arc::new(flags.finish()),
                Builder::Time(times) => Arc::new(times.finish()),
                Builder::Number(numbers) => Arc::new(numbers.finish()),
                Builder::Bytes(bytes) => Arc::new(bytes.finish()),
                Builder::Resources(lists) => ArrayBuilder::finish(lists),
            }
        });
        let batch = RecordBatch::try_new(schema::schema(), finished.collect())
            .expect("the columns come from the same table as the schema and are of one length");
        self.held_bytes = 0;
        Rows { batch, days: std::mem::take(&mut self.days) }
    }
}

/// Fills the places of absent fields with those that stand in for them.
fn stand_in(slots: &mut [Option<&Member>; Field::ALL.len()]) {
    for (field, other) in extra::STAND_INS {
        if slots[field as usize].is_none() {
            slots[field as usize] = slots[other as usize];
        }
    }
}

/// Whether a value carries CloudTrail's mark for content left out: a member `omitted` that is true.
fn says_omitted(finder: &memmem::Finder<'_>, json: &str) -> bool {
    finder.find_iter(json.as_bytes()).any(|at| {
        let after = json[at + "\"omitted\"".len()..].trim_start();
        let value = after.strip_prefix(':').map(str::trim_start).unwrap_or_default();
        value.starts_with("true") || value.starts_with("\"true\"")
    })
}

fn append_resources(lists: &mut ListBuilder<StructBuilder>, resources: Option<Vec<value::Resource<'_>>>) {
    let Some(resources) = resources else {
        lists.append_null();
        return;
    };
    for resource in &resources {
        let element = lists.values();
        let members: [&Option<Cow<'_, str>>; 4] =
            [&resource.arn, &resource.arn_prefix, &resource.account_id, &resource.kind];
        for (at, member) in members.into_iter().enumerate() {
            let texts = element.field_builder::<StringBuilder>(at).expect("every member of a resource is a text");
            texts.append_option(member.as_deref());
        }
        element.append(true);
    }
    lists.append(true);
}

fn append_origin(builder: &mut Builder, origin: Origin, source: &Source<'_>, index: u64) {
    match (origin, builder) {
        (Origin::Index, Builder::Number(numbers)) => numbers.append_value(i64::try_from(index).unwrap_or(i64::MAX)),
        (Origin::MalformedRaw, Builder::Bytes(bytes)) => bytes.append_null(),
        (Origin::Org, Builder::Text(texts)) => texts.append_option(source.org),
        (Origin::Account, Builder::Text(texts)) => texts.append_value(source.account),
        (Origin::Region, Builder::Text(texts)) => texts.append_value(source.region),
        (Origin::Key, Builder::Text(texts)) => texts.append_value(source.key),
        (Origin::Sha256, Builder::Text(texts)) => texts.append_value(source.sha256),
        (Origin::Digest, Builder::Text(texts)) => texts.append_option(source.digest),
        (Origin::Integrity, Builder::Text(texts)) => texts.append_value(source.integrity),
        (Origin::MalformedReason | Origin::RawJson, Builder::Text(texts)) => texts.append_null(),
        _ => unreachable!("builders are made from the same table of columns"),
    }
}
