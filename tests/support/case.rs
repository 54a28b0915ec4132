//! The shared attack and fault cases, as they stand on disk.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

#[derive(serde::Deserialize)]
pub struct Case {
    pub id: String,
    pub want: String,
    pub trail_bucket: String,
    pub args: Args,
    pub objects: Vec<Object>,
    pub public_keys: Vec<Key>,
}

#[derive(serde::Deserialize)]
pub struct Args {
    pub start: String,
    pub end: String,
}

#[derive(serde::Deserialize)]
pub struct Object {
    pub bucket: String,
    pub key: String,
    body_base64: String,
    pub metadata: BTreeMap<String, String>,
    pub error: Option<String>,
    pub read_fault: Option<String>,
}

#[derive(serde::Deserialize)]
pub struct Key {
    fingerprint: String,
    der_base64: String,
}

impl Object {
    pub fn body(&self) -> Vec<u8> {
        STANDARD.decode(&self.body_base64).unwrap()
    }
}

impl Case {
    /// Whether it can only be told through S3.
    pub fn needs_s3(&self) -> bool {
        self.objects.iter().any(|object| object.error.is_some() || object.read_fault.is_some())
    }

    /// The exit code that belongs to the severity it wants.
    pub fn exit_code(&self) -> i32 {
        match self.want.as_str() {
            "tamper" | "malformed" => 1,
            "coverage" | "inconclusive" => 3,
            _ => 0,
        }
    }

    /// What ListPublicKeys would answer.
    pub fn keys(&self) -> Vec<Value> {
        let key = |key: &Key| serde_json::json!({"Value": key.der_base64, "Fingerprint": key.fingerprint});
        self.public_keys.iter().map(key).collect()
    }
}
