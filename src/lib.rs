//! trailproof reads a company's whole AWS CloudTrail archive and proves it.
//!
//! The crates `trailproof-proof` (is it what AWS delivered?), `trailproof-table` (records to Parquet) and `trailproof-synth`
//! (made archives) stand below this one, which holds the program: it reads, joins and prints.
//!
//! ```text
//! source    where bytes live: an S3 bucket, a directory; one attempt each
//! fetch     what is tried again over any source, and how fast requests follow each other
//! pipeline  joins the stages, from a listing to a report; the only place that spawns
//! metrics   counters for progress
//! cli       arguments, terminal, clock, environment
//! ```
//!
//! Three promises stand over everything: nothing is skipped silently; "could not read" is never "tampered"; the bytes
//! that were hashed are the bytes that were parsed.

pub mod cli;
pub mod fetch;
pub mod metrics;
pub mod pipeline;
pub mod source;
