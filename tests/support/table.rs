//! Rows to a Parquet file in memory, and back through a reader that is not ours.

use std::io::{self, Write};
use std::sync::{Arc, Mutex};

use arrow::array::RecordBatch;
use bytes::Bytes;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use trailproof_table::columns::RowBuilder;
use trailproof_table::sink::{Area, Claim, Encoder, Partition, SinkError, Store, StoredFile, Table};

/// The files that were published.
#[derive(Default, Clone)]
pub struct Memory(Arc<Mutex<Vec<Bytes>>>);

struct MemoryFile {
    bytes: Vec<u8>,
    published: Memory,
}

impl Store for Memory {
    fn name(&self) -> String {
        "memory".to_owned()
    }

    fn claim(&self) -> Result<Claim, SinkError> {
        Ok(Claim::new(|| ()))
    }

    fn create(&self, _: &str) -> io::Result<Box<dyn StoredFile>> {
        Ok(Box::new(MemoryFile { bytes: Vec::new(), published: self.clone() }))
    }
}

impl Write for MemoryFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.bytes.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl StoredFile for MemoryFile {
    fn seal(&mut self) -> io::Result<u64> {
        Ok(self.bytes.len() as u64)
    }

    fn publish(&mut self) -> io::Result<()> {
        self.published.0.lock().unwrap().push(std::mem::take(&mut self.bytes).into());
        Ok(())
    }

    fn discard(&mut self) {}
}

/// A file with the rows of one builder, in the order in which they came.
pub fn parquet_file(builder: &RowBuilder) -> Bytes {
    let memory = Memory::default();
    let mut table = Table::new(Box::new(memory.clone()));
    let order: Vec<u32> = (0..u32::try_from(builder.len()).unwrap()).collect();
    let group = Encoder::default().encode(&builder.rows(), &order).unwrap();
    table.append(Partition { area: Area::Events, day: 0, place: None }, group).unwrap();
    table.finish().unwrap();
    let files = memory.0.lock().unwrap();
    assert_eq!(files.len(), 1);
    files[0].clone()
}

/// What an engine reads of a file.
pub fn read(file: Bytes) -> Vec<RecordBatch> {
    let reader = ParquetRecordBatchReaderBuilder::try_new(file).unwrap().build().unwrap();
    reader.map(|batch| batch.unwrap()).collect()
}
