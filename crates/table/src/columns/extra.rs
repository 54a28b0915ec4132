//! What no column holds, as a JSON object in the source's own bytes.
//!
//! The object has the shape of the record: members of flattened objects stand under their object's key. A record that has
//! two values for one key that a column is made from stands there whole, under [`WHOLE`], because two members of one name
//! cannot be told apart again; so does one that has a field in both of its spellings.

use crate::event::{Field, Kind, Member, Record};

/// Aggregated events spell some fields differently; the second's value stands in for the first where that is absent.
pub(super) const STAND_INS: [(Field, Field); 3] = [
    (Field::EventTime, Field::WindowStart),
    (Field::EventId, Field::AggregatedEventId),
    (Field::RecipientAccountId, Field::AggregatedAccountId),
];

/// The key under which a whole record stands.
pub(super) const WHOLE: &str = "trailproof:record";

/// Whether a member is an object whose members have columns of their own.
pub(super) fn is_flattened(member: &Member) -> bool {
    member.kind == Kind::Object && member.field.opens().is_some() && member.field != Field::TimeWindow
}

/// Writes a member's key, after what stands in the object already.
pub(super) fn write_key(record: &Record<'_, '_>, member: &Member, out: &mut String) {
    separate(out);
    out.extend(["\"", record.key(member), "\":"]);
}

/// Writes what stands between a member and the one before.
pub(super) fn separate(out: &mut String) {
    if !out.ends_with('{') {
        out.push(',');
    }
}
