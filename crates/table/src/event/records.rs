//! Walks a log's container and yields its entries one by one.
//!
//! ```text
//! Start ─ '{' ─▶ Key ─ "Records":[ ─▶ Element ⇄ AfterElement ─ ']' ─▶ AfterMember ─ '}' ─▶ End ─▶ Done
//!    └─── '[' ──────────────────────────▲                  └─ outermost ']' of a bare array ─▶ End
//! any broken syntax ─▶ one Malformed with the rest ─▶ Done
//! ```

use std::ops::Range;

use super::scan::{Cursor, Syntax, SyntaxError};
use super::{
    Defect, Entry, Field, Kind, MAX_CONTENT, MAX_DEPTH, MAX_ENTRY, Malformed, Member, Recall, Record, Scope, Span,
    equal, unescape,
};

/// Members listed per record, so that how many lie in one fits 16 bits. AWS caps a record at 256 KB, which cannot hold as
/// many.
const MAX_MEMBERS: usize = 65_536;

/// Longest key that means something, in bytes.
const LONGEST_KEY: usize = 64;

/// The entries of one log, in source order.
///
/// Accepts `{"Records":[…]}` with other members anywhere, a bare array, and arrays inside either (aggregated events).
pub struct Records<'a, 'r> {
    cursor: Cursor<'a>,
    /// The whole log as text, when it is all UTF-8; else each record is checked by itself.
    text: Option<&'a str>,
    state: State,
    /// Arrays open around the next element.
    arrays: usize,
    in_object: bool,
    records_seen: bool,
    /// Container members beside `Records` that no entry holds yet; they are adjacent.
    beside: Option<Range<usize>>,
    /// What is left of an entry that is longer than any may be.
    rest: Option<Range<usize>>,
    index: u64,
    tape: Vec<Member>,
    recall: &'r mut Recall,
    too_many: bool,
}

#[derive(Clone, Copy)]
enum State {
    Start,
    Key { first: bool },
    AfterMember,
    Element { first: bool },
    AfterElement,
    End,
    Done,
}

/// The span of an entry, and its defect if it is malformed.
type Found = (Range<usize>, Option<Defect>);

/// Broken syntax, and where the bytes start that no entry holds yet.
struct Broken {
    from: usize,
    error: SyntaxError,
}

impl<'a, 'r> Records<'a, 'r> {
    /// Stands before the first entry of an inflated log. Walks over many logs share what they recall.
    ///
    /// # Panics
    /// When `content` is longer than [`MAX_CONTENT`].
    pub fn new(content: &'a [u8], recall: &'r mut Recall) -> Self {
        assert!(content.len() <= MAX_CONTENT, "a log that is walked is held whole, and so is no longer");
        Self {
            cursor: Cursor::new(content),
            text: str::from_utf8(content).ok(),
            state: State::Start,
            arrays: 0,
            in_object: false,
            records_seen: false,
            beside: None,
            rest: None,
            index: 0,
            tape: Vec::new(),
            recall,
            too_many: false,
        }
    }

    /// The next entry; `None` once every byte is accounted for.
    pub fn next_entry(&mut self) -> Option<Entry<'a, '_>> {
        let (mut span, mut defect) = loop {
            if let Some(rest) = self.rest.take() {
                break (rest, Some(Defect::Continued));
            }
            if let State::Done = self.state {
                return None;
            }
            match self.step() {
                Ok(None) => {}
                Ok(Some(found)) => break found,
                Err(Broken { from, error }) => {
                    self.state = State::Done;
                    let from = self.beside.take().map_or(from, |beside| beside.start);
                    break (from..self.cursor.bytes.len(), Some(Defect::Syntax(error)));
                }
            }
        };
        if span.len() > MAX_ENTRY {
            defect = defect.or(Some(Defect::TooLong));
            self.rest = Some(span.start + MAX_ENTRY..span.end);
            span.end = span.start + MAX_ENTRY;
        }
        let index = self.index;
        self.index += 1;
        let raw = &self.cursor.bytes[span.clone()];
        let malformed = |defect| Entry::Malformed(Malformed { index, offset: span.start, raw, defect });
        if let Some(defect) = defect {
            return Some(malformed(defect));
        }
        let text = match self.text {
            Some(all) => &all[span.clone()],
            None => match str::from_utf8(raw) {
                Ok(text) => text,
                Err(_) => return Some(malformed(Defect::NotUtf8)),
            },
        };
        Some(Entry::Record(Record { index, offset: span.start, text, members: &self.tape }))
    }

    /// One move of the walk: the span of an entry and its defect, if it is malformed; or nothing yet.
    fn step(&mut self) -> Result<Option<Found>, Broken> {
        self.cursor.space();
        let at = self.cursor.at;
        let next = self.cursor.peek();
        let broken = |error| Broken { from: at, error };
        let expected = |expected| broken(SyntaxError { offset: at, expected });
        match (self.state, next) {
            (State::Start, Some(b'{')) => {
                self.cursor.at += 1;
                self.in_object = true;
                self.state = State::Key { first: true };
            }
            (State::Start, Some(b'[')) => {
                self.open_array();
                self.records_seen = true;
            }
            (State::Start, _) => {
                self.cursor.value().map_err(|error| Broken { from: 0, error })?;
                self.state = State::End;
                return Ok(Some((at..self.cursor.at, Some(Defect::NoRecords))));
            }
            (State::Key { first: true }, Some(b'}')) | (State::AfterMember, Some(b'}')) => {
                self.cursor.at += 1;
                self.state = State::End;
            }
            (State::Key { .. }, _) => return self.container_member(at).map_err(broken),
            (State::AfterMember, Some(b',')) => {
                self.cursor.at += 1;
                self.state = State::Key { first: false };
            }
            (State::Element { first: true } | State::AfterElement, Some(b']')) => {
                self.cursor.at += 1;
                self.arrays -= 1;
                self.state = match (self.arrays, self.in_object) {
                    (0, true) => State::AfterMember,
                    (0, false) => State::End,
                    _ => State::AfterElement,
                };
            }
            (State::Element { .. }, Some(b'[')) => self.open_array(),
            (State::Element { .. }, Some(b'{')) => {
                self.state = State::AfterElement;
                let defect = self.record().map_err(broken)?;
                return Ok(Some((at..self.cursor.at, defect)));
            }
            (State::Element { .. }, _) => {
                self.state = State::AfterElement;
                self.cursor.value().map_err(broken)?;
                return Ok(Some((at..self.cursor.at, Some(Defect::NotAnObject))));
            }
            (State::AfterElement, Some(b',')) => {
                self.cursor.at += 1;
                self.state = State::Element { first: false };
            }
            (State::AfterMember | State::AfterElement, _) => return Err(expected(Syntax::CommaOrClose)),
            (State::End, _) => return Ok(self.end(at)),
            (State::Done, _) => {}
        }
        Ok(None)
    }

    fn open_array(&mut self) {
        self.cursor.at += 1;
        self.arrays += 1;
        self.state = State::Element { first: true };
    }

    /// A member of the container, whose key starts at `at`.
    fn container_member(&mut self, at: usize) -> Result<Option<Found>, SyntaxError> {
        let escaped = self.cursor.key()?;
        let key = &self.cursor.bytes[at + 1..self.cursor.at - 1];
        let is_records = key == b"Records" || escaped && unescaped(key).as_deref() == Some("Records");
        if is_records && let Some(beside) = self.beside.take() {
            self.cursor.at = at;
            return Ok(Some((beside, Some(Defect::BesideRecords))));
        }
        self.cursor.colon()?;
        let value = self.cursor.at;
        if is_records {
            self.records_seen = true;
            if self.cursor.peek() == Some(b'[') {
                self.open_array();
                return Ok(None);
            }
            self.cursor.value()?;
            self.state = State::AfterMember;
            return Ok(Some((value..self.cursor.at, Some(Defect::RecordsNotAnArray))));
        }
        self.cursor.value()?;
        self.state = State::AfterMember;
        self.beside = Some(self.beside.as_ref().map_or(at, |run| run.start)..self.cursor.at);
        Ok(None)
    }

    /// What is left to say at the end of the container; `at` is past the whitespace behind it.
    fn end(&mut self, at: usize) -> Option<(Range<usize>, Option<Defect>)> {
        if self.in_object {
            self.in_object = false;
            let beside = self.beside.take();
            if !self.records_seen {
                return Some((0..at, Some(Defect::NoRecords)));
            }
            if let Some(beside) = beside {
                return Some((beside, Some(Defect::BesideRecords)));
            }
        }
        self.state = State::Done;
        let rest = at..self.cursor.bytes.len();
        (!rest.is_empty()).then_some((rest, Some(Defect::Trailing)))
    }

    /// Walks the object that starts here onto the tape.
    fn record(&mut self) -> Result<Option<Defect>, SyntaxError> {
        self.tape.clear();
        self.too_many = false;
        self.cursor.deepest = 0;
        let start = self.cursor.at;
        self.members(Scope::Record, start)?;
        // An opened object lies at most four levels deep, which the cursor does not count.
        Ok(if self.cursor.deepest > MAX_DEPTH - 4 {
            Some(Defect::TooDeep)
        } else if self.too_many {
            Some(Defect::TooManyMembers)
        } else {
            None
        })
    }

    /// Walks one object; recursion follows [`Field::opens`], so it is at most four deep.
    fn members(&mut self, scope: Scope, base: usize) -> Result<(), SyntaxError> {
        self.cursor.at += 1;
        self.cursor.space();
        if self.cursor.peek() == Some(b'}') {
            self.cursor.at += 1;
            return Ok(());
        }
        let mut before = Field::Unknown;
        loop {
            let (field, key) = self.key(scope, before)?;
            before = field;
            let value_at = self.cursor.at;
            let slot = self.tape.len();
            self.too_many |= slot >= MAX_MEMBERS;
            if !self.too_many {
                let key = Span::of(key.start - base..key.end - base);
                self.tape.push(Member { field, kind: Kind::Object, inner: 0, key, value: Span::of(0..0) });
            }
            let kind = match field.opens() {
                Some(inner) if self.cursor.peek() == Some(b'{') => {
                    self.opened(inner, base)?;
                    Kind::Object
                }
                _ => self.cursor.value()?,
            };
            let inner = self.tape.len().saturating_sub(slot + 1);
            if let Some(member) = self.tape.get_mut(slot) {
                member.kind = kind;
                member.inner = inner as u16;
                member.value = Span::of(value_at - base..self.cursor.at - base);
            }
            self.cursor.space();
            match self.cursor.peek() {
                Some(b',') => {
                    self.cursor.at += 1;
                    self.cursor.space();
                }
                Some(b'}') => {
                    self.cursor.at += 1;
                    return Ok(());
                }
                _ => return Err(self.cursor.error(Syntax::CommaOrClose)),
            }
        }
    }

    /// Moves past a key and its colon, to the value: which field it is, and where the key stands, without quotes.
    #[inline]
    fn key(&mut self, scope: Scope, before: Field) -> Result<(Field, Range<usize>), SyntaxError> {
        let at = self.cursor.at;
        let rest = self.cursor.bytes.get(at..).unwrap_or_default();
        for field in self.recall.followers(scope, before).into_iter().flatten() {
            let spelled = field.spelled();
            if rest.get(..spelled.len()).is_some_and(|key| equal(key, spelled)) {
                self.cursor.at += spelled.len();
                self.cursor.space();
                return Ok((field, at + 1..at + spelled.len() - 2));
            }
        }
        let escaped = self.cursor.key()?;
        let key = at + 1..self.cursor.at - 1;
        let field = field_of(scope, &self.cursor.bytes[key.clone()], escaped);
        self.cursor.colon()?;
        self.recall.note_follower(scope, before, field);
        Ok((field, key))
    }

    /// Walks an opened object, or takes over what an earlier walk over the same bytes came to.
    fn opened(&mut self, scope: Scope, base: usize) -> Result<(), SyntaxError> {
        // Only whole identities and the like are worth remembering, not each part of them.
        let start = self.cursor.at;
        let rest = &self.cursor.bytes[start..];
        let Some(slot) = field_is_outer(scope).then(|| self.recall.slot(scope, rest)).flatten() else {
            return self.members(scope, base);
        };
        let moved = (start - base) as u32;
        if let Some((known, length)) = self.recall.object(slot, scope, rest)
            && self.tape.len() + known.members.len() <= MAX_MEMBERS
        {
            self.tape.extend(known.members.iter().map(|member| member.moved(|at| at + moved)));
            self.cursor.deepest = self.cursor.deepest.max(known.deepest);
            self.cursor.at += length;
            return Ok(());
        }
        let outside = std::mem::take(&mut self.cursor.deepest);
        let first = self.tape.len();
        self.members(scope, base)?;
        if !self.too_many {
            let text = &self.cursor.bytes[start..self.cursor.at];
            self.recall.remember(slot, scope, text, (&self.tape[first..], moved), self.cursor.deepest);
        }
        self.cursor.deepest = self.cursor.deepest.max(outside);
        Ok(())
    }
}

/// Whether a scope lies directly in the record.
fn field_is_outer(scope: Scope) -> bool {
    matches!(scope, Scope::UserIdentity | Scope::TlsDetails)
}

#[inline]
fn field_of(scope: Scope, key: &[u8], escaped: bool) -> Field {
    if !escaped {
        return Field::lookup(scope, key);
    }
    unescaped(key).map_or(Field::Unknown, |key| Field::lookup(scope, key.as_bytes()))
}

/// The text of an escaped key; none for one that is longer than any known key is, spelled in escapes throughout.
fn unescaped(key: &[u8]) -> Option<String> {
    if key.len() > 6 * LONGEST_KEY {
        return None;
    }
    let mut text = String::new();
    unescape(str::from_utf8(key).ok()?, &mut text).then_some(text)
}

#[cfg(test)]
#[path = "records_tests.rs"]
mod tests;
