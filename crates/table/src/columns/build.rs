//! Fills the columns, one record at a time.
//!
//! One walk over a record's members puts each into its column, or beside the columns: nothing is looked at twice. Columns
//! that a record says nothing of are not touched.

use std::ops::Range;

use memchr::memmem;

use super::extra::{self, STAND_INS, WHOLE};
use super::known::{Filled, KnownObjects, Stood};
use super::schema::{COLUMNS, Column, ColumnType, Fill, Origin, RESOURCE};
use super::value;
use super::values::{Flags, Lists, Numbers, Texts, Values};
use crate::event::{Field, Kind, Malformed, Member, Record, Scope};

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
    /// Days since 1970 of the log's folder: the partition of rows that have no time of their own, or one that strays
    /// further from this day than events do.
    pub day: i32,
}

/// Days by which an event may be older than its log's folder. CloudTrail delivers within minutes, and for some events late;
/// a record may claim any day, and each day is a file of its own.
const DAYS_BACK: i32 = 31;

/// Days by which it may be newer: clocks differ.
const DAYS_AHEAD: i32 = 1;

/// Whether a row lies under the day of its own time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dated {
    /// It does, or it has no time.
    Itself,
    /// Its time strays too far from its log's folder, so it lies under the folder's day.
    ByItsLog,
}

/// Bytes that a resource takes beside its texts, until it is encoded.
const BYTES_PER_RESOURCE: usize = 32;

/// Bytes that a row takes beside its texts: the numbers of its texts in the columns that it has.
const BYTES_PER_ROW: usize = 4 * COLUMNS.len();

/// Finished rows, in the order in which they came.
#[derive(Debug)]
pub struct Rows<'a> {
    /// The columns of [`COLUMNS`].
    pub columns: &'a [Values],
    /// For each row, days since 1970 of its event.
    pub days: &'a [i32],
}

/// Collects rows.
pub struct RowBuilder {
    table: &'static [Column],
    columns: Vec<Values>,
    days: Vec<i32>,
    targets: Targets,
    /// The position of each column that says where a row came from.
    origins: Origins,
    /// The first row of the log at hand.
    log_start: usize,
    extra: String,
    known: KnownObjects,
    keeps_raw: bool,
    held_bytes: usize,
    omitted: memmem::Finder<'static>,
}

/// A column that a field fills, and how.
#[derive(Debug, Clone, Copy)]
struct Target {
    column: usize,
    fill: Fill,
}

/// The columns that each field fills: none, one or more.
struct Targets {
    /// Those of one field beside each other.
    all: Vec<Target>,
    of: [(u16, u16); Field::ALL.len()],
}

impl Targets {
    fn new(table: &[Column]) -> Self {
        let mut all = Vec::new();
        let of = std::array::from_fn(|at| {
            let start = all.len() as u16;
            let filled = table.iter().enumerate().filter(|(_, column)| column.fill.field() == Some(Field::ALL[at]));
            all.extend(filled.map(|(position, column)| Target { column: position, fill: column.fill }));
            (start, all.len() as u16)
        });
        Self { all, of }
    }

    #[inline]
    fn of(&self, field: Field) -> Range<usize> {
        let (start, end) = self.of[field as usize];
        start.into()..end.into()
    }
}

/// Positions of columns that are not filled from members.
struct Origins {
    omitted: usize,
    extra: usize,
    index: usize,
    malformed_raw: usize,
    malformed_reason: usize,
    raw: usize,
    /// Those that are the same for every row of a log, in the order of [`Source::texts`].
    of_log: [usize; 7],
}

impl Source<'_> {
    /// What is the same for every row of a log.
    fn texts(&self) -> [Option<&str>; 7] {
        [
            self.org,
            Some(self.account),
            Some(self.region),
            Some(self.key),
            Some(self.sha256),
            self.digest,
            Some(self.integrity),
        ]
    }
}

const MILLIS_PER_DAY: i64 = 86_400_000;

/// The day that a row lies under, from its own time and the day of its log's folder.
fn day_of(millis: Option<i64>, folder: i32) -> (i32, Dated) {
    let Some(millis) = millis else { return (folder, Dated::Itself) };
    let near = folder.saturating_sub(DAYS_BACK)..=folder.saturating_add(DAYS_AHEAD);
    match i32::try_from(millis.div_euclid(MILLIS_PER_DAY)) {
        Ok(day) if near.contains(&day) => (day, Dated::Itself),
        _ => (folder, Dated::ByItsLog),
    }
}

/// What one walk over a record's members came to.
#[derive(Default)]
struct Walk {
    /// One bit for each field that was met.
    seen: u128,
    /// Two values for one key, or a key that means something to `extra_json` itself.
    must_stand_whole: bool,
    is_omitted: bool,
    millis: Option<i64>,
}

impl RowBuilder {
    /// An empty builder; `keeps_raw` also keeps each record's exact bytes.
    pub fn new(keeps_raw: bool) -> Self {
        Self::of(COLUMNS, keeps_raw)
    }

    fn of(table: &'static [Column], keeps_raw: bool) -> Self {
        let of = |fill: Fill| table.iter().position(|column| column.fill == fill).expect("the table has such a column");
        let from = |origin| of(Fill::From(origin));
        let origins = Origins {
            omitted: of(Fill::Omitted),
            extra: of(Fill::Extra),
            index: from(Origin::Index),
            malformed_raw: from(Origin::MalformedRaw),
            malformed_reason: from(Origin::MalformedReason),
            raw: from(Origin::RawJson),
            of_log: [
                Origin::Org,
                Origin::Account,
                Origin::Region,
                Origin::Key,
                Origin::Sha256,
                Origin::Digest,
                Origin::Integrity,
            ]
            .map(from),
        };
        Self {
            table,
            columns: table.iter().map(empty_column).collect(),
            days: Vec::new(),
            targets: Targets::new(table),
            origins,
            log_start: 0,
            extra: String::new(),
            known: KnownObjects::default(),
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

    /// Adds a record. Every log's rows are ended with [`end_log`](Self::end_log).
    pub fn append(&mut self, record: &Record<'_, '_>, source: &Source<'_>) -> Dated {
        let mut walk = Walk::default();
        self.extra.clear();
        self.extra.push('{');
        self.take_members(record, record.members, &mut walk);
        self.take_stand_ins(record, &mut walk);
        let row = self.days.len();
        if walk.must_stand_whole {
            self.extra.clear();
            self.extra.extend(["{\"", WHOLE, "\":", record.text]);
        }
        if self.extra.len() > 1 {
            self.extra.push('}');
            text_column(&mut self.columns[self.origins.extra]).set(row, self.extra.as_bytes());
        }
        flag_column(&mut self.columns[self.origins.omitted]).set(row, walk.is_omitted);
        if self.keeps_raw {
            text_column(&mut self.columns[self.origins.raw]).set(row, record.text.as_bytes());
        }
        let copies = 1 + usize::from(self.keeps_raw);
        let (day, dated) = day_of(walk.millis, source.day);
        self.end_row(record.index, day, record.text.len() * copies + self.extra.len());
        dated
    }

    /// Adds what is no record, with its bytes.
    pub fn append_malformed(&mut self, malformed: &Malformed<'_>, source: &Source<'_>) {
        let row = self.days.len();
        let reason = format!("{} at byte {}", malformed.defect, malformed.offset);
        text_column(&mut self.columns[self.origins.malformed_raw]).set(row, malformed.raw);
        text_column(&mut self.columns[self.origins.malformed_reason]).set(row, reason.as_bytes());
        self.end_row(malformed.index, source.day, malformed.raw.len());
    }

    fn end_row(&mut self, index: u64, day: i32, bytes: usize) {
        let index = i64::try_from(index).unwrap_or(i64::MAX);
        number_column(&mut self.columns[self.origins.index]).set(self.days.len(), index);
        self.days.push(day);
        self.held_bytes += bytes + BYTES_PER_ROW;
    }

    /// Says where the rows since the last call came from.
    pub fn end_log(&mut self, source: &Source<'_>) {
        let rows = self.log_start..self.days.len();
        self.log_start = rows.end;
        if rows.is_empty() {
            return;
        }
        for (&column, text) in self.origins.of_log.iter().zip(source.texts()) {
            if let Some(text) = text {
                let texts = text_column(&mut self.columns[column]);
                let number = texts.number(text.as_bytes());
                texts.set_rows(rows.clone(), number);
                self.held_bytes += text.len();
            }
        }
    }

    /// The rows so far. Those of a log that was not ended say nothing of where they came from.
    pub fn rows(&self) -> Rows<'_> {
        Rows { columns: &self.columns, days: &self.days }
    }

    /// Takes every row out; what was allocated stays, for the rows to come, if that is `most` bytes or less: rows may fill
    /// one column now and another then.
    pub fn clear(&mut self, most: usize) {
        if self.extra.capacity() + self.columns.iter().map(Values::touched).sum::<usize>() > most {
            self.extra = String::new();
            self.columns = self.table.iter().map(empty_column).collect();
        }
        self.columns.iter_mut().for_each(Values::clear);
        self.days.clear();
        self.known.clear();
        self.log_start = 0;
        self.held_bytes = 0;
    }

    /// Puts members into their columns and the rest beside them; answers whether columns hold any of them.
    fn take_members(&mut self, record: &Record<'_, '_>, members: &[Member], walk: &mut Walk) -> bool {
        let mut any_held = false;
        let mut rest = members;
        while let Some((member, after)) = rest.split_first() {
            let (inner, after) = after.split_at(member.inner());
            rest = after;
            let again = walk.note(record, member);
            if extra::is_flattened(member) {
                any_held |= match member.field.scope() {
                    Scope::Record => self.take_outer_object(record, member, inner, walk),
                    _ => self.take_object(record, member, inner, walk),
                };
                continue;
            }
            // Of two values for one key, the first stands in the column; both stand in the record that is kept whole.
            if !again && self.take(record, member, member.field, walk) {
                any_held = true;
                continue;
            }
            for inner in inner {
                walk.note(record, inner);
            }
            extra::write_key(record, member, &mut self.extra);
            self.extra.push_str(record.value(member));
        }
        any_held
    }

    /// Puts the members of an object of the record into their columns, as they were put before if the same object was met.
    fn take_outer_object(
        &mut self,
        record: &Record<'_, '_>,
        member: &Member,
        inner: &[Member],
        walk: &mut Walk,
    ) -> bool {
        let row = self.days.len();
        let stood = Stood { field: member.field, key: record.key(member), text: record.value(member) };
        if let Some(known) = self.known.find(stood)
            && walk.seen & known.seen == 0
        {
            walk.seen |= known.seen;
            for filled in known.filled {
                match *filled {
                    Filled::Text { column, number } => text_column(&mut self.columns[column]).set_number(row, number),
                    Filled::Flag { column, value } => flag_column(&mut self.columns[column]).set(row, value),
                }
            }
            if !known.beside.is_empty() {
                extra::separate(&mut self.extra);
                self.extra.push_str(known.beside);
            }
            return known.any_held;
        }
        let seen_before = walk.seen;
        let before = self.extra.len();
        let any_held = self.take_object(record, member, inner, walk);
        let seen = walk.seen & !seen_before;
        if !walk.must_stand_whole {
            let beside = self.extra[before..].trim_start_matches(',');
            let targets = inner.iter().flat_map(|member| &self.targets.all[self.targets.of(member.field)]);
            let filled = targets.filter_map(|&Target { column, .. }| match &self.columns[column] {
                Values::Texts(texts) => Some(Filled::Text { column, number: texts.key(row as u32)? }),
                Values::Flags(flags) => Some(Filled::Flag { column, value: flags.get(row as u32)? }),
                Values::Numbers(_) | Values::Lists(_) => None,
            });
            self.known.remember(stood, beside, filled, seen, any_held);
        }
        any_held
    }

    /// Puts the members of an object into their columns and the rest beside them, under the object's key.
    fn take_object(&mut self, record: &Record<'_, '_>, member: &Member, inner: &[Member], walk: &mut Walk) -> bool {
        let before = self.extra.len();
        extra::write_key(record, member, &mut self.extra);
        self.extra.push('{');
        let empty = self.extra.len();
        let any_held = self.take_members(record, inner, walk);
        if any_held && self.extra.len() == empty {
            self.extra.truncate(before);
        } else {
            self.extra.push('}');
        }
        any_held
    }

    /// Puts a member into the columns of a field; answers whether one of them alone gives the value back.
    fn take(&mut self, record: &Record<'_, '_>, member: &Member, field: Field, walk: &mut Walk) -> bool {
        let mut is_held = false;
        for at in self.targets.of(field) {
            is_held |= self.take_into(record, member, self.targets.all[at], walk);
        }
        is_held
    }

    /// Puts a member into a column; answers whether the column alone gives the value back.
    fn take_into(&mut self, record: &Record<'_, '_>, member: &Member, target: Target, walk: &mut Walk) -> bool {
        let row = self.days.len();
        let bytes = record.value_bytes(member);
        let spelled = || record.value(member);
        match (target.fill, &mut self.columns[target.column]) {
            (Fill::Text(_), Values::Texts(texts)) if member.kind == Kind::Plain => {
                texts.set(row, &bytes[1..bytes.len() - 1]);
            }
            (Fill::Text(_), Values::Texts(texts)) => match value::text(member.kind, spelled()) {
                Some(text) => texts.set(row, text.as_bytes()),
                None => return false,
            },
            (Fill::Json(_), Values::Texts(texts)) => {
                texts.set(row, bytes);
                walk.is_omitted |= bytes.len() > 4 && says_omitted(&self.omitted, spelled());
            }
            (Fill::Flag(_), Values::Flags(flags)) => match value::flag(member.kind) {
                Some(flag) => flags.set(row, flag),
                None => return false,
            },
            (Fill::FlagText(_), Values::Flags(flags)) => match value::flag_text(spelled()) {
                Some(flag) => flags.set(row, flag),
                None => return false,
            },
            (Fill::Time(_), Values::Numbers(times)) => match value::time(member.kind, spelled()) {
                Some((millis, is_canonical)) => {
                    times.set(row, millis);
                    walk.millis = Some(millis);
                    return is_canonical;
                }
                None => return false,
            },
            (Fill::Resources, Values::Lists(lists)) => match value::resources(spelled()) {
                Some(resources) => {
                    set_resources(lists, row, &resources);
                    self.held_bytes += resources.len() * BYTES_PER_RESOURCE;
                }
                None => return false,
            },
            _ => unreachable!("the columns are made from the same table"),
        }
        true
    }

    /// Fills the columns of absent fields with those that stand in for them, which stand in `extra_json` all the same.
    fn take_stand_ins(&mut self, record: &Record<'_, '_>, walk: &mut Walk) {
        for (field, other) in STAND_INS {
            if walk.seen & bit(other) == 0 {
                continue;
            }
            if walk.seen & bit(field) != 0 {
                walk.must_stand_whole = true;
                continue;
            }
            let member = record.members.iter().find(|member| member.field == other);
            if let Some(member) = member {
                self.take(record, member, field, walk);
            }
        }
    }
}

impl Walk {
    /// Notes that a member was met; answers whether its field was met before.
    fn note(&mut self, record: &Record<'_, '_>, member: &Member) -> bool {
        if member.field == Field::Unknown {
            self.must_stand_whole |= record.key(member) == WHOLE;
            return false;
        }
        let again = self.seen & bit(member.field) != 0;
        self.seen |= bit(member.field);
        self.must_stand_whole |= again;
        again
    }
}

fn bit(field: Field) -> u128 {
    1 << (field as u8)
}

fn empty_column(column: &Column) -> Values {
    match column.holds() {
        ColumnType::Text | ColumnType::Json | ColumnType::Bytes => Values::Texts(Texts::new(column.repeats)),
        ColumnType::Flag => Values::Flags(Flags::default()),
        ColumnType::Time | ColumnType::Number => Values::Numbers(Numbers::default()),
        ColumnType::Resources => Values::Lists(Lists::new(RESOURCE.len(), column.repeats)),
    }
}

fn text_column(values: &mut Values) -> &mut Texts {
    match values {
        Values::Texts(texts) => texts,
        _ => unreachable!("the columns are made from the same table"),
    }
}

fn flag_column(values: &mut Values) -> &mut Flags {
    match values {
        Values::Flags(flags) => flags,
        _ => unreachable!("the columns are made from the same table"),
    }
}

fn number_column(values: &mut Values) -> &mut Numbers {
    match values {
        Values::Numbers(numbers) => numbers,
        _ => unreachable!("the columns are made from the same table"),
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

fn set_resources(lists: &mut Lists, row: usize, resources: &[value::Resource<'_>]) {
    lists.start(row);
    for resource in resources {
        lists.add(resource.iter().map(Option::as_deref));
    }
}

#[cfg(test)]
#[path = "build_tests.rs"]
mod tests;
