//! The members of the objects in an array.

use super::Kind;
use super::scan::{Cursor, Syntax, SyntaxError};

/// Hands each member of each object of an array to `take`: the object's number from 0, key and value as spelled, a key
/// without its quotes. How many objects there are; `None` if there is anything else or `take` answers that it will not do.
pub fn each_member<'a>(array: &'a str, mut take: impl FnMut(usize, &'a str, Kind, &'a str) -> bool) -> Option<usize> {
    let mut cursor = Cursor::new(array.as_bytes());
    let mut objects = 0;
    let walked = in_brackets(&mut cursor, b'[', |cursor| {
        let goes_on = in_brackets(cursor, b'{', |cursor| {
            let key_at = cursor.at + 1;
            cursor.key()?;
            let key = &array[key_at..cursor.at - 1];
            cursor.colon()?;
            let value_at = cursor.at;
            let kind = cursor.value()?;
            Ok(take(objects, key, kind, &array[value_at..cursor.at]))
        });
        objects += 1;
        goes_on
    });
    matches!(walked, Ok(true)).then_some(objects)
}

/// Calls `each` at every element or member between brackets; false as soon as it answers false, or without the bracket.
fn in_brackets(
    cursor: &mut Cursor<'_>,
    open: u8,
    mut each: impl FnMut(&mut Cursor<'_>) -> Result<bool, SyntaxError>,
) -> Result<bool, SyntaxError> {
    let close = open + 2;
    if cursor.peek() != Some(open) {
        return Ok(false);
    }
    cursor.at += 1;
    cursor.space();
    if cursor.peek() == Some(close) {
        cursor.at += 1;
        return Ok(true);
    }
    loop {
        if !each(cursor)? {
            return Ok(false);
        }
        cursor.space();
        match cursor.peek() {
            Some(b',') => {
                cursor.at += 1;
                cursor.space();
            }
            Some(byte) if byte == close => {
                cursor.at += 1;
                return Ok(true);
            }
            _ => return Err(cursor.error(Syntax::CommaOrClose)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    type Found<'a> = (usize, Vec<(usize, &'a str, &'a str)>);

    fn members(array: &str) -> Option<Found<'_>> {
        let mut all = Vec::new();
        let count = each_member(array, |object, key, _, value| {
            all.push((object, key, value));
            key != "stop"
        })?;
        Some((count, all))
    }

    #[test]
    fn members_are_those_of_every_object() {
        assert_eq!(members("[]"), Some((0, vec![])));
        assert_eq!(members("[ { } , {}]"), Some((2, vec![])));
        let found = members(r#"[{"a":"1", "b" : [2,{"c":3}]},{"a":null}]"#);
        assert_eq!(found, Some((2, vec![(0, "a", "\"1\""), (0, "b", r#"[2,{"c":3}]"#), (1, "a", "null")])));
    }

    #[test]
    fn what_is_no_array_of_objects_is_none() {
        for other in
            [r#"{"a":1}"#, "1", r#"["a"]"#, r#"[{"a":1},2]"#, r#"[[{"a":1}]]"#, r#"[{"stop":1}]"#, r#"[{"a":1}"#]
        {
            assert_eq!(members(other), None, "{other}");
        }
    }
}
