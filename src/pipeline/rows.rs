//! From a log's content to rows of the table: event, columns and sink joined.
//!
//! A batch of logs fills one builder; a full one is put in order (partition, account, time) and encoded, as one row group
//! a partition, on the worker that filled it. Row groups are appended in the order of batches.

use std::sync::{Arc, Mutex, PoisonError};

use jiff::civil::Date;

use super::duplicates::{DuplicateCounter, SeenRecords};
use super::logs::{Integrity, LogContent, LogSink};
use super::plan::{Listed, LogPlace, PlannedLog};
use trailproof_proof::archive::key::{self, ObjectName};
use trailproof_proof::report::{OutputFile, Records};
use trailproof_table::columns::schema::{SORTED_BY, position};
use trailproof_table::columns::{Dated, Flags, Numbers, RowBuilder, Rows, Source, Texts, Values};
use trailproof_table::event::{Entry, Field, Recall, Record, Records as Walker};
use trailproof_table::sink::{Area, Encoder, Partition, Partitioning, RowGroup, SinkError, Store, Table};

/// How a table is written.
pub struct RowsOptions {
    /// Where it is put; claimed by the caller, until the report lies beside the table.
    pub store: Box<dyn Store>,
    /// Bytes of source that the rows of one batch may hold before they are encoded.
    pub batch_bytes: usize,
    /// Keep each record's exact bytes too.
    pub raw: bool,
    /// What the table is partitioned by.
    pub partitioning: Partitioning,
    /// What to do with records that stand in the archive more than once.
    pub dedupe: Dedupe,
}

/// What to do with records that stand in the archive more than once.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Dedupe {
    /// Nothing is left out: every copy is evidence.
    #[default]
    None,
    /// Of records that are the same, byte for byte and in their standing, one is kept. Which one is not told.
    Exact,
}

/// Writes the rows of logs.
pub struct RowWriter {
    table: Mutex<Table>,
    idle: Mutex<Vec<Workshop>>,
    batch_bytes: usize,
    raw: bool,
    partitioning: Partitioning,
    duplicates: DuplicateCounter,
    /// Records that were seen, when the same ones are left out.
    seen: Option<SeenRecords>,
}

/// What one batch of logs is made into rows and row groups with, used again for the next.
struct Workshop {
    recall: Recall,
    /// Rows that are not encoded yet, for each part of the table.
    events: RowBuilder,
    quarantine: RowBuilder,
    encoder: Encoder,
}

/// Rows of one batch of logs.
pub struct RowBatch {
    workshop: Workshop,
    encoded: Vec<(Partition, RowGroup)>,
    /// Bytes that they take.
    encoded_bytes: usize,
    /// Hashes of the events that the rows are of.
    events: Vec<u64>,
}

/// Hashes of events that a batch holds before they are counted.
const EVENTS_HELD: usize = 1 << 18;

impl RowWriter {
    /// Writes a table to a place that was claimed for it.
    pub fn new(options: RowsOptions) -> Self {
        let RowsOptions { store, batch_bytes, raw, partitioning, dedupe } = options;
        Self {
            table: Mutex::new(Table::new(store)),
            idle: Mutex::default(),
            batch_bytes,
            raw,
            partitioning,
            duplicates: DuplicateCounter::default(),
            seen: (dedupe == Dedupe::Exact).then(SeenRecords::default),
        }
    }

    /// Encodes the rows of a builder, each partition's as one row group.
    fn encode(
        &self,
        area: Area,
        builder: &mut RowBuilder,
        encoder: &mut Encoder,
        encoded: &mut Vec<(Partition, RowGroup)>,
    ) -> Result<usize, SinkError> {
        if builder.is_empty() {
            return Ok(0);
        }
        let mut bytes = 0;
        let rows = builder.rows();
        let order = Order::of(&rows, self.partitioning);
        for (partition, rows_of_it) in order.partitions(area) {
            let group = encoder.encode(&rows, rows_of_it)?;
            bytes += group.held_bytes();
            encoded.push((partition, group));
        }
        builder.clear(self.batch_bytes * 5 / 4);
        Ok(bytes)
    }

    /// Counts the events that were met.
    fn count(&self, met: &mut Vec<u64>) -> Result<(), SinkError> {
        let counted = self.duplicates.add(met).map_err(temporary);
        met.clear();
        counted
    }

    /// Whether a record of `events` is kept.
    fn keeps(&self, record: &Record<'_, '_>, integrity: &str) -> bool {
        self.seen.as_ref().is_none_or(|seen| seen.is_first(record.text, integrity))
    }

    /// The hash of the event that a record is of, if it says so.
    fn event(&self, record: &Record<'_, '_>) -> Option<u64> {
        let value = |field| {
            let member = record.members.iter().find(|member| member.field == field);
            member.map(|member| record.value(member))
        };
        let event_id = value(Field::EventId)?;
        Some(self.duplicates.hash(event_id, value(Field::RecipientAccountId).unwrap_or_default()))
    }

    /// How many records of `events` are of an event that another is of too, the first of each not counted.
    ///
    /// # Errors
    /// [`SinkError::File`] when they cannot be counted.
    pub fn duplicates(&self) -> Result<u64, SinkError> {
        self.duplicates.count().map_err(temporary)
    }

    /// Puts the files in place.
    ///
    /// # Errors
    /// [`SinkError`] when that fails; then no file is left.
    pub fn finish(self) -> Result<Vec<OutputFile>, SinkError> {
        let written = self.table.into_inner().unwrap_or_else(PoisonError::into_inner).finish()?;
        Ok(written.into_iter().map(|file| OutputFile { path: file.path, rows: file.rows, bytes: file.bytes }).collect())
    }
}

impl LogSink for RowWriter {
    type Error = SinkError;
    type Batch = RowBatch;

    fn begin(&self) -> RowBatch {
        let idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let new = || Workshop {
            recall: Recall::default(),
            events: RowBuilder::new(self.raw),
            quarantine: RowBuilder::new(self.raw),
            encoder: Encoder::default(),
        };
        RowBatch { workshop: idle.unwrap_or_else(new), encoded: Vec::new(), encoded_bytes: 0, events: Vec::new() }
    }

    fn take(&self, batch: &mut RowBatch, log: &LogContent<'_>) -> Result<Records, SinkError> {
        let RowBatch { workshop, encoded, encoded_bytes, events: met } = batch;
        let Workshop { recall, events, quarantine, encoder } = workshop;
        let is_quarantined = matches!(log.integrity, Integrity::Altered | Integrity::Unlisted);
        let sha256 = log.hash.to_string();
        let source = source_of(log, &sha256);
        let mut records = Records::default();
        let mut walker = Walker::new(log.content, recall);
        while let Some(entry) = walker.next_entry() {
            records.read += 1;
            match entry {
                Entry::Record(record) if is_quarantined => {
                    records.quarantined += 1;
                    records.strayed += strayed(quarantine.append(&record, &source));
                }
                Entry::Record(record) => {
                    met.extend(self.event(&record));
                    if self.keeps(&record, source.integrity) {
                        records.written += 1;
                        records.strayed += strayed(events.append(&record, &source));
                    } else {
                        records.deduplicated += 1;
                    }
                }
                Entry::Malformed(malformed) => {
                    records.malformed += 1;
                    quarantine.append_malformed(&malformed, &source);
                }
            }
            if events.held_bytes() + quarantine.held_bytes() >= self.batch_bytes {
                for (area, builder) in [(Area::Events, &mut *events), (Area::Quarantine, &mut *quarantine)] {
                    builder.end_log(&source);
                    *encoded_bytes += self.encode(area, builder, encoder, encoded)?;
                }
            }
            if met.len() >= EVENTS_HELD {
                self.count(met)?;
            }
        }
        events.end_log(&source);
        quarantine.end_log(&source);
        Ok(records)
    }

    fn is_full(&self, batch: &RowBatch) -> bool {
        batch.encoded_bytes >= self.batch_bytes
    }

    fn end(&self, batch: &mut RowBatch) -> Result<(), SinkError> {
        let RowBatch { workshop: Workshop { events, quarantine, encoder, .. }, encoded, encoded_bytes, .. } = batch;
        for (area, builder) in [(Area::Events, events), (Area::Quarantine, quarantine)] {
            *encoded_bytes += self.encode(area, builder, encoder, encoded)?;
        }
        Ok(())
    }

    fn put_part(&self, batch: &mut RowBatch) -> Result<(), SinkError> {
        self.count(&mut batch.events)?;
        let mut table = self.table.lock().unwrap_or_else(PoisonError::into_inner);
        for (partition, group) in batch.encoded.drain(..) {
            table.append(partition, group)?;
        }
        batch.encoded_bytes = 0;
        Ok(())
    }

    fn put(&self, mut batch: RowBatch) -> Result<(), SinkError> {
        self.put_part(&mut batch)?;
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).push(batch.workshop);
        Ok(())
    }
}

fn strayed(dated: Dated) -> u64 {
    u64::from(dated == Dated::ByItsLog)
}

fn temporary(source: std::io::Error) -> SinkError {
    SinkError::File { place: "the temporary file that duplicates are counted in".to_owned(), source }
}

/// What a log's rows say of where they came from.
fn source_of<'a>(log: &LogContent<'a>, sha256: &'a str) -> Source<'a> {
    Source {
        org: log.org.map(|org| org.as_str()),
        account: log.place.account.as_str(),
        region: log.place.region.as_str(),
        key: log.key,
        sha256,
        digest: match &log.log.listed {
            Listed::Yes { digest, .. } => Some(digest),
            Listed::Unlisted | Listed::Impossible | Listed::Uncovered | Listed::Pending => None,
        },
        integrity: log.integrity.as_str(),
        day: named_day(log.log).or_else(|| first_day(log.content)).map_or(0, days),
    }
}

/// The day of a log's folder; of its digest's, where a digest lists it under a name that no log has.
fn named_day(log: &PlannedLog) -> Option<Date> {
    let named = |key: &str| match key::parse(key).name {
        ObjectName::Log(_, name) => Some(name.day),
        ObjectName::Digest(_, name) => Some(key::day_of(name.end)),
        _ => None,
    };
    let own = match &log.place {
        LogPlace::Object(_) | LogPlace::Odd(_) => log.day(),
        LogPlace::Recorded(object) | LogPlace::Expired(object) => named(&object.key),
    };
    let digests = || match &log.listed {
        Listed::Yes { digest, .. } => named(digest),
        Listed::Unlisted | Listed::Impossible | Listed::Uncovered | Listed::Pending => None,
    };
    own.or_else(digests)
}

/// The day of the first time in a log, for one that lies in no day's folder.
fn first_day(content: &[u8]) -> Option<Date> {
    const KEY: &[u8] = b"\"eventTime\"";
    memchr::memmem::find_iter(content, KEY).find_map(|at| day_behind(&content[at + KEY.len()..]))
}

/// The day of the time that follows its key.
fn day_behind(rest: &[u8]) -> Option<Date> {
    let text = rest.trim_ascii_start().strip_prefix(b":")?.trim_ascii_start().strip_prefix(b"\"")?;
    let text = &text[..text.len().min("2026-01-02T03:04:05.000000000+00:00".len() + 1)];
    let time = str::from_utf8(&text[..memchr::memchr(b'"', text)?]).ok()?;
    time.parse().ok().map(key::day_of)
}

/// Days since 1970.
fn days(date: Date) -> i32 {
    let since = date.since(Date::constant(1970, 1, 1)).map(|span| span.get_days());
    since.unwrap_or(0)
}

/// The order in which rows are written: by partition, then by the columns that the table of columns says, in which they
/// compress well and queries skip most of them.
struct Order<'a> {
    accounts: &'a Texts,
    regions: &'a Texts,
    partitioning: Partitioning,
    keys: Vec<RowKey>,
    rows: Vec<u32>,
}

/// Day, and the ranks of the account, and of the Region where the table is partitioned by it.
type RowKey = (i32, u32, u32);

impl<'a> Order<'a> {
    fn of(rows: &Rows<'a>, partitioning: Partitioning) -> Self {
        let (accounts, regions) = (texts(rows, "source_account_id"), texts(rows, "source_region"));
        let (account_ranks, region_ranks) = match partitioning {
            Partitioning::Date => (Vec::new(), Vec::new()),
            Partitioning::DateAccountRegion => (ranks(accounts), ranks(regions)),
        };
        let rank = |ranks: &[u32], texts: &Texts, row| {
            texts.key(row).and_then(|key| ranks.get(key as usize)).copied().unwrap_or_default()
        };
        let sort = SORTED_BY.map(|column| SortKeys::of(&rows.columns[column]));
        let mut sorted: Vec<(RowKey, [Option<i64>; SORTED_BY.len()], u32)> = (0..)
            .zip(rows.days)
            .map(|(row, &day)| {
                let key = (day, rank(&account_ranks, accounts, row), rank(&region_ranks, regions, row));
                (key, sort.each_ref().map(|keys| keys.get(row)), row)
            })
            .collect();
        sorted.sort_unstable();
        let (keys, rows) = sorted.into_iter().map(|(key, _, row)| (key, row)).unzip();
        Self { accounts, regions, partitioning, keys, rows }
    }

    /// Each partition with its rows.
    fn partitions(&self, area: Area) -> impl Iterator<Item = (Partition, &[u32])> {
        let is_same = |a: &RowKey, b: &RowKey| match self.partitioning {
            Partitioning::Date => a.0 == b.0,
            Partitioning::DateAccountRegion => a == b,
        };
        let mut start = 0;
        self.keys.chunk_by(is_same).map(move |keys| {
            let rows = &self.rows[start..start + keys.len()];
            start += keys.len();
            let text = |texts: &Texts| {
                let text = texts.key(rows[0]).map(|key| texts.text(key)).unwrap_or_default();
                Arc::from(String::from_utf8_lossy(text))
            };
            let place = match self.partitioning {
                Partitioning::Date => None,
                Partitioning::DateAccountRegion => Some((text(self.accounts), text(self.regions))),
            };
            (Partition { area, day: keys[0].0, place }, rows)
        })
    }
}

/// What the rows of a column are sorted by.
enum SortKeys<'a> {
    /// The rank of each number of a text.
    Texts(&'a Texts, Vec<u32>),
    Numbers(&'a Numbers),
    Flags(&'a Flags),
}

impl<'a> SortKeys<'a> {
    fn of(values: &'a Values) -> Self {
        match values {
            Values::Texts(texts) => Self::Texts(texts, ranks(texts)),
            Values::Numbers(numbers) => Self::Numbers(numbers),
            Values::Flags(flags) => Self::Flags(flags),
            Values::Lists(_) => unreachable!("the table of columns sorts by no list"),
        }
    }

    fn get(&self, row: u32) -> Option<i64> {
        match self {
            Self::Texts(texts, ranks) => texts.key(row).map(|key| ranks[key as usize].into()),
            Self::Numbers(numbers) => numbers.get(row),
            Self::Flags(flags) => flags.get(row).map(i64::from),
        }
    }
}

/// For each number of a text, its place among all texts of the column.
fn ranks(texts: &Texts) -> Vec<u32> {
    let mut keys: Vec<u32> = (0..).take(texts.distinct()).collect();
    keys.sort_unstable_by_key(|&key| texts.text(key));
    let mut ranks = vec![0; keys.len()];
    for (rank, &key) in (0..).zip(&keys) {
        ranks[key as usize] = rank;
    }
    ranks
}

fn texts<'a>(rows: &Rows<'a>, name: &str) -> &'a Texts {
    match &rows.columns[position(name)] {
        Values::Texts(texts) => texts,
        _ => unreachable!("the table of columns says that it holds texts"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use trailproof_proof::archive::inventory::OddObject;
    use trailproof_proof::sha256::Sha256;

    #[test]
    fn the_first_time_of_a_log_is_found_however_it_is_spelled() {
        let day = Some(Date::constant(2026, 1, 2));
        for content in [
            r#"{"Records":[{"eventTime":"2026-01-02T23:04:05Z"},{"eventTime":"2026-02-02T03:04:05Z"}]}"#,
            "{\"eventTime\" :\r\n\t \"2026-01-02T23:04:05Z\"}",
            r#"{"eventTime":"2026-01-02T23:04:05.123Z"}"#,
            r#"{"eventTime":"2026-01-03T00:04:05+01:00"}"#,
            r#"{"eventTime":null,"eventTime":"yesterday","a":{"eventTime":"2026-01-02T23:04:05Z"}}"#,
        ] {
            assert_eq!(first_day(content.as_bytes()), day, "{content}");
        }
        for content in [r#"{"eventTime":""#, r#"{"eventTime":"2026-01-02T23:04:05Z"#, r#"{"eventTime"}"#, ""] {
            assert_eq!(first_day(content.as_bytes()), None, "{content}");
        }
    }

    #[test]
    fn an_object_that_no_days_folder_holds_has_the_day_of_the_digest_that_lists_it() {
        let digest = "AWSLogs/111122223333/CloudTrail-Digest/us-east-1/2026/01/02/\
                      111122223333_CloudTrail-Digest_us-east-1_t_us-east-1_20260102T180131Z.json.gz";
        let odd = |day| {
            let key = "AWSLogs/111122223333/CloudTrail/us-east-1/odd".into();
            LogPlace::Odd(Box::new(OddObject { key, root: 0, size: 1, day }))
        };
        let listed = || Listed::Yes { hash: Sha256([0; 32]), digest: digest.into() };
        let day = |place, listed| named_day(&PlannedLog { place, listed });
        assert_eq!(day(odd(None), listed()), Some(Date::constant(2026, 1, 2)));
        assert_eq!(day(odd(Some(Date::constant(2026, 1, 1))), listed()), Some(Date::constant(2026, 1, 1)));
        assert_eq!(day(odd(None), Listed::Unlisted), None);
    }
}
