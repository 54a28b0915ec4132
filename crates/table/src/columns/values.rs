//! The values of one column, as rows come in: kept so that they can be written in another order without moving them.

use std::hash::BuildHasher as _;
use std::ops::Range;

use hashbrown::{DefaultHashBuilder, HashTable};

use crate::event::equal;

/// The values of one column.
#[derive(Debug)]
pub enum Values {
    /// Texts or bytes.
    Texts(Texts),
    /// Truth values.
    Flags(Flags),
    /// Whole numbers, or milliseconds since 1970.
    Numbers(Numbers),
    /// Lists of structs of texts.
    Lists(Lists),
}

/// Texts, each distinct one once.
///
/// A column whose texts seldom repeat keeps every text as its own, so that nothing is looked up in vain.
#[derive(Debug)]
pub struct Texts {
    /// For each row, the number of its text.
    keys: Vec<u32>,
    /// Where each text starts in `bytes`, and where the last ends.
    bounds: Vec<usize>,
    bytes: Vec<u8>,
    /// Numbers of texts by hash; none when texts are not looked up.
    known: Option<HashTable<u32>>,
    hasher: DefaultHashBuilder,
    /// Bytes that it took the most so far.
    most: usize,
}

/// The number that stands for no text.
const NO_TEXT: u32 = u32::MAX;

impl Texts {
    /// An empty column; `repeat` says whether the same text is expected again and again.
    pub(super) fn new(repeat: bool) -> Self {
        Self {
            keys: Vec::new(),
            bounds: vec![0],
            bytes: Vec::new(),
            known: repeat.then(HashTable::new),
            hasher: DefaultHashBuilder::default(),
            most: 0,
        }
    }

    /// Whether the same text is expected again and again.
    pub fn repeat(&self) -> bool {
        self.known.is_some()
    }

    /// Distinct texts; for a column that does not look them up, all of them.
    pub fn distinct(&self) -> usize {
        self.bounds.len() - 1
    }

    /// The number of a row's text, if it has one. Numbers count from 0 in the order in which texts first came.
    pub fn key(&self, row: u32) -> Option<u32> {
        self.keys.get(row as usize).copied().filter(|&key| key != NO_TEXT)
    }

    /// Puts into `keys` the number of each row's text, in this order, rows without one left out; answers for each row
    /// whether it has one, or nothing when all are alike.
    pub fn keys_in_order(&self, order: &[u32], keys: &mut Vec<u32>) -> Vec<bool> {
        keys.clear();
        if self.keys.is_empty() {
            return Vec::new();
        }
        keys.extend(order.iter().map(|&row| self.keys.get(row as usize).copied().unwrap_or(NO_TEXT)));
        let has_text: Vec<bool> = match keys.contains(&NO_TEXT) {
            true => keys.iter().map(|&key| key != NO_TEXT).collect(),
            false => Vec::new(),
        };
        keys.retain(|&key| key != NO_TEXT);
        has_text
    }

    /// The text of a number.
    pub fn text(&self, key: u32) -> &[u8] {
        text_of(&self.bounds, &self.bytes, key)
    }

    /// Gives `row` a text. Rows come in order; those left out have none.
    pub(super) fn set(&mut self, row: usize, text: &[u8]) {
        let key = self.number(text);
        self.set_number(row, key);
    }

    /// Gives `row` the text of a number.
    pub(super) fn set_number(&mut self, row: usize, key: u32) {
        if self.keys.len() < row {
            self.keys.resize(row, NO_TEXT);
        }
        self.keys.push(key);
    }

    /// Gives each of these rows the text of a number.
    pub(super) fn set_rows(&mut self, rows: Range<usize>, key: u32) {
        self.keys.resize(rows.start, NO_TEXT);
        self.keys.resize(rows.end, key);
    }

    /// The number of a text, which is kept if it is new.
    pub(super) fn number(&mut self, text: &[u8]) -> u32 {
        // Rows of one log have much in common with the row before.
        if self.known.is_some()
            && let Some(&last) = self.keys.last()
            && last != NO_TEXT
            && equal(self.text(last), text)
        {
            return last;
        }
        let new = u32::try_from(self.distinct()).expect("rows are written out long before there are so many texts");
        if let Some(known) = &mut self.known {
            let hash = self.hasher.hash_one(text);
            let of = |key: u32| text_of(&self.bounds, &self.bytes, key);
            if let Some(&key) = known.find(hash, |&key| equal(of(key), text)) {
                return key;
            }
            known.insert_unique(hash, new, |&key| self.hasher.hash_one(of(key)));
        }
        self.bytes.extend_from_slice(text);
        self.bounds.push(self.bytes.len());
        new
    }

    /// Bytes of memory that were used at least once.
    fn touched(&self) -> usize {
        let known = self.known.as_ref().map_or(0, |known| known.len() * 5);
        self.most
            .max(self.bytes.len() + self.bounds.len() * size_of::<usize>() + self.keys.len() * size_of::<u32>() + known)
    }

    fn clear(&mut self) {
        self.most = self.touched();
        self.keys.clear();
        self.bounds.truncate(1);
        self.bytes.clear();
        if let Some(known) = &mut self.known {
            known.clear();
        }
    }
}

#[inline]
fn text_of<'a>(bounds: &[usize], bytes: &'a [u8], key: u32) -> &'a [u8] {
    let key = key as usize;
    &bytes[bounds[key]..bounds[key + 1]]
}

/// Truth values.
#[derive(Debug, Default)]
pub struct Flags(Vec<Option<bool>>);

impl Flags {
    /// A row's value.
    pub fn get(&self, row: u32) -> Option<bool> {
        self.0.get(row as usize).copied().flatten()
    }

    pub(super) fn set(&mut self, row: usize, value: bool) {
        if self.0.len() < row {
            self.0.resize(row, None);
        }
        self.0.push(Some(value));
    }
}

/// Whole numbers.
#[derive(Debug, Default)]
pub struct Numbers(Vec<Option<i64>>);

impl Numbers {
    /// A row's value.
    pub fn get(&self, row: u32) -> Option<i64> {
        self.0.get(row as usize).copied().flatten()
    }

    pub(super) fn set(&mut self, row: usize, value: i64) {
        if self.0.len() < row {
            self.0.resize(row, None);
        }
        self.0.push(Some(value));
    }
}

/// Lists of structs whose members are texts.
#[derive(Debug)]
pub struct Lists {
    /// For each row, its elements among all; none where there is no list.
    spans: Vec<Option<(u32, u32)>>,
    elements: u32,
    members: Vec<Texts>,
}

impl Lists {
    /// No lists; `repeat` says whether the same texts are expected again and again.
    pub(super) fn new(members: usize, repeat: bool) -> Self {
        Self { spans: Vec::new(), elements: 0, members: (0..members).map(|_| Texts::new(repeat)).collect() }
    }

    /// A row's list: the numbers of its elements.
    pub fn get(&self, row: u32) -> Option<Range<u32>> {
        self.spans.get(row as usize).copied().flatten().map(|(start, end)| start..end)
    }

    /// One member of every element; an element's number takes the place of the row.
    pub fn member(&self, member: usize) -> &Texts {
        &self.members[member]
    }

    /// Starts a row's list.
    pub(super) fn start(&mut self, row: usize) {
        self.spans.resize(row, None);
        self.spans.push(Some((self.elements, self.elements)));
    }

    /// Adds an element to the list that was started last.
    pub(super) fn add<'a>(&mut self, members: impl Iterator<Item = Option<&'a str>>) {
        for (texts, member) in self.members.iter_mut().zip(members) {
            if let Some(text) = member {
                texts.set(self.elements as usize, text.as_bytes());
            }
        }
        self.elements += 1;
        if let Some(Some((_, end))) = self.spans.last_mut() {
            *end = self.elements;
        }
    }
}

impl Values {
    /// Bytes of memory for texts that were used at least once since the column was made.
    pub(super) fn touched(&self) -> usize {
        match self {
            Self::Texts(texts) => texts.touched(),
            Self::Lists(lists) => lists.members.iter().map(Texts::touched).sum(),
            Self::Flags(_) | Self::Numbers(_) => 0,
        }
    }

    /// Takes every row out; what was allocated stays.
    pub(super) fn clear(&mut self) {
        match self {
            Self::Texts(texts) => texts.clear(),
            Self::Flags(Flags(flags)) => flags.clear(),
            Self::Numbers(Numbers(numbers)) => numbers.clear(),
            Self::Lists(lists) => {
                lists.spans.clear();
                lists.elements = 0;
                lists.members.iter_mut().for_each(Texts::clear);
            }
        }
    }
}
