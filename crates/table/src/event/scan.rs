//! A validating cursor over JSON bytes: it moves past values and says what they were, and keeps nothing.
//!
//! Invariants: without recursion, so nesting costs one bit a level; every byte is looked at once, eight at a time
//! inside strings. UTF-8 is not checked here.

use super::Kind;

/// Why the bytes are not JSON, and where.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{expected} at byte {offset}")]
pub struct SyntaxError {
    /// From the start of the log.
    pub offset: usize,
    /// What would have been right there.
    pub expected: Syntax,
}

/// What the grammar asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Syntax {
    /// A value.
    #[error("expected a value")]
    Value,
    /// A key.
    #[error("expected a key")]
    Key,
    /// `:` after a key.
    #[error("expected ':'")]
    Colon,
    /// `,` or the closing bracket.
    #[error("expected ',' or the closing bracket")]
    CommaOrClose,
    /// A closing quote before the end or before a control character.
    #[error("expected the string to go on")]
    String,
    /// One of JSON's escapes.
    #[error("expected a JSON escape")]
    Escape,
    /// A digit.
    #[error("expected a digit")]
    Digit,
}

/// A place in the bytes of one log.
#[derive(Debug, Clone)]
pub(super) struct Cursor<'a> {
    pub(super) bytes: &'a [u8],
    pub(super) at: usize,
    /// Deepest nesting that [`value`](Self::value) met since this was last set.
    pub(super) deepest: usize,
}

impl<'a> Cursor<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0, deepest: 0 }
    }

    #[inline]
    pub(super) fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    pub(super) fn error(&self, expected: Syntax) -> SyntaxError {
        SyntaxError { offset: self.at, expected }
    }

    /// Moves past whitespace.
    #[inline]
    pub(super) fn space(&mut self) {
        while let Some(b' ' | b'\n' | b'\r' | b'\t') = self.peek() {
            self.at += 1;
        }
    }

    /// Moves past `:` and the whitespace around it.
    #[inline]
    pub(super) fn colon(&mut self) -> Result<(), SyntaxError> {
        self.space();
        if self.peek() != Some(b':') {
            return Err(self.error(Syntax::Colon));
        }
        self.at += 1;
        self.space();
        Ok(())
    }

    /// Moves past a key; true if it holds an escape.
    #[inline]
    pub(super) fn key(&mut self) -> Result<bool, SyntaxError> {
        if self.peek() != Some(b'"') { Err(self.error(Syntax::Key)) } else { self.string() }
    }

    /// Moves past one value of any kind.
    pub(super) fn value(&mut self) -> Result<Kind, SyntaxError> {
        match self.peek() {
            Some(b'{') => self.container().map(|()| Kind::Object),
            Some(b'[') => self.container().map(|()| Kind::Array),
            _ => self.scalar(),
        }
    }

    fn container(&mut self) -> Result<(), SyntaxError> {
        let mut open = Nesting::default();
        loop {
            match self.peek() {
                Some(bracket @ (b'{' | b'[')) => {
                    open.push(bracket == b'{');
                    self.deepest = self.deepest.max(open.depth);
                    self.at += 1;
                    self.space();
                    let empty = self.peek() == Some(bracket + 2);
                    if !empty {
                        if bracket == b'{' {
                            self.key()?;
                            self.colon()?;
                        }
                        continue;
                    }
                }
                _ => {
                    self.scalar()?;
                }
            }
            loop {
                self.space();
                match (self.peek(), open.in_object()) {
                    (Some(b','), true) => {
                        self.at += 1;
                        self.space();
                        self.key()?;
                        self.colon()?;
                        break;
                    }
                    (Some(b','), false) => {
                        self.at += 1;
                        self.space();
                        break;
                    }
                    (Some(b'}'), true) | (Some(b']'), false) => {
                        self.at += 1;
                        open.pop();
                        if open.depth == 0 {
                            return Ok(());
                        }
                    }
                    _ => return Err(self.error(Syntax::CommaOrClose)),
                }
            }
        }
    }

    #[inline]
    fn scalar(&mut self) -> Result<Kind, SyntaxError> {
        match self.peek() {
            Some(b'"') => Ok(if self.string()? { Kind::Escaped } else { Kind::Plain }),
            Some(b't') => self.literal(b"true", Kind::True),
            Some(b'f') => self.literal(b"false", Kind::False),
            Some(b'n') => self.literal(b"null", Kind::Null),
            Some(b'-' | b'0'..=b'9') => self.number(),
            _ => Err(self.error(Syntax::Value)),
        }
    }

    fn literal(&mut self, word: &[u8], kind: Kind) -> Result<Kind, SyntaxError> {
        if !self.bytes[self.at..].starts_with(word) {
            return Err(self.error(Syntax::Value));
        }
        self.at += word.len();
        Ok(kind)
    }

    fn number(&mut self) -> Result<Kind, SyntaxError> {
        if self.peek() == Some(b'-') {
            self.at += 1;
        }
        if self.peek() == Some(b'0') {
            self.at += 1;
        } else {
            self.digits()?;
        }
        if self.peek() == Some(b'.') {
            self.at += 1;
            self.digits()?;
        }
        if let Some(b'e' | b'E') = self.peek() {
            self.at += 1;
            if let Some(b'+' | b'-') = self.peek() {
                self.at += 1;
            }
            self.digits()?;
        }
        Ok(Kind::Number)
    }

    fn digits(&mut self) -> Result<(), SyntaxError> {
        let start = self.at;
        while self.peek().is_some_and(|byte| byte.is_ascii_digit()) {
            self.at += 1;
        }
        if self.at == start { Err(self.error(Syntax::Digit)) } else { Ok(()) }
    }

    /// Moves past a string whose opening quote is here; true if it holds an escape.
    #[inline]
    fn string(&mut self) -> Result<bool, SyntaxError> {
        let mut escaped = false;
        self.at += 1;
        loop {
            self.at = plain_until(self.bytes, self.at);
            match self.peek() {
                Some(b'"') => {
                    self.at += 1;
                    return Ok(escaped);
                }
                Some(b'\\') => {
                    escaped = true;
                    self.escape()?;
                }
                _ => return Err(self.error(Syntax::String)),
            }
        }
    }

    fn escape(&mut self) -> Result<(), SyntaxError> {
        let length = match self.bytes.get(self.at + 1) {
            Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => 2,
            Some(b'u') if self.bytes[self.at + 2..].len() >= 4 => {
                if !self.bytes[self.at + 2..self.at + 6].iter().all(u8::is_ascii_hexdigit) {
                    return Err(self.error(Syntax::Escape));
                }
                6
            }
            _ => return Err(self.error(Syntax::Escape)),
        };
        self.at += length;
        Ok(())
    }
}

/// The first place from `at` on that holds a quote, a backslash or a control character; the end if none does.
#[inline]
fn plain_until(bytes: &[u8], mut at: usize) -> usize {
    while let Some(word) = bytes.get(at..).and_then(|rest| rest.first_chunk::<8>()) {
        let stops = stops(u64::from_le_bytes(*word));
        if stops != 0 {
            return at + (stops.trailing_zeros() / 8) as usize;
        }
        at += 8;
    }
    let tail = bytes.get(at..).unwrap_or_default();
    at + tail.iter().position(|&byte| byte == b'"' || byte == b'\\' || byte < 0x20).unwrap_or(tail.len())
}

/// The high bit of each byte that ends a run of plain text. Borrows can set bits above a true one, never below it, so
/// the lowest bit is exact.
#[inline]
const fn stops(word: u64) -> u64 {
    const ONES: u64 = u64::MAX / 255;
    const HIGH: u64 = ONES * 0x80;
    let quote = word ^ (ONES * b'"' as u64);
    let backslash = word ^ (ONES * b'\\' as u64);
    let quote = quote.wrapping_sub(ONES) & !quote;
    let backslash = backslash.wrapping_sub(ONES) & !backslash;
    let control = word.wrapping_sub(ONES * 0x20) & !word;
    (quote | backslash | control) & HIGH
}

/// Which brackets are open: one bit each, 1 for an object, the innermost lowest.
#[derive(Default)]
struct Nesting {
    depth: usize,
    low: u64,
    outer: Vec<u64>,
}

impl Nesting {
    #[inline]
    fn push(&mut self, object: bool) {
        if self.depth > 0 && self.depth.is_multiple_of(64) {
            self.outer.push(self.low);
        }
        self.depth += 1;
        self.low = self.low << 1 | u64::from(object);
    }

    #[inline]
    fn pop(&mut self) {
        self.depth -= 1;
        self.low >>= 1;
        if self.depth > 0 && self.depth.is_multiple_of(64) {
            self.low = self.outer.pop().unwrap_or_default();
        }
    }

    #[inline]
    fn in_object(&self) -> bool {
        self.low & 1 == 1
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn accepts(text: &[u8]) -> bool {
        let mut cursor = Cursor::new(text);
        cursor.space();
        let valid = cursor.value().is_ok();
        cursor.space();
        valid && cursor.at == text.len()
    }

    /// Bytes that are often nearly JSON.
    fn nearly_json() -> impl Strategy<Value = Vec<u8>> {
        let piece = prop::sample::select(vec![
            "{",
            "}",
            "[",
            "]",
            ",",
            ":",
            "\"",
            "\\",
            " ",
            "\n",
            "null",
            "true",
            "false",
            "tru",
            "0",
            "1",
            "-",
            ".",
            "e",
            "E+",
            "12",
            "01",
            "\"a\"",
            "\"a\":",
            "\"\\u00e9\"",
            "\"\\ud800\"",
            "\\u",
            "\"\\x\"",
            "é",
            "\u{1}",
            "\0",
            "{\"k\":1}",
            "[1,2]",
            "\"0123456789abcdef\"",
            "\u{7f}",
        ]);
        prop::collection::vec(piece, 0..24).prop_map(|pieces| pieces.concat().into_bytes())
    }

    proptest! {
        #[test]
        fn accepts_what_serde_json_accepts(text in nearly_json()) {
            let theirs = serde_json::from_slice::<&serde_json::value::RawValue>(&text).is_ok();
            prop_assert_eq!(accepts(&text), theirs);
        }

        #[test]
        fn plain_text_ends_where_a_byte_loop_says(bytes in prop::collection::vec(any::<u8>(), 0..40), at in 0usize..8) {
            let at = at.min(bytes.len());
            let slow = (at..bytes.len()).find(|&i| bytes[i] == b'"' || bytes[i] == b'\\' || bytes[i] < 0x20);
            prop_assert_eq!(plain_until(&bytes, at), slow.unwrap_or(bytes.len()));
        }
    }

    #[test]
    fn nesting_of_any_depth_is_walked_and_measured() {
        for depth in [1, 63, 64, 65, 128, 129, 100_000] {
            let text = [vec![b'['; depth], vec![b']'; depth]].concat();
            let mut cursor = Cursor::new(&text);
            assert_eq!(cursor.value(), Ok(Kind::Array));
            assert_eq!((cursor.deepest, cursor.at), (depth, text.len()));
            let mixed = [br#"{"a":["#.repeat(depth), b"]}".repeat(depth)].concat();
            assert!(accepts(&mixed), "{depth}");
            let crossed = [b"[".repeat(depth), b"]".repeat(depth - 1), b"}".to_vec()].concat();
            assert!(!accepts(&crossed), "{depth}");
        }
    }
}
