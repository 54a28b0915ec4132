//! What the names in an archive mean: keys, identifiers, periods. No I/O.

pub mod folder;
pub mod ids;
pub mod inventory;
pub mod key;
pub mod scope;
