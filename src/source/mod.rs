//! Where the bytes of an archive live: an S3 bucket or a directory that mirrors one.
//!
//! A [`Source`] makes one attempt; [`crate::fetch`] repeats what is worth repeating. A source never interprets what it
//! reads, and a [`SourceError`] says only that we could not look.

pub mod aws;
pub mod directory;
pub mod s3;

use std::future::Future;
use std::sync::Arc;

use bytes::Bytes;
use jiff::SignedDuration;

use directory::LocalFile;
pub use trailproof_proof::read::{DigestMetadata, Purpose, SourceError};

/// One object: its bucket and key. A directory mirrors buckets without naming them, so there the bucket is empty.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ObjectRef {
    /// Bucket name, empty for a directory.
    pub bucket: Arc<str>,
    /// Object key, or the path below the directory with `/` between its parts.
    pub key: String,
}

impl std::fmt::Display for ObjectRef {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.bucket.is_empty() { f.write_str(&self.key) } else { write!(f, "s3://{}/{}", self.bucket, self.key) }
    }
}

/// One object of a listing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    /// Full key.
    pub key: String,
    /// Stored bytes.
    pub size: u64,
}

/// Why something in a directory is neither listed nor read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotFollowed {
    /// A link to a file outside.
    #[error("it is, or lies behind, a link that leads out of the directory")]
    Outside,
    /// A link to a folder outside.
    #[error("it is a link to a folder outside the directory")]
    FolderOutside,
    /// A link to a folder that it lies in.
    #[error("it is a link that leads in a circle")]
    Circle,
    /// A link behind so many links that following them all may never end.
    #[error("it is a link to a folder behind too many other links")]
    TooManyLinks,
    /// A link that leads nowhere.
    #[error("it is a link that cannot be followed ({detail})")]
    Nowhere {
        /// What the file system reports.
        detail: String,
    },
    /// A pipe, a socket or a device.
    #[error("it is neither a file nor a folder")]
    NoFile,
}

/// Something in a directory that is neither listed nor read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refused {
    /// Its key, without a `/` at its end.
    pub key: String,
    /// Why.
    pub why: NotFollowed,
}

/// One page of a listing, in key order.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Page {
    /// Objects directly under the prefix (all of them, at any depth, when no delimiter was asked).
    pub objects: Vec<Listed>,
    /// With a delimiter: the "folders" under the prefix, each ending in `/`.
    pub folders: Vec<String>,
    /// Pass to the next call; `None` on the last page.
    pub next: Option<String>,
    /// In a directory: what is there and was passed over.
    pub refused: Vec<Refused>,
}

/// What to list.
#[derive(Debug, Clone, Copy)]
pub struct ListRequest<'a> {
    /// Bucket name, empty for a directory.
    pub bucket: &'a str,
    /// Only keys that start with this text.
    pub prefix: &'a str,
    /// Group keys at the next `/` into [`Page::folders`].
    pub by_folder: bool,
    /// [`Page::next`] of the page before.
    pub continuation: Option<&'a str>,
    /// Only keys behind this one; not for listings by folder, which stores understand differently.
    pub after: Option<&'a str>,
}

/// The stored bytes of an object, fetched or about to be read where they are needed.
#[derive(Debug, Clone)]
pub enum Body {
    /// Fetched over the network.
    Bytes(Bytes),
    /// A local file; the worker that inflates it reads it, into a buffer it uses again.
    File(LocalFile),
}

/// A place that holds the objects of an archive. Each call is one attempt.
pub trait Source: Send + Sync + 'static {
    /// Whether reading is left to the worker that needs the bytes ([`Body::File`]).
    const IS_LOCAL: bool;

    /// How far the store's clock is ahead of this machine's, where the store has one and has told.
    fn server_time_offset(&self) -> Option<SignedDuration> {
        None
    }

    /// One page of a listing, in key order.
    ///
    /// # Errors
    /// Any [`SourceError`] but `Missing`.
    fn list(&self, request: ListRequest<'_>) -> impl Future<Output = Result<Page, SourceError>> + Send;

    /// An object's stored bytes, exactly as stored: never decoded by `Content-Encoding`. Never more than `limit` of them are
    /// held; for a [`Body::File`] its reader sees to that.
    ///
    /// # Errors
    /// Any [`SourceError`]; `TooLarge` for an object that is larger than `limit`.
    fn read(&self, object: &ObjectRef, limit: u64) -> impl Future<Output = Result<Body, SourceError>> + Send;

    /// A digest's stored bytes with its signature metadata.
    ///
    /// # Errors
    /// As [`read`](Self::read).
    fn read_digest(
        &self,
        object: &ObjectRef,
        limit: u64,
    ) -> impl Future<Output = Result<(Body, DigestMetadata), SourceError>> + Send;
}
