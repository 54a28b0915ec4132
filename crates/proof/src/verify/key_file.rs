//! Reads saved public keys: what `aws cloudtrail list-public-keys` prints, or what `trailproof keys fetch` wrote.
//!
//! The two share one shape; ours adds to each key a `Region`, and who gave it to whom and when (`Partition`, `Endpoint`,
//! `Caller`, `FetchedTime`). Times may be numbers, numbers as text or RFC 3339, because versions of the AWS CLI differ.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::keys::{GivenKey, Provenance};
use super::window::Window;
use crate::archive::ids::Region;

/// A file that holds no keys.
#[derive(Debug, thiserror::Error)]
pub enum KeyFileError {
    /// Not JSON, or not in the shape of a key list.
    #[error("not a list of public keys ({0})")]
    Shape(#[from] serde_json::Error),
    /// A key whose `Value` is not base64.
    #[error("the Value of key {0:?} is not base64")]
    Value(String),
    /// A key with a Region that is none.
    #[error("the Region of key {0:?} is none")]
    Region(String),
}

#[derive(Serialize, Deserialize)]
struct File {
    #[serde(rename = "PublicKeyList", alias = "publicKeyList")]
    keys: Vec<Saved>,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Saved {
    #[serde(alias = "value")]
    value: String,
    #[serde(alias = "fingerprint")]
    fingerprint: String,
    #[serde(alias = "validityStartTime", default)]
    validity_start_time: Value,
    #[serde(alias = "validityEndTime", default)]
    validity_end_time: Value,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    region: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    fetched_time: Option<Timestamp>,
    /// Follows from the Region; written for people, not read.
    #[serde(default, skip_serializing_if = "Option::is_none", skip_deserializing)]
    partition: Option<&'static str>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    endpoint: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    caller: Option<String>,
}

/// Reads a key file.
///
/// # Errors
/// [`KeyFileError`] says what is not as it should be.
pub fn parse(bytes: &[u8]) -> Result<Vec<GivenKey>, KeyFileError> {
    let file: File = serde_json::from_slice(bytes)?;
    file.keys.into_iter().map(given).collect()
}

fn given(saved: Saved) -> Result<GivenKey, KeyFileError> {
    let der = STANDARD.decode(saved.value.trim()).map_err(|_| KeyFileError::Value(saved.fingerprint.clone()))?;
    let region: Option<Region> = match saved.region {
        Some(text) => Some(text.parse().map_err(|_| KeyFileError::Region(saved.fingerprint.clone()))?),
        None => None,
    };
    let validity = time(&saved.validity_start_time).zip(time(&saved.validity_end_time));
    let provenance = saved.endpoint.map(|endpoint| Provenance { endpoint, caller: saved.caller });
    Ok(GivenKey {
        fetched: saved.fetched_time,
        provenance,
        fingerprint: saved.fingerprint,
        der,
        region,
        validity: validity.map(|(from, to)| Window { from, to }),
    })
}

fn time(value: &Value) -> Option<Timestamp> {
    match value {
        Value::Number(seconds) => Timestamp::from_second(seconds.as_f64()? as i64).ok(),
        Value::String(text) => {
            text.parse().ok().or_else(|| Timestamp::from_second(text.parse::<f64>().ok()? as i64).ok())
        }
        _ => None,
    }
}

/// Writes a key file that [`parse`] and the AWS CLI's readers understand.
pub fn write(keys: &[GivenKey]) -> String {
    let bound = |key: &GivenKey, pick: fn(&Window) -> Timestamp| {
        key.validity.as_ref().map_or(Value::Null, |window| Value::String(pick(window).to_string()))
    };
    let saved = keys.iter().map(|key| Saved {
        value: STANDARD.encode(&key.der),
        fingerprint: key.fingerprint.clone(),
        validity_start_time: bound(key, |window| window.from),
        validity_end_time: bound(key, |window| window.to),
        region: key.region.as_ref().map(ToString::to_string),
        fetched_time: key.fetched,
        partition: key.region.as_ref().map(Region::partition),
        endpoint: key.provenance.as_ref().map(|provenance| provenance.endpoint.clone()),
        caller: key.provenance.as_ref().and_then(|provenance| provenance.caller.clone()),
    });
    let file = File { keys: saved.collect() };
    serde_json::to_string_pretty(&file).expect("texts always serialise") + "\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_spelling_of_a_key_list_is_read() {
        for text in [
            r#"{"PublicKeyList":[{"Value":"AAEC","ValidityStartTime":1767000000.0,"ValidityEndTime":1769592000.0,"Fingerprint":"ab"}],"NextToken":null}"#,
            r#"{"publicKeyList":[{"Value":"AAEC","ValidityStartTime":"1767000000.0","ValidityEndTime":"1769592000.0","Fingerprint":"ab"}]}"#,
            r#"{"PublicKeyList":[{"Value":"AAEC","ValidityStartTime":"2025-12-29T09:20:00+00:00","ValidityEndTime":"2026-01-28T09:20:00Z","Fingerprint":"ab"}]}"#,
        ] {
            let keys = parse(text.as_bytes()).expect(text);
            let window = Window {
                from: "2025-12-29T09:20:00Z".parse().expect("time"),
                to: "2026-01-28T09:20:00Z".parse().expect("time"),
            };
            let expected = GivenKey {
                fingerprint: "ab".into(),
                der: vec![0, 1, 2],
                region: None,
                validity: Some(window),
                fetched: None,
                provenance: None,
            };
            assert_eq!(keys, [expected]);
        }
    }

    #[test]
    fn a_written_file_is_read_back() {
        let key = GivenKey {
            fingerprint: "cd".into(),
            der: vec![7; 9],
            region: Some("eu-west-1".parse().expect("Region")),
            validity: None,
            fetched: Some(Timestamp::UNIX_EPOCH),
            provenance: Some(Provenance { endpoint: "https://a".into(), caller: Some("AKIA".into()) }),
        };
        assert_eq!(parse(write(std::slice::from_ref(&key)).as_bytes()).expect("readable"), [key]);
    }

    #[test]
    fn an_empty_list_is_a_list_and_anything_else_an_error() {
        assert_eq!(parse(br#"{"PublicKeyList":[]}"#).expect("a list"), []);
        assert!(matches!(parse(b"hello"), Err(KeyFileError::Shape(_))));
    }
}
