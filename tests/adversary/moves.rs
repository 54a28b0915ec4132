//! What is done to an archive, by somebody who may write to it and by honest tools.

use serde::{Deserialize, Serialize};

use super::spots::{Odd, Spot};

/// One move. Names are those of [`World`](super::model::World); segments are numbers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Move {
    Delete(String),
    /// From the digest of this number on.
    DeleteTail(usize, usize, Logs),
    /// Every digest of a segment's trail in its account and Region, with what they list.
    DeleteTrail(usize, Logs),
    /// Up to the digest of this number, and that one too.
    DeleteStart(usize, usize, Logs),
    /// Everything there is.
    Wipe,
    /// Replaces every digest by one that says that it lies elsewhere, signed with somebody else's key.
    ClaimMoved,
    /// Everything of a segment's account and Region, under all roots and of all kinds.
    DeletePlace(usize),
    /// The same of its account.
    DeleteAccount(usize),
    /// Everything of its account in the folders of the first day or of the second.
    DeleteDay(usize, u8),
    Replace(String, With),
    /// Replaces the digests from this number on.
    ReplaceTail(usize, usize, Logs, With),
    Exchange(String, String),
    /// Keeps so many per cent of the stored bytes.
    Truncate(String, u8),
    /// Adds a second gzip member.
    Append(String),
    SpoilSignature(String),
    /// Gives it the metadata of another.
    BorrowMetadata(String, String),
    Plant(Spot, With),
    Trouble(String, Trouble),
    /// Plants what cannot be read.
    PlantTrouble(Spot, Trouble),
    DenyFolder(usize, Folder),
    Keys(Offered),
    LoseMetadata(String),
    LoseAllMetadata,
    Recompress(String, u8),
    /// Fails so often and is then served.
    Passing(String, u8),
    /// Everything delivered before midnight is gone.
    Expire,
    /// The newest digest is not there yet.
    Late(usize),
    /// The archive was copied to another prefix, which the run is told of, or not.
    Copied(bool),
    /// A copy of an object under another log's name.
    CopyLog(String),
    /// A log or digest that a copy tool unpacked: without `.gz` in its name too.
    Unpack(String),
    /// In a directory: the file was moved elsewhere in it and is linked.
    LinkInside(String),
    /// In a directory: a folder among the logs of a segment is a link that leads out; whether its name is hidden.
    LinkFolder(usize, bool),
}

/// What becomes of the logs that digests list.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Logs {
    Kept,
    Deleted,
    Forged,
}

/// What an object is replaced by.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum With {
    /// No bytes at all.
    Empty,
    Junk,
    /// `{}`, compressed.
    Braces,
    /// A log without records, compressed: perhaps an older version of one.
    NoRecords,
    Forged,
    /// The same, not compressed.
    ForgedPlain,
    /// The object's own content with one bit changed.
    Flipped,
    /// Another genuine object, with its metadata.
    Of(String),
    /// A digest that fits its name, signed with somebody else's key.
    Signed,
    /// The same under the fingerprint of CloudTrail's.
    SignedAsCloudTrail,
}

/// Why something cannot be read: in a directory, links that lead out of it, in a circle or nowhere, and pipes.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Trouble {
    Denied,
    Kms,
    Glacier,
    Unavailable,
    Broken,
    /// A 404 that is not S3's.
    Proxy,
    /// Gone since it was listed.
    Vanished,
}

#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Folder {
    Account,
    Logs,
    Digests,
    Day,
}

/// Which keys the run is given.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Offered {
    All,
    None,
    SomebodyElses,
}

impl Move {
    /// What honest tools and CloudTrail itself do.
    pub fn is_honest(&self) -> bool {
        match self {
            Self::LoseMetadata(_)
            | Self::LoseAllMetadata
            | Self::Recompress(..)
            | Self::Passing(..)
            | Self::Expire
            | Self::Late(_)
            | Self::Copied(_)
            | Self::CopyLog(_)
            | Self::Unpack(_)
            | Self::LinkInside(_)
            | Self::LinkFolder(..)
            | Self::Keys(_)
            | Self::DenyFolder(..) => true,
            Self::Trouble(_, trouble) => *trouble != Trouble::Vanished,
            Self::Plant(spot, _) => matches!(spot, Spot::Outside { .. }) || spot.is_hidden(),
            _ => false,
        }
    }

    /// Whether it can be done to a directory.
    pub fn is_local(&self) -> bool {
        match self {
            Self::Passing(..) => false,
            Self::Trouble(_, trouble) => *trouble != Trouble::Vanished,
            Self::PlantTrouble(_, Trouble::Vanished) => false,
            Self::PlantTrouble(spot, _) | Self::Plant(spot, _) => {
                !matches!(spot, Spot::Odd { shape: Odd::Slash | Odd::EmptyPart, .. })
            }
            _ => true,
        }
    }
}
