//! Names and locations that can stand in SQL between quotes and mean nothing but themselves.

use std::fmt;
use std::str::FromStr;

/// The most characters of a name: Athena and `AWS Glue` take 255, others less.
const MOST_NAME: usize = 127;

/// Marks that a location may hold beside letters and digits. None ends or escapes a quoted text, opens a variable, or is a
/// pattern of file names.
const LOCATION_MARKS: &str = "/:.-_=+@,~%() ";

/// The name of a table or view: lower-case letters, digits and `_`, no digit first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TableName(String);

impl FromStr for TableName {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
        let starts = text.starts_with(|c: char| c.is_ascii_lowercase() || c == '_');
        if starts && text.len() <= MOST_NAME && text.chars().all(plain) {
            Ok(Self(text.to_owned()))
        } else {
            Err(format!("expected at most {MOST_NAME} of a-z, 0-9 and _, no digit first"))
        }
    }
}

impl fmt::Display for TableName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Where a table lies: a URI or a path, without a slash at the end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Location(String);

impl Location {
    /// Whether it is in a bucket, by the scheme that Athena knows.
    pub(super) fn is_s3(&self) -> bool {
        self.0.strip_prefix("s3://").is_some_and(|rest| !rest.is_empty() && !rest.starts_with('/'))
    }
}

impl FromStr for Location {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if let Some(c) = text.chars().find(|c| !c.is_alphanumeric() && !LOCATION_MARKS.contains(*c)) {
            return Err(format!("{c:?} cannot stand in a location that goes into SQL"));
        }
        let location = text.trim_end_matches('/');
        if location.is_empty() || location.ends_with(':') || location.trim() != location {
            return Err("expected where the table lies, such as s3://lake/cloudtrail".into());
        }
        Ok(Self(location.to_owned()))
    }
}

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
