//! trailproof reads a company's whole AWS CloudTrail archive and proves it.
//!
//! ```text
//! archive   what names mean: keys, identifiers, periods                       no I/O
//! source    where bytes live: an S3 bucket, a directory
//! fetch     retries and limits over any source
//! gunzip    inflate and hash in one pass                                      no I/O
//! verify    is it what AWS delivered? digests, signatures, chains             no I/O
//! event     inflated bytes to records, as spans of the source                 no I/O
//! columns   records to columns, each distinct text once                       no I/O
//! sink      columns to Parquet files, whole or not at all
//! ddl       SQL that makes a written table readable                           no I/O
//! report    counts, findings, chains: data only
//! pipeline  joins the stages; the only place that spawns
//! synth     makes signed archives to try all this on
//! cli       arguments, terminal, clock, environment
//! ```
//!
//! Three promises stand over everything: nothing is skipped silently; "could not read" is never "tampered"; the bytes
//! that were hashed are the bytes that were parsed.

pub mod acknowledge;
pub mod archive;
pub mod checkpoint;
pub mod cli;
pub mod columns;
pub mod ddl;
pub mod event;
pub mod fetch;
pub mod finding;
pub mod gunzip;
pub mod metrics;
pub mod pipeline;
pub mod report;
pub mod sha256;
pub mod sink;
pub mod source;
pub mod synth;
pub mod verify;
