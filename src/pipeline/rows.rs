//! From a log's content to rows of the table: event, columns and sink joined.
//!
//! Workers fill accumulators of their own; a full one is put in order (day, account, time) and written day by day, as one
//! row group a day, on the worker that filled it.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use arrow::array::{Array as _, AsArray as _, RecordBatch, UInt32Array};
use arrow::compute::take_record_batch;
use arrow::datatypes::TimestampMillisecondType;
use jiff::civil::Date;
use rayon::iter::{IntoParallelIterator as _, ParallelIterator as _};

use super::logs::{Integrity, LogContent, LogSink};
use super::plan::{Listed, LogPlace};
use crate::columns::{RowBuilder, Rows, Source};
use crate::event::{Entry, Records as Walker};
use crate::report::{OutputFile, Records};
use crate::sink::{Area, Encoding, SinkError, Table};

/// How a table is written.
pub struct RowsOptions {
    /// Where it is put.
    pub dest: PathBuf,
    /// Bytes of source that rows may hold before they are written, over all workers.
    pub memory_budget: usize,
    /// The workers that fill rows and encode them.
    pub workers: Arc<rayon::ThreadPool>,
    /// Keep each record's exact bytes too.
    pub raw: bool,
}

/// Writes the rows of logs.
pub struct RowWriter {
    table: Table,
    idle: Mutex<Vec<Accumulator>>,
    full: usize,
    raw: bool,
    workers: Arc<rayon::ThreadPool>,
}

/// Rows of one worker, for each part of the table.
struct Accumulator {
    events: RowBuilder,
    quarantine: RowBuilder,
}

impl RowWriter {
    /// Claims the destination.
    ///
    /// # Errors
    /// [`SinkError::DestinationTaken`] when a table stands there already.
    pub fn create(options: RowsOptions) -> Result<Self, SinkError> {
        let table = Table::create(&options.dest)?;
        let full = options.memory_budget / options.workers.current_num_threads();
        Ok(Self { table, idle: Mutex::default(), full, raw: options.raw, workers: options.workers })
    }

    fn accumulator(&self) -> Accumulator {
        let idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
        idle.unwrap_or_else(|| Accumulator { events: RowBuilder::new(self.raw), quarantine: RowBuilder::new(self.raw) })
    }

    fn write(&self, area: Area, builder: &mut RowBuilder, encoding: Encoding) -> Result<(), SinkError> {
        if builder.is_empty() {
            return Ok(());
        }
        let rows = in_order(builder.finish())?;
        let mut start = 0;
        for group in rows.days.chunk_by(|a, b| a == b) {
            self.table.write(area, group[0], &rows.batch.slice(start, group.len()), encoding)?;
            start += group.len();
        }
        Ok(())
    }

    /// Writes what is left and puts the files in place.
    ///
    /// # Errors
    /// [`SinkError`] when that fails; then no file is left.
    pub fn finish(self) -> Result<Vec<OutputFile>, SinkError> {
        let idle = std::mem::take(&mut *self.idle.lock().unwrap_or_else(PoisonError::into_inner));
        self.workers.install(|| {
            idle.into_par_iter().try_for_each(|mut accumulator| {
                self.write(Area::Events, &mut accumulator.events, Encoding::SideBySide)?;
                self.write(Area::Quarantine, &mut accumulator.quarantine, Encoding::SideBySide)
            })
        })?;
        let written = self.table.finish()?;
        Ok(written.into_iter().map(|file| OutputFile { path: file.path, rows: file.rows, bytes: file.bytes }).collect())
    }
}

impl LogSink for RowWriter {
    type Error = SinkError;

    fn take(&self, log: &LogContent<'_>) -> Result<Records, SinkError> {
        let mut accumulator = self.accumulator();
        let is_quarantined = matches!(log.integrity, Integrity::Altered | Integrity::Unlisted);
        let sha256 = log.hash.to_string();
        let source = Source {
            org: log.org.map(|org| org.as_str()),
            account: log.place.account.as_str(),
            region: log.place.region.as_str(),
            key: log.key,
            sha256: &sha256,
            digest: match &log.log.listed {
                Listed::Yes { digest, .. } => Some(digest),
                Listed::Unlisted | Listed::Uncovered | Listed::Pending => None,
            },
            integrity: log.integrity.as_str(),
            day: match &log.log.place {
                LogPlace::Object(object) => days(object.name.day),
                LogPlace::Recorded(_) => 0,
            },
        };
        let mut records = Records::default();
        let mut walker = Walker::new(log.content);
        while let Some(entry) = walker.next_entry() {
            records.read += 1;
            match entry {
                Entry::Record(record) if is_quarantined => {
                    records.quarantined += 1;
                    accumulator.quarantine.append(&record, &source);
                }
                Entry::Record(record) => {
                    records.written += 1;
                    accumulator.events.append(&record, &source);
                }
                Entry::Malformed(malformed) => {
                    records.malformed += 1;
                    accumulator.quarantine.append_malformed(&malformed, &source);
                }
            }
            if accumulator.events.held_bytes() >= self.full {
                self.write(Area::Events, &mut accumulator.events, Encoding::Here)?;
            }
            if accumulator.quarantine.held_bytes() >= self.full {
                self.write(Area::Quarantine, &mut accumulator.quarantine, Encoding::Here)?;
            }
        }
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).push(accumulator);
        Ok(records)
    }
}

/// Days since 1970.
fn days(date: Date) -> i32 {
    let since = date.since(Date::constant(1970, 1, 1)).map(|span| span.get_days());
    since.unwrap_or(0)
}

/// Puts rows in the order of day, account and time, in which they compress well and queries skip most of them.
fn in_order(rows: Rows) -> Result<Rows, SinkError> {
    let column = |name: &str| {
        let column = rows.batch.column_by_name(name);
        column.expect("the schema has the column").clone()
    };
    let (accounts, times) = (column("source_account_id"), column("event_time"));
    let (accounts, times) = (accounts.as_string::<i32>(), times.as_primitive::<TimestampMillisecondType>());
    let key = |row: u32| {
        let row = row as usize;
        (rows.days[row], accounts.value(row), times.is_valid(row).then(|| times.value(row)))
    };
    let mut order: Vec<u32> = (0..u32::try_from(rows.days.len()).unwrap_or(u32::MAX)).collect();
    if order.is_sorted_by_key(|&row| key(row)) {
        return Ok(rows);
    }
    order.sort_by(|&a, &b| key(a).cmp(&key(b)));
    let days = order.iter().map(|&row| rows.days[row as usize]).collect();
    let batch: RecordBatch = take_record_batch(&rows.batch, &UInt32Array::from(order))?;
    Ok(Rows { batch, days })
}
