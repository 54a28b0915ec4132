//! What no column holds, as a JSON object in the source's own bytes.
//!
//! The object has the shape of the record: members of flattened objects stand under their object's key. A record that has
//! two values for one key that a column is made from stands there whole, under [`WHOLE`], because two members of one name
//! cannot be told apart again; so does one that has a field in both of its spellings.

use super::schema::{COLUMNS, Fill};
use super::value;
use crate::event::{Field, Member, Record};

/// Aggregated events spell some fields differently; the second's value stands in for the first where that is absent.
pub(super) const STAND_INS: [(Field, Field); 3] = [
    (Field::EventTime, Field::WindowStart),
    (Field::EventId, Field::AggregatedEventId),
    (Field::RecipientAccountId, Field::AggregatedAccountId),
];

/// The key under which a whole record stands.
pub(super) const WHOLE: &str = "trailproof:record";

/// How the column of each field is filled; `None` for fields that have no column of their own.
pub(super) fn fills() -> [Option<Fill>; Field::ALL.len()] {
    let mut fills = [None; Field::ALL.len()];
    for column in COLUMNS {
        let field = match column.fill {
            Fill::Text(field) | Fill::Flag(field) | Fill::FlagText(field) | Fill::Time(field) | Fill::Json(field) => {
                field
            }
            Fill::Resources => Field::Resources,
            Fill::Omitted | Fill::Extra | Fill::From(_) => continue,
        };
        fills[field as usize] = Some(column.fill);
    }
    fills
}

/// Writes what the columns do not hold of `record` into `out`; leaves it empty when they hold everything.
pub(super) fn write(record: &Record<'_, '_>, fills: &[Option<Fill>], out: &mut String) {
    out.clear();
    if must_stand_whole(record) {
        out.push_str("{\"");
        out.push_str(WHOLE);
        out.push_str("\":");
        out.push_str(record.text);
        out.push('}');
        return;
    }
    out.push('{');
    write_members(record, record.members, fills, out);
    if out.len() == 1 {
        out.clear();
    } else {
        out.push('}');
    }
}

fn must_stand_whole(record: &Record<'_, '_>) -> bool {
    let bit = |field: Field| 1_u128 << (field as u8);
    let mut seen = 0_u128;
    let twice = record.members.iter().any(|member| match member.field {
        Field::Unknown => record.key(member) == WHOLE,
        field => {
            let again = seen & bit(field) != 0;
            seen |= bit(field);
            again
        }
    });
    twice || STAND_INS.iter().any(|&(field, other)| seen & bit(field) != 0 && seen & bit(other) != 0)
}

/// Writes the members that are left over; answers whether columns hold any of the others.
fn write_members(record: &Record<'_, '_>, members: &[Member], fills: &[Option<Fill>], out: &mut String) -> bool {
    let mut any_held = false;
    let mut rest = members;
    while let Some((member, after)) = rest.split_first() {
        let (inner, after) = after.split_at(member.inner);
        rest = after;
        if is_flattened(member) {
            let before = out.len();
            write_key(record, member, out);
            out.push('{');
            let empty = out.len();
            let inner_held = write_members(record, inner, fills, out);
            if inner_held && out.len() == empty {
                out.truncate(before);
            } else {
                out.push('}');
            }
            any_held |= inner_held;
        } else if fills[member.field as usize].is_some_and(|fill| holds(fill, record, member)) {
            any_held = true;
        } else {
            write_key(record, member, out);
            out.push_str(record.value(member));
        }
    }
    any_held
}

/// Whether a member is an object whose members have columns of their own.
fn is_flattened(member: &Member) -> bool {
    member.kind == crate::event::Kind::Object && member.field.opens().is_some() && member.field != Field::TimeWindow
}

fn write_key(record: &Record<'_, '_>, member: &Member, out: &mut String) {
    if !out.ends_with('{') {
        out.push(',');
    }
    out.push('"');
    out.push_str(record.key(member));
    out.push_str("\":");
}

/// Whether the column alone gives the value back.
fn holds(fill: Fill, record: &Record<'_, '_>, member: &Member) -> bool {
    let spelled = record.value(member);
    match fill {
        Fill::Text(_) => match member.kind {
            crate::event::Kind::Plain => true,
            kind => value::text(kind, spelled).is_some(),
        },
        Fill::Flag(_) => value::flag(member.kind).is_some(),
        Fill::FlagText(_) => value::flag_text(spelled).is_some(),
        Fill::Time(_) => value::time(member.kind, spelled).is_some_and(|(_, canonical)| canonical),
        Fill::Json(_) => true,
        Fill::Resources => value::resources(member.kind, spelled).is_some(),
        Fill::Omitted | Fill::Extra | Fill::From(_) => false,
    }
}
