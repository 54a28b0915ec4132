//! Whether an archive goes on after a digest that is gone with everything of its time: lifecycle rules leave what is new.
//!
//! An archive that goes on shows newer digests, under the same root or where the chain moved to. One that could not be read
//! or checked may be such a digest, and so may one that was not asked for.

use std::collections::HashMap;

use jiff::Timestamp;

use crate::archive::key;
use crate::archive::scope::Scope;
use crate::checkpoint::{Head, State};
use crate::verify::chain::{ChainId, ChainSummary};

/// Whether the archive goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum GoesOn {
    /// It does, or nobody expects it of the digest that is gone.
    Yes,
    /// Everything was looked at, and nothing newer is there.
    No,
    /// Why that is not known.
    Unknown(&'static str),
}

/// Why it is not known whether an archive goes on of which only a part was listed.
const PART: &str = "nothing newer is in what was asked for, which is a part of the archive";

/// The newest that the archive shows.
pub(super) struct Newest<'a> {
    of_chain: HashMap<&'a ChainId, Timestamp>,
    under_root: HashMap<&'a str, Timestamp>,
    /// Why there may be something newer all the same.
    unknown: Option<&'static str>,
}

impl<'a> Newest<'a> {
    /// Takes it from the chains of what was asked for.
    pub(super) fn of(chains: &'a [ChainSummary], scope: &Scope, listed_whole: bool, now: Timestamp) -> Self {
        let Scope { to, accounts, regions, trails, .. } = scope;
        let is_to_the_end = to.is_none_or(|to| to >= now);
        let unknown = if !is_to_the_end || !accounts.is_empty() || !regions.is_empty() || !trails.is_empty() {
            Some(PART)
        } else if !listed_whole {
            Some("a folder could not be listed")
        } else {
            let is_unread = chains.iter().any(|chain| chain.unreadable > 0);
            is_unread.then_some("digests that may be newer could not be read or checked")
        };
        let mut newest = Self { of_chain: HashMap::new(), under_root: HashMap::new(), unknown };
        for chain in chains {
            let Some(last) = chain.last else { continue };
            newest.of_chain.insert(&chain.chain, last);
            if let Some(head) = &chain.head {
                let known = newest.under_root.entry(key::parse(&head.key).root).or_insert(last);
                *known = last.max(*known);
            }
        }
        newest
    }

    /// Whether the archive below `prefix` goes on after a head under a root. That is expected of the newest of a chain that
    /// went on.
    pub(super) fn goes_on(&self, prefix: &str, root: &str, head: &Head) -> GoesOn {
        let newest = [self.of_chain.get(&head.chain), self.under_root.get(root)];
        if head.state != State::Open || newest.into_iter().flatten().any(|&last| last > head.end) {
            return GoesOn::Yes;
        }
        let unknown = if root.starts_with(prefix) { self.unknown } else { Some(PART) };
        unknown.map_or(GoesOn::No, GoesOn::Unknown)
    }
}
