//! Every integration test, in one program: `cargo test --test all name::` runs those of one file.

#![allow(unreachable_pub, reason = "a program of tests has no face")]
#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a test may panic, and shows its table")]

mod access;
mod adversary;
mod aws_cli;
mod cases;
mod contract;
mod ddl;
mod differential;
mod faults;
mod fuzz_corpus;
mod help;
mod integrity;
mod listing;
mod lossless;
mod memory;
#[cfg(unix)]
mod process;
mod properties;
mod readme;
mod scan;
mod schema;
mod support;
mod table;
mod testdata;
mod tidy;
mod uploads;
mod vectors;
mod verification_page;
