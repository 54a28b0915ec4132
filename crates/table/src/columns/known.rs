//! Objects whose members were put into columns before, so that equal bytes are not taken apart again.
//!
//! Records of one session have the same `userIdentity`, byte for byte, and it fills a third of the columns. An object is
//! remembered with its field and with its key as spelled: the same text under another key fills other columns, and what no
//! column takes stands beside them under the key.

use std::hash::BuildHasher as _;
use std::ops::Range;

use hashbrown::{DefaultHashBuilder, HashTable};

use crate::event::Field;

/// Objects that are remembered at once; those met later are taken apart each time.
const OBJECTS: usize = 4096;

/// Longest object that is remembered, in bytes.
const LONGEST: usize = 4096;

/// Bytes of remembered texts after which no more are remembered.
const MOST_TEXTS: usize = 4 << 20;

/// What one member came to.
#[derive(Debug, Clone, Copy)]
pub(super) enum Filled {
    /// The number of a text.
    Text { column: usize, number: u32 },
    /// A truth value.
    Flag { column: usize, value: bool },
}

/// An object and where it stood: all that tells it from another, and so all that is hashed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Stood<'a> {
    /// Its field.
    pub(super) field: Field,
    /// Its key as spelled, without quotes.
    pub(super) key: &'a str,
    /// Its own text.
    pub(super) text: &'a str,
}

/// The objects of the rows at hand.
#[derive(Debug, Default)]
pub(super) struct KnownObjects {
    index: HashTable<u32>,
    objects: Vec<Object>,
    texts: String,
    filled: Vec<Filled>,
    hasher: DefaultHashBuilder,
}

#[derive(Debug)]
struct Object {
    field: Field,
    key: Range<usize>,
    text: Range<usize>,
    beside: Range<usize>,
    filled: Range<usize>,
    seen: u128,
    any_held: bool,
}

impl Object {
    fn stood<'t>(&self, texts: &'t str) -> Stood<'t> {
        Stood { field: self.field, key: &texts[self.key.clone()], text: &texts[self.text.clone()] }
    }
}

impl Stood<'_> {
    fn is_too_long(&self) -> bool {
        self.text.len() + self.key.len() > LONGEST
    }
}

/// What an object came to.
pub(super) struct Known<'k> {
    /// What its members came to.
    pub(super) filled: &'k [Filled],
    /// What stands in `extra_json` for it: a key and an object, or nothing.
    pub(super) beside: &'k str,
    /// One bit for each field in it.
    pub(super) seen: u128,
    /// Whether columns hold any of it.
    pub(super) any_held: bool,
}

impl KnownObjects {
    /// What was remembered of an object.
    pub(super) fn find(&self, stood: Stood<'_>) -> Option<Known<'_>> {
        if stood.is_too_long() {
            return None;
        }
        let &at = self.index.find(self.hasher.hash_one(stood), |&at| self.stood(at) == stood)?;
        let object = &self.objects[at as usize];
        Some(Known {
            filled: &self.filled[object.filled.clone()],
            beside: &self.texts[object.beside.clone()],
            seen: object.seen,
            any_held: object.any_held,
        })
    }

    /// Remembers an object that is not remembered yet.
    pub(super) fn remember(
        &mut self,
        stood: Stood<'_>,
        beside: &str,
        filled: impl Iterator<Item = Filled>,
        seen: u128,
        any_held: bool,
    ) {
        let Stood { field, key, text } = stood;
        if stood.is_too_long() || self.objects.len() == OBJECTS || self.texts.len() > MOST_TEXTS {
            return;
        }
        let start = self.texts.len();
        self.texts.extend([text, key, beside]);
        let key = start + text.len()..start + text.len() + key.len();
        let first = self.filled.len();
        self.filled.extend(filled);
        let at = self.objects.len() as u32;
        self.objects.push(Object {
            field,
            text: start..key.start,
            beside: key.end..self.texts.len(),
            key,
            filled: first..self.filled.len(),
            seen,
            any_held,
        });
        let (texts, objects, hasher) = (&self.texts, &self.objects, &self.hasher);
        let hash = |&at: &u32| hasher.hash_one(objects[at as usize].stood(texts));
        self.index.insert_unique(hash(&at), at, hash);
    }

    fn stood(&self, at: u32) -> Stood<'_> {
        self.objects[at as usize].stood(&self.texts)
    }

    /// Forgets them all; what was allocated stays.
    pub(super) fn clear(&mut self) {
        self.index.clear();
        self.objects.clear();
        self.texts.clear();
        self.filled.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A key can be spelled in as many ways as one likes (`\u0074lsDetails`), and so can an object, and whoever writes logs
    /// knows this file.
    #[test]
    fn what_is_remembered_is_found_without_comparing_it_with_all_the_rest() {
        let spellings: Vec<String> = (0..OBJECTS).map(|n| format!("\\u{n:04x}")).collect();
        let same_text = spellings.iter().map(|key| Stood { field: Field::TlsDetails, key, text: "{}" });
        let same_key = spellings.iter().map(|text| Stood { field: Field::TlsDetails, key: "tlsDetails", text });
        let same_strings = Field::ALL.iter().map(|&field| Stood { field, key: "k", text: "{}" });
        for objects in [same_text.collect::<Vec<_>>(), same_key.collect(), same_strings.collect()] {
            let mut known = KnownObjects::default();
            for &object in &objects {
                known.remember(object, "", std::iter::empty(), 0, false);
            }
            let mut compared = 0;
            for &object in &objects {
                assert!(known.find(object).is_some());
                // All that the search would compare with, were none of them the one.
                let none = known.index.find(known.hasher.hash_one(object), |_| {
                    compared += 1;
                    false
                });
                assert_eq!(none, None);
            }
            assert!(compared <= objects.len() * 4, "{compared} comparisons for {} objects", objects.len());
        }
    }
}
