//! The text that an escaped JSON string stands for.

/// Appends to `out` the text of a JSON string's inner bytes; false, with `out` as it was, for text that is not Unicode.
///
/// `inner` must have passed the walker, so every escape is well-formed; only lone surrogates remain, which no UTF-8
/// column can hold.
pub fn unescape(inner: &str, out: &mut String) -> bool {
    let before = out.len();
    let mut rest = inner;
    while let Some(at) = memchr::memchr(b'\\', rest.as_bytes()) {
        out.push_str(&rest[..at]);
        match escape(&rest.as_bytes()[at + 1..]) {
            Some((text, used)) => {
                out.push(text);
                rest = &rest[at + 1 + used..];
            }
            None => {
                out.truncate(before);
                return false;
            }
        }
    }
    out.push_str(rest);
    true
}

/// The character of one escape, and how many bytes after the backslash spell it.
fn escape(after: &[u8]) -> Option<(char, usize)> {
    let text = match *after.first()? {
        b'b' => '\u{8}',
        b'f' => '\u{c}',
        b'n' => '\n',
        b'r' => '\r',
        b't' => '\t',
        b'u' => return unicode(after),
        other @ (b'"' | b'\\' | b'/') => char::from(other),
        _ => return None,
    };
    Some((text, 1))
}

fn unicode(after: &[u8]) -> Option<(char, usize)> {
    let first = hex4(after.get(1..5)?)?;
    if let Some(text) = char::from_u32(first) {
        return Some((text, 5));
    }
    if !(0xd800..0xdc00).contains(&first) || after.get(5..7)? != b"\\u" {
        return None;
    }
    let second = hex4(after.get(7..11)?)?;
    if !(0xdc00..0xe000).contains(&second) {
        return None;
    }
    let text = char::from_u32(0x10000 + ((first - 0xd800) << 10) + (second - 0xdc00))?;
    Some((text, 11))
}

fn hex4(digits: &[u8]) -> Option<u32> {
    digits.iter().try_fold(0, |value, &digit| Some(value << 4 | char::from(digit).to_digit(16)?))
}

/// Whether two texts are equal. Those of up to 32 bytes, such as keys and the names that stand in most columns, are compared
/// without a call: by their beginnings and their ends, which overlap.
#[inline]
pub fn equal(a: &[u8], b: &[u8]) -> bool {
    fn ends<const N: usize>(a: &[u8], b: &[u8]) -> bool {
        a.first_chunk::<N>() == b.first_chunk::<N>() && a.last_chunk::<N>() == b.last_chunk::<N>()
    }
    a.len() == b.len()
        && match a.len() {
            4..=7 => ends::<4>(a, b),
            8..=15 => ends::<8>(a, b),
            16..=32 => ends::<16>(a, b),
            _ => a == b,
        }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn text(inner: &str) -> Option<String> {
        let mut out = String::new();
        unescape(inner, &mut out).then_some(out)
    }

    #[test]
    fn every_escape_is_its_character() {
        assert_eq!(text(r#"a\"\\\/\b\f\n\r\tz"#).as_deref(), Some("a\"\\/\u{8}\u{c}\n\r\tz"));
        assert_eq!(text(r"\u00e9\u0000\ud83d\ude00").as_deref(), Some("é\0😀"));
    }

    #[test]
    fn lone_surrogates_are_no_text() {
        for inner in [r"\ud83d", r"\ude00", r"\ud83dx", r"\ud83d\u0041", r"\ud83d\n"] {
            assert_eq!(text(inner), None, "{inner}");
        }
    }

    #[test]
    fn text_that_fails_leaves_nothing_behind() {
        let mut out = "kept".to_owned();
        assert!(!unescape(r"abc\ud83d", &mut out));
        assert_eq!(out, "kept");
    }

    proptest! {
        #[test]
        fn texts_are_equal_when_all_their_bytes_are(text in prop::collection::vec(any::<u8>(), 0..40), at in any::<prop::sample::Index>()) {
            let mut other = text.clone();
            prop_assert!(equal(&text, &other));
            prop_assert!(!equal(&text, &[&text[..], b"x"].concat()));
            if !text.is_empty() {
                other[at.index(text.len())] ^= 1;
                prop_assert!(!equal(&text, &other));
            }
        }

        #[test]
        fn agrees_with_serde_json(value in any::<String>()) {
            let json = serde_json::to_string(&value).unwrap();
            prop_assert_eq!(text(&json[1..json.len() - 1]), Some(value));
        }
    }
}
