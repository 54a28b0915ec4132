//! Is it what AWS delivered? Digests, signatures and chains. No I/O: callers ask what to read and feed in bytes.

pub mod address;
pub mod chain;
mod check;
pub mod digest;
pub mod edges;
pub mod heads;
pub mod key_file;
pub mod keys;
pub mod log;
pub mod object;
mod planted;
pub mod reach;
pub mod window;
