//! Is an AWS CloudTrail archive what AWS delivered? Bytes go in, findings come out.
//!
//! Nothing here reads, waits, prints or looks at a clock: the caller lists and reads the archive and feeds in what it got.
//!
//! ```text
//! archive      what names mean: keys, identifiers, the scope asked for, the inventory of a listing
//! read         what reading an object gives beside its bytes, or the reason why it could not be read
//! gunzip       inflates one object and says what its container holds
//! sha256       the hash type and hex
//! verify       digests, keys, signatures, chains, links, coverage, logs
//! finding      what can be found, each with a stable id and a severity
//! acknowledge  what an operator accepts, fact by fact, and what that takes out of a finding
//! report       counts, findings, chains: what `report.json` holds
//! checkpoint   what one run remembers for the next: the digests that no later one vouches for
//! ```

pub mod acknowledge;
pub mod archive;
pub mod checkpoint;
pub mod finding;
pub mod gunzip;
pub mod read;
pub mod report;
pub mod sha256;
pub mod verify;
