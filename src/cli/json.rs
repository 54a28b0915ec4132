//! JSON that shows what it holds: whatever could act on a terminal or hide from a reader is written as `\u` and digits.
//!
//! The text is the same to every JSON reader; only its spelling differs.

use std::io::{self, Write};

use serde::Serialize;
use serde_json::ser::{Formatter, PrettyFormatter, Serializer};

use super::text::is_unsafe;

/// A value as indented JSON with a newline at its end.
///
/// # Errors
/// When the value is none that JSON can hold.
pub(super) fn pretty(value: &impl Serialize) -> serde_json::Result<Vec<u8>> {
    let mut json = Vec::new();
    value.serialize(&mut Serializer::with_formatter(&mut json, Visible(PrettyFormatter::new())))?;
    json.push(b'\n');
    Ok(json)
}

/// Indents as `serde_json` does, and escapes more than it.
struct Visible(PrettyFormatter<'static>);

/// Writes a piece of a string that needs no escape in JSON.
fn write_visibly<W: Write + ?Sized>(writer: &mut W, fragment: &str) -> io::Result<()> {
    let mut written = 0;
    for (at, c) in fragment.char_indices().filter(|(_, c)| is_unsafe(*c)) {
        writer.write_all(&fragment.as_bytes()[written..at])?;
        for unit in c.encode_utf16(&mut [0; 2]) {
            write!(writer, "\\u{unit:04x}")?;
        }
        written = at + c.len_utf8();
    }
    writer.write_all(&fragment.as_bytes()[written..])
}

impl Formatter for Visible {
    fn write_string_fragment<W: Write + ?Sized>(&mut self, writer: &mut W, fragment: &str) -> io::Result<()> {
        write_visibly(writer, fragment)
    }

    fn begin_array<W: Write + ?Sized>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.begin_array(writer)
    }

    fn end_array<W: Write + ?Sized>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.end_array(writer)
    }

    fn begin_array_value<W: Write + ?Sized>(&mut self, writer: &mut W, first: bool) -> io::Result<()> {
        self.0.begin_array_value(writer, first)
    }

    fn end_array_value<W: Write + ?Sized>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.end_array_value(writer)
    }

    fn begin_object<W: Write + ?Sized>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.begin_object(writer)
    }

    fn end_object<W: Write + ?Sized>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.end_object(writer)
    }

    fn begin_object_key<W: Write + ?Sized>(&mut self, writer: &mut W, first: bool) -> io::Result<()> {
        self.0.begin_object_key(writer, first)
    }

    fn begin_object_value<W: Write + ?Sized>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.begin_object_value(writer)
    }

    fn end_object_value<W: Write + ?Sized>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.end_object_value(writer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_seen_is_escaped_and_reads_the_same() {
        let hostile = "a\u{9b}31m\u{7f}\u{202e}b\u{2066}\u{200b}\u{e0041}é\"\\\n";
        let value = serde_json::json!({ hostile: [hostile, { "n": 1.5 }, []] });
        let written = String::from_utf8(pretty(&value).expect("JSON")).expect("UTF-8");
        let spelt = r#""a\u009b31m\u007f\u202eb\u2066\u200b\udb40\udc41é\"\\\n""#;
        assert_eq!(written.matches(spelt).count(), 2, "{written}");
        assert!(written.lines().flat_map(str::chars).all(|c| !is_unsafe(c)), "{written}");
        assert_eq!(serde_json::from_str::<serde_json::Value>(&written).expect("JSON"), value);
    }

    #[test]
    fn plain_values_are_spelt_as_serde_json_spells_them() {
        let value = serde_json::json!({ "a": [], "b": {}, "c": [1, "é", { "d": null }], "e": true });
        let mut usual = serde_json::to_vec_pretty(&value).expect("JSON");
        usual.push(b'\n');
        assert_eq!(pretty(&value).expect("JSON"), usual);
    }
}
