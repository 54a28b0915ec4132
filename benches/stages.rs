//! How fast each stage is by itself: `cargo bench --bench stages`, or `-- parse` for one of them.
//!
//! ```text
//! list ─▶ inflate ─▶ hash ─▶ parse ─▶ columns ─▶ encode        rsa: one signature a digest
//! ```
//!
//! One thread, in memory. Bytes are those of inflated JSON (of RSA: none), items are keys, records or
//! signatures. `busy` logs hold about 200 records each, `tiny` ones about 8.
//!
//! `-- file` writes the same rows as whole files by our encoder and by the two writers of the parquet crate, and tells the
//! size of each file.

#![allow(clippy::unwrap_used, clippy::print_stderr, reason = "a bench may panic, and tells sizes beside times")]

mod support;
#[expect(unreachable_pub, reason = "a file of the tests")]
#[path = "../tests/support/table.rs"]
mod table;

use std::sync::Arc;

use divan::counter::{BytesCount, ItemsCount};
use divan::{Bencher, black_box};
use support::Corpus;
use trailproof_proof::archive::inventory::Inventory;
use trailproof_proof::archive::scope::Scope;
use trailproof_proof::gunzip;
use trailproof_proof::sha256::{Sha256, decode_hex};
use trailproof_proof::verify::digest::Digest;
use trailproof_proof::verify::key_file;
use trailproof_proof::verify::keys::{Check, KeyRing, Origin};
use trailproof_table::columns::{RowBuilder, Source};
use trailproof_table::event::{Entry, Recall, Records};
use trailproof_table::sink::Encoder;

const BUSY: u32 = 200;
const TINY: u32 = 8;

fn main() {
    divan::main();
}

#[divan::bench]
fn list(bencher: Bencher<'_, '_>) {
    let corpus = Corpus::of(TINY);
    let bucket: Arc<str> = "example-org-trail".into();
    bencher.counter(ItemsCount::new(corpus.keys.len())).bench(|| {
        let mut inventory = Inventory::default();
        for key in &corpus.keys {
            inventory.add(&bucket, key, 1, &Scope::default());
        }
        inventory.settle();
        inventory
    });
}

#[divan::bench(args = [BUSY, TINY])]
fn inflate(bencher: Bencher<'_, '_>, records: u32) {
    let corpus = Corpus::of(records);
    let mut content = gunzip::Content::default();
    bencher.counter(BytesCount::new(corpus.json_bytes)).bench_local(|| {
        for stored in &corpus.stored {
            black_box(gunzip::inflate(stored, 1 << 30, &mut content));
        }
    });
}

#[divan::bench(args = [BUSY, TINY])]
fn hash(bencher: Bencher<'_, '_>, records: u32) {
    let corpus = Corpus::of(records);
    bencher.counter(BytesCount::new(corpus.json_bytes)).bench(|| {
        for content in &corpus.contents {
            black_box(Sha256::of(content));
        }
    });
}

#[divan::bench(args = [BUSY, TINY])]
fn parse(bencher: Bencher<'_, '_>, records: u32) {
    let corpus = Corpus::of(records);
    let counter = (BytesCount::new(corpus.json_bytes), ItemsCount::new(corpus.records));
    bencher.counter(counter.0).counter(counter.1).bench(|| {
        let mut recall = Recall::default();
        for content in &corpus.contents {
            let mut walker = Records::new(content, &mut recall);
            while let Some(entry) = walker.next_entry() {
                black_box(&entry);
            }
        }
    });
}

/// Parsing included, because records cannot be had without it.
#[divan::bench(args = [BUSY, TINY])]
fn columns(bencher: Bencher<'_, '_>, records: u32) {
    let corpus = Corpus::of(records);
    let mut builder = RowBuilder::new(false);
    bencher.counter(BytesCount::new(corpus.json_bytes)).counter(ItemsCount::new(corpus.records)).bench_local(|| {
        fill(&corpus, &mut builder);
        builder.clear(usize::MAX);
    });
}

#[divan::bench(args = [BUSY, TINY])]
fn encode(bencher: Bencher<'_, '_>, records: u32) {
    let corpus = Corpus::of(records);
    let mut builder = RowBuilder::new(false);
    fill(&corpus, &mut builder);
    let order: Vec<u32> = (0..).take(builder.len()).collect();
    let mut encoder = Encoder::default();
    bencher
        .counter(BytesCount::new(corpus.json_bytes))
        .counter(ItemsCount::new(corpus.records))
        .bench_local(|| encoder.encode(&builder.rows(), &order).unwrap());
}

/// The rows of a corpus as one file, footer and all.
mod file {
    use bytes::Bytes;
    use divan::Bencher;
    use trailproof_table::columns::RowBuilder;

    use super::{BUSY, TINY, fill, table};
    use crate::support::{Corpus, writers};

    fn rows(records: u32) -> RowBuilder {
        let mut builder = RowBuilder::new(false);
        fill(&Corpus::of(records), &mut builder);
        builder
    }

    fn ours(records: u32) -> Bytes {
        table::parquet_file(&rows(records))
    }

    fn measure(bencher: Bencher<'_, '_>, writer: &str, mut write: impl FnMut() -> usize) {
        eprintln!("{writer}: {} bytes", write());
        bencher.bench_local(write);
    }

    #[divan::bench(args = [BUSY, TINY])]
    fn own(bencher: Bencher<'_, '_>, records: u32) {
        let rows = rows(records);
        measure(bencher, "own", || table::parquet_file(&rows).len());
    }

    #[divan::bench(args = [BUSY, TINY])]
    fn arrow_writer(bencher: Bencher<'_, '_>, records: u32) {
        let file = ours(records);
        let (properties, batches) = (writers::properties(&file), table::read(file));
        measure(bencher, "arrow_writer", || writers::by_arrow(&batches, &properties).len());
    }

    #[divan::bench(args = [BUSY, TINY])]
    fn column_writers(bencher: Bencher<'_, '_>, records: u32) {
        let file = ours(records);
        let (properties, leaves) = (writers::properties(&file), writers::leaves(&file));
        measure(bencher, "column_writers", || writers::by_column(&leaves, &properties).len());
    }

    /// With what it takes to put rows in order and into the shape of the crate, as our encoder does too.
    #[divan::bench(args = [BUSY, TINY])]
    fn column_writers_in_order(bencher: Bencher<'_, '_>, records: u32) {
        let rows = rows(records);
        let order: Vec<u32> = (0..).take(rows.len()).collect();
        let file = table::parquet_file(&rows);
        let (properties, mut leaves) = (writers::properties(&file), writers::leaves(&file));
        measure(bencher, "column_writers_in_order", || {
            leaves.put_in_order(&rows.rows(), &order);
            writers::by_column(&leaves, &properties).len()
        });
    }
}

#[divan::bench]
fn rsa(bencher: Bencher<'_, '_>) {
    let corpus = Corpus::of(TINY);
    let mut ring = KeyRing::default();
    for key in key_file::parse(&corpus.public_keys).unwrap() {
        ring.add(&key, Origin::File(String::new())).unwrap();
    }
    let signed: Vec<_> = corpus
        .digests
        .iter()
        .map(|(content, signature)| {
            let digest = Digest::parse(content).unwrap();
            let text = digest.string_to_sign(&Sha256::of(content));
            (ring.find(&digest.fingerprint).unwrap(), Sha256::of(text.as_bytes()), decode_hex(signature).unwrap())
        })
        .collect();
    bencher.counter(ItemsCount::new(signed.len())).bench(|| {
        for (key, hash, signature) in &signed {
            assert_eq!(key.check(hash, signature), Check::Holds);
        }
    });
}

fn fill(corpus: &Corpus, builder: &mut RowBuilder) {
    let mut recall = Recall::default();
    for (key, content) in corpus.log_keys.iter().zip(&corpus.contents) {
        let source = Source {
            org: Some("o-exampleorgid"),
            account: "100000000007",
            region: "us-east-1",
            key,
            sha256: "9c33b7cf1e24a6f8f1f3c1cf3e6a6f3d9c33b7cf1e24a6f8f1f3c1cf3e6a6f3d",
            digest: Some(key),
            integrity: "verified",
            day: 20_000,
        };
        let mut walker = Records::new(content, &mut recall);
        while let Some(entry) = walker.next_entry() {
            match entry {
                Entry::Record(record) => _ = builder.append(&record, &source),
                Entry::Malformed(malformed) => panic!("{}", malformed.defect),
            }
        }
        builder.end_log(&source);
    }
}
