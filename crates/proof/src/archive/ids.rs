//! The identifiers that name things in an archive: organization, account, region.

use std::fmt;
use std::str::FromStr;

use compact_str::CompactString;

/// A 12-digit account id. Text, not a number: leading zeros are significant in keys and in tables.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AccountId([u8; 12]);

/// An organization id, `o-` and 10 to 32 lower-case letters or digits.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct OrgId(CompactString);

/// A Region name such as `eu-west-1`, in any partition.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Region(CompactString);

/// A text that is not the identifier it should be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is not {expected}")]
pub struct IdError {
    text: String,
    expected: &'static str,
}

impl IdError {
    fn new(text: &str, expected: &'static str) -> Self {
        Self { text: text.to_owned(), expected }
    }
}

impl AccountId {
    /// The twelve digits.
    pub fn as_str(&self) -> &str {
        str::from_utf8(&self.0).expect("FromStr lets only ASCII digits in")
    }
}

impl FromStr for AccountId {
    type Err = IdError;

    fn from_str(text: &str) -> Result<Self, IdError> {
        let digits: [u8; 12] =
            text.as_bytes().try_into().map_err(|_| IdError::new(text, "an account id of 12 digits"))?;
        if !digits.iter().all(u8::is_ascii_digit) {
            return Err(IdError::new(text, "an account id of 12 digits"));
        }
        Ok(Self(digits))
    }
}

impl OrgId {
    /// The id as it stands in keys.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for OrgId {
    type Err = IdError;

    fn from_str(text: &str) -> Result<Self, IdError> {
        let tail = text.strip_prefix("o-").unwrap_or_default();
        let well_formed =
            (10..=32).contains(&tail.len()) && tail.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit());
        if !well_formed {
            return Err(IdError::new(text, "an organization id (o- and 10 to 32 letters or digits)"));
        }
        Ok(Self(text.into()))
    }
}

impl Region {
    /// For what lies in no Region's folder; no text parses to it.
    pub fn none() -> Self {
        Self(CompactString::const_new("unknown"))
    }

    /// The name as it stands in keys.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The partition that the Region lies in, by its name.
    pub fn partition(&self) -> &'static str {
        let partitions = [
            ("cn-", "aws-cn"),
            ("us-gov-", "aws-us-gov"),
            ("us-iso-", "aws-iso"),
            ("us-isob-", "aws-iso-b"),
            ("eu-isoe-", "aws-iso-e"),
            ("us-isof-", "aws-iso-f"),
            ("eusc-", "aws-eusc"),
        ];
        partitions.into_iter().find(|(start, _)| self.0.starts_with(start)).map_or("aws", |(_, partition)| partition)
    }
}

impl FromStr for Region {
    type Err = IdError;

    /// Accepts `[a-z]{2,4}(-[a-z]+)+-[0-9]+`, which holds for every partition.
    fn from_str(text: &str) -> Result<Self, IdError> {
        let mut parts = text.split('-');
        let first = parts.next().unwrap_or_default();
        let last = parts.next_back().unwrap_or_default();
        let mut words = 0;
        let words_ok = parts.all(|word| {
            words += 1;
            !word.is_empty() && word.bytes().all(|b| b.is_ascii_lowercase())
        });
        let well_formed = (2..=4).contains(&first.len())
            && first.bytes().all(|b| b.is_ascii_lowercase())
            && words_ok
            && words >= 1
            && !last.is_empty()
            && text.len() <= 40
            && last.bytes().all(|b| b.is_ascii_digit());
        if !well_formed {
            return Err(IdError::new(text, "a Region name such as eu-west-1"));
        }
        Ok(Self(text.into()))
    }
}

macro_rules! text_like {
    ($($id:ty),*) => {$(
        impl fmt::Display for $id {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.as_str())
            }
        }
        impl fmt::Debug for $id {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.as_str())
            }
        }
        impl serde::Serialize for $id {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(self.as_str())
            }
        }
    )*};
}
text_like!(AccountId, OrgId, Region);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn regions_of_every_partition_parse() {
        for name in
            ["us-east-1", "us-gov-west-1", "cn-northwest-1", "eusc-de-east-1", "us-iso-east-1", "ap-southeast-7"]
        {
            assert_eq!(name.parse::<Region>().map(|r| r.to_string()), Ok(name.to_owned()));
        }
    }

    #[test]
    fn text_that_is_no_region_is_refused() {
        for name in ["", "us", "us-1", "us-east", "US-east-1", "us--1", "-east-1", "us-east-1a", "toolong-east-1"] {
            assert!(name.parse::<Region>().is_err(), "{name}");
        }
    }

    #[test]
    fn account_ids_keep_leading_zeros() {
        assert_eq!("000000000007".parse::<AccountId>().map(|a| a.to_string()), Ok("000000000007".to_owned()));
        assert!("00000000000７".parse::<AccountId>().is_err());
    }

    #[test]
    fn organization_ids_are_checked() {
        assert!("o-exampleorgid".parse::<OrgId>().is_ok());
        assert!("o-short".parse::<OrgId>().is_err());
        assert!("x-exampleorgid".parse::<OrgId>().is_err());
    }
}
