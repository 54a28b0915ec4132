//! Inflated bytes to records: what each element of a log says, as spans of the log itself.
//!
//! ```text
//! {"Records":[ {"eventTime":"…","userIdentity":{"type":"…"}, …}, 17, {"broken ]}
//!              └─ Record: members ─┬─ eventTime              │   └─ Malformed: the rest, with its offset
//!                                  └─ userIdentity → type    └─ Malformed: not an object
//! ```
//!
//! Invariants: every byte of the container that is not punctuation belongs to exactly one entry; an entry's bytes are the
//! source's own; no bytes make the walker panic, recurse or allocate more than one tape. Where the syntax breaks, the
//! entries before the break stand and one [`Malformed`] holds everything after it: a guess at where the next record
//! starts would be a guess at evidence.
//! Not here: what a value means ([`crate::columns`]), where the bytes came from.
//!
//! Spec: RFC 8259. Lone surrogate escapes are grammatical there and are accepted; invalid UTF-8 is not.

mod field;
mod list;
mod recall;
mod records;
mod scan;
mod text;

pub use field::{Field, Scope};
pub use list::each_member;
pub use recall::Recall;
pub use records::Records;
pub use scan::{Syntax, SyntaxError};
pub use text::{equal, unescape};

use std::ops::Range;

/// Deepest nesting of arrays and objects inside one record. CloudTrail's own records stay under 20.
pub const MAX_DEPTH: usize = 512;

/// Longest log that is walked, in bytes: Parquet counts a value's bytes in 31 bits. CloudTrail's own limit is 50 MB.
pub const MAX_CONTENT: usize = 1 << 30;

/// Longest entry, in bytes; what is longer is kept in pieces of this length, so that what is made of an entry is bounded
/// whatever a log holds. AWS's limit for an event is 1 MB.
pub const MAX_ENTRY: usize = 8 << 20;

/// One element of a log.
#[derive(Debug)]
pub enum Entry<'a, 't> {
    /// A JSON object.
    Record(Record<'a, 't>),
    /// Anything else, kept as it stands.
    Malformed(Malformed<'a>),
}

/// One JSON object and the spans of the members that columns are made from.
#[derive(Debug, Clone, Copy)]
pub struct Record<'a, 't> {
    /// Position among the log's entries, from 0, malformed ones counted.
    pub index: u64,
    /// Where the record starts, in bytes from the start of the log.
    pub offset: usize,
    /// The record's own bytes, braces included.
    pub text: &'a str,
    /// Its members in source order; see [`Member::inner`] for those of an opened object.
    pub members: &'t [Member],
}

impl<'a> Record<'a, '_> {
    /// The member's key as spelled, without its quotes.
    pub fn key(&self, member: &Member) -> &'a str {
        &self.text[member.key.range()]
    }

    /// The member's value as spelled; a string keeps its quotes.
    pub fn value(&self, member: &Member) -> &'a str {
        &self.text[member.value.range()]
    }

    /// The bytes of [`value`](Self::value).
    #[inline]
    pub fn value_bytes(&self, member: &Member) -> &'a [u8] {
        &self.text.as_bytes()[member.value.range()]
    }
}

/// One `"key":value` of a record or of an object opened inside it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    /// Which known field this is.
    pub field: Field,
    /// What the value is.
    pub kind: Kind,
    /// See [`inner`](Self::inner).
    inner: u16,
    /// The key, without quotes.
    key: Span,
    /// The value, a string with its quotes.
    value: Span,
}

impl Member {
    /// How many of the members that follow lie inside this one; 0 unless [`Field::opens`] and the value is an object.
    pub fn inner(&self) -> usize {
        self.inner.into()
    }

    /// The same member with its spans moved.
    #[inline]
    fn moved(&self, to: impl Fn(u32) -> u32) -> Self {
        let span = |span: Span| Span { start: to(span.start), end: to(span.end) };
        Self { key: span(self.key), value: span(self.value), ..*self }
    }
}

/// Bytes from the record's start. Half as large as a range, because a record has dozens of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Span {
    start: u32,
    end: u32,
}

impl Span {
    /// A span of a log of at most [`MAX_CONTENT`] bytes.
    #[inline]
    fn of(range: Range<usize>) -> Self {
        Self { start: range.start as u32, end: range.end as u32 }
    }

    #[inline]
    fn range(self) -> Range<usize> {
        self.start as usize..self.end as usize
    }
}

/// The JSON type of a value, with what a reader of the span has to know.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A string without escapes: the span between the quotes is the text.
    Plain,
    /// A string with at least one backslash.
    Escaped,
    /// A number.
    Number,
    /// `true`.
    True,
    /// `false`.
    False,
    /// `null`.
    Null,
    /// An object.
    Object,
    /// An array.
    Array,
}

/// Bytes of a log that are no record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Malformed<'a> {
    /// Position among the log's entries, from 0.
    pub index: u64,
    /// Where the bytes start, from the start of the log.
    pub offset: usize,
    /// The bytes, as they stand.
    pub raw: &'a [u8],
    /// Why they are no record.
    pub defect: Defect,
}

/// Why bytes are no record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Defect {
    /// The JSON breaks off or breaks down; everything from the element's start is kept.
    #[error("{0}")]
    Syntax(#[from] SyntaxError),
    /// The element is valid JSON, not an object.
    #[error("element is not an object")]
    NotAnObject,
    /// The element is nested deeper than [`MAX_DEPTH`].
    #[error("nested deeper than {MAX_DEPTH}")]
    TooDeep,
    /// The element lists more members than any record of AWS can hold.
    #[error("more than 65536 members")]
    TooManyMembers,
    /// The element is longer than [`MAX_ENTRY`]; this is its beginning.
    #[error("longer than {MAX_ENTRY} bytes")]
    TooLong,
    /// More of the entry before, which is longer than [`MAX_ENTRY`].
    #[error("more of the entry before")]
    Continued,
    /// The element is not UTF-8.
    #[error("invalid UTF-8")]
    NotUtf8,
    /// `Records` is not an array.
    #[error("Records is not an array")]
    RecordsNotAnArray,
    /// Valid JSON without a `Records` array.
    #[error("no Records array")]
    NoRecords,
    /// Members of the container beside `Records`.
    #[error("members beside Records")]
    BesideRecords,
    /// Bytes after the end of the container.
    #[error("bytes after the end of the container")]
    Trailing,
}
