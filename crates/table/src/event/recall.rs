//! What was met in the logs before: which key follows which, and objects that come again and again.
//!
//! Records of one service write the same keys in the same order, and records of one session have the same
//! `userIdentity`, byte for byte. Bytes that are equal to bytes that were walked say the same, so they need not be
//! walked again, provided that they stand in the same scope: the same text means something else under another key.
//! What is remembered changes no result, only how soon it is there.

use std::hash::BuildHasher as _;

use hashbrown::DefaultHashBuilder;

use super::{Field, Member, Scope};

/// Objects remembered at once.
const OBJECTS: usize = 512;

/// Longest object that is remembered, in bytes. Those of CloudTrail stay under 1,500.
const LONGEST: usize = 4096;

/// Members that a remembered object lists at most. CloudTrail's have under 40.
const MOST_MEMBERS: usize = 128;

/// Places in [`Recall::followers`]: one for each field, then one for each scope, for what follows its brace or an
/// unknown key.
const PLACES: usize = Field::ALL.len() + Scope::COUNT;

/// What is remembered from log to log, with bounded memory: under 4 MB.
pub struct Recall {
    followers: [[Option<Field>; 2]; PLACES],
    objects: Vec<KnownObject>,
    hasher: DefaultHashBuilder,
}

/// An object and what the walk over it came to.
#[derive(Clone, Default)]
pub(super) struct KnownObject {
    text: Vec<u8>,
    /// Where it stood; none before anything is remembered.
    scope: Option<Scope>,
    /// Its members, with spans from its own start.
    pub(super) members: Vec<Member>,
    /// Deepest nesting in it, as the cursor counts it.
    pub(super) deepest: usize,
}

impl Default for Recall {
    fn default() -> Self {
        Self { followers: [[None; 2]; PLACES], objects: Vec::new(), hasher: DefaultHashBuilder::default() }
    }
}

impl Recall {
    /// The keys that came next the last times, behind this field of the scope.
    #[inline]
    pub(super) fn followers(&self, scope: Scope, before: Field) -> [Option<Field>; 2] {
        self.followers[place(scope, before)]
    }

    /// Notes which key came next.
    pub(super) fn note_follower(&mut self, scope: Scope, before: Field, field: Field) {
        if field != Field::Unknown {
            let [first, second] = &mut self.followers[place(scope, before)];
            *second = first.replace(field);
        }
    }

    /// Where an object of this scope that begins like `bytes` would be kept; `None` if it is too long for that.
    pub(super) fn slot(&self, scope: Scope, bytes: &[u8]) -> Option<usize> {
        // Up to the first closing brace an identity names its session.
        let end = memchr::memchr(b'}', &bytes[..bytes.len().min(LONGEST)])?;
        Some((self.hasher.hash_one(&bytes[..end]) as usize).wrapping_add(scope as usize) % OBJECTS)
    }

    /// The object remembered of this scope that `bytes` begin with, and its length.
    pub(super) fn object(&self, slot: usize, scope: Scope, bytes: &[u8]) -> Option<(&KnownObject, usize)> {
        let known = self.objects.get(slot)?;
        (known.scope == Some(scope) && bytes.starts_with(&known.text)).then_some((known, known.text.len()))
    }

    /// Remembers a walked object of a scope; the members' spans count from `base`.
    pub(super) fn remember(
        &mut self,
        slot: usize,
        scope: Scope,
        text: &[u8],
        (members, base): (&[Member], u32),
        deepest: usize,
    ) {
        if text.len() > LONGEST || members.len() > MOST_MEMBERS {
            return;
        }
        if self.objects.is_empty() {
            self.objects.resize(OBJECTS, KnownObject::default());
        }
        let known = &mut self.objects[slot];
        known.scope = Some(scope);
        known.text.clear();
        known.text.extend_from_slice(text);
        known.members.clear();
        known.members.extend(members.iter().map(|member| member.moved(|at| at - base)));
        known.deepest = deepest;
    }
}

#[inline]
fn place(scope: Scope, before: Field) -> usize {
    match before {
        Field::Unknown => Field::ALL.len() + scope as usize,
        field => field as usize,
    }
}
