//! Reads a digest's JSON, and nothing that CloudTrail would not have written.
//!
//! Unknown fields are fine, because the signature covers the bytes and not what we make of them. Everything that two
//! readers could understand differently (duplicate keys, a byte order mark, missing fields, half a predecessor) is
//! [`Malformed`]. Not here: whether the signature holds ([`super::chain`]).
//! Spec: <https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-log-file-validation-digest-file-structure.html>

use jiff::Timestamp;
use simd_json::{ErrorType, Node, StaticNode};

use crate::finding::{MAX_TEXT, cut};
use crate::sha256::Sha256;

/// The largest content that is believed to be a digest's, in bytes: an entry takes about 400, so that this is 40,000 logs in
/// an hour of one account and Region.
pub const MAX_CONTENT: usize = 16 << 20;

/// Nesting that CloudTrail's digests never come near.
const MAX_DEPTH: usize = 32;

/// Bytes that each quotation mark, bracket, comma and colon has on average in a digest, at least; in CloudTrail's it is 9.
/// What a parser takes in memory goes by their number, and not by the content's length.
const MIN_BYTES_PER_TOKEN: usize = 6;

/// Tokens that a digest may have whatever its length.
const MIN_TOKENS: usize = 1_000;

/// Longest text that is taken over from a digest, in bytes: S3's keys are at most 1,024, and a signature by the largest key
/// that is used is as long in hex.
const MAX_FIELD: usize = 1_024;

/// The algorithm CloudTrail signs with.
pub const SIGNATURE_ALGORITHM: &str = "SHA256withRSA";

/// The algorithm CloudTrail hashes with.
pub const HASH_ALGORITHM: &str = "SHA-256";

/// Why a digest cannot be understood.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Malformed(pub String);

/// A bucket and key as a digest records them.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Recorded {
    /// Bucket name.
    pub bucket: String,
    /// Object key.
    pub key: String,
}

impl std::fmt::Display for Recorded {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "s3://{}/{}", self.bucket, self.key)
    }
}

/// A move of a whole archive: what digests record under `from` now lies under `to`.
///
/// Buckets and keys are signed, so an archive that was copied elsewhere is checked against where it was.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Relocation {
    /// Bucket and prefix as digests record them.
    pub from: Recorded,
    /// Bucket (empty for a directory) and prefix where the objects lie now.
    pub to: Recorded,
}

impl Relocation {
    fn apply(&self, place: &mut Recorded) {
        if place.bucket == self.from.bucket
            && let Some(rest) = place.key.strip_prefix(&self.from.key)
        {
            *place = Recorded { bucket: self.to.bucket.clone(), key: format!("{}{rest}", self.to.key) };
        }
    }
}

/// Whether a bucket was named by an alias of an access point, which does not tell the bucket's own name. S3 lets no bucket's
/// name end so.
pub fn is_alias(bucket: &str) -> bool {
    ["-s3alias", "--ol-s3", ".mrap"].iter().any(|suffix| bucket.ends_with(suffix))
}

/// One log that a digest vouches for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Where CloudTrail put it.
    pub log: Recorded,
    /// SHA-256 of its inflated content.
    pub hash: Sha256,
    /// Whether the hash was written with upper-case digits.
    pub upper_case: bool,
}

/// What a digest says of the one before it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Previous {
    /// Where it was put.
    pub digest: Recorded,
    /// SHA-256 of its inflated content.
    pub hash: Sha256,
    /// Its signature, hex as written.
    pub signature: String,
    /// Whether the hash was written with upper-case digits.
    pub upper_case: bool,
}

/// A digest's content.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Digest {
    /// The account it was delivered for.
    pub account: String,
    /// Start of the time it covers (by delivery, not by event).
    pub start: Timestamp,
    /// End of the time it covers.
    pub end: Timestamp,
    /// The end exactly as written, which is what is signed.
    pub end_text: String,
    /// Where CloudTrail put it, or, after a move, where it should lie now.
    pub place: Recorded,
    /// Where CloudTrail put it, which is what is signed.
    pub signed_place: Recorded,
    /// MD5 of the public key's DER, hex.
    pub fingerprint: String,
    /// `SHA256withRSA`.
    pub signature_algorithm: String,
    /// Absent in a starting digest.
    pub previous: Option<Previous>,
    /// The logs it vouches for.
    pub entries: Vec<Entry>,
}

impl Digest {
    /// Reads a digest's inflated bytes.
    ///
    /// # Errors
    /// [`Malformed`] says what CloudTrail would not have written.
    pub fn parse(content: &[u8]) -> Result<Self, Malformed> {
        if content.starts_with(&[0xef, 0xbb, 0xbf]) {
            return fail("it starts with a byte order mark");
        }
        if content.len() > MAX_CONTENT {
            return fail(format!("it is longer than {MAX_CONTENT} bytes"));
        }
        let shape = Shape::of(content);
        if shape.too_deep {
            return fail(format!("it nests deeper than {MAX_DEPTH} levels"));
        }
        if shape.tokens > MIN_TOKENS.max(content.len() / MIN_BYTES_PER_TOKEN) {
            return fail(format!("it has {} values and marks in {} bytes", shape.tokens, content.len()));
        }
        let (mut copy, mut plain);
        copy = content.to_vec();
        let tape = match simd_json::to_tape(&mut copy) {
            // A number that no machine holds is JSON all the same, and no field that is read is a number.
            Err(error) if matches!(error.error(), ErrorType::InvalidNumber) => {
                plain = without_numbers(content);
                simd_json::to_tape(&mut plain)
            }
            other => other,
        };
        let tape = tape.map_err(|error| Malformed(format!("it is not JSON ({error})")))?;
        let nodes = tape.0.as_slice();
        check_keys(nodes)?;
        let digest = Object::at(nodes, 0).ok_or_else(|| Malformed("it is not a JSON object".into()))?;
        Self::from_object(&digest)
    }

    fn from_object(digest: &Object<'_, '_>) -> Result<Self, Malformed> {
        let end_text = digest.text("digestEndTime")?.to_owned();
        let place = recorded(digest, "digestS3Bucket", "digestS3Object")?;
        let parsed = Self {
            account: digest.text("awsAccountId")?.to_owned(),
            start: time("digestStartTime", digest.text("digestStartTime")?)?,
            end: time("digestEndTime", &end_text)?,
            end_text,
            signed_place: place.clone(),
            place,
            fingerprint: digest.text("digestPublicKeyFingerprint")?.to_owned(),
            signature_algorithm: digest.text("digestSignatureAlgorithm")?.to_owned(),
            previous: previous(digest)?,
            entries: entries(digest)?,
        };
        for extreme in ["newestEventTime", "oldestEventTime"] {
            digest.text_or_null(extreme)?;
        }
        if parsed.start > parsed.end {
            return fail(format!("it starts at {} after its end at {}", parsed.start, parsed.end));
        }
        if parsed.previous.as_ref().is_some_and(|previous| previous.digest == parsed.place) {
            return fail("it names itself as the digest before it");
        }
        Ok(parsed)
    }

    /// Reads every recorded place as moved.
    pub fn relocate(&mut self, moves: &[Relocation]) {
        for relocation in moves {
            relocation.apply(&mut self.place);
            if let Some(previous) = &mut self.previous {
                relocation.apply(&mut previous.digest);
            }
            for entry in &mut self.entries {
                relocation.apply(&mut entry.log);
            }
        }
    }

    /// Reads the bucket that the digest says it lies in as this one, whose own name is not known.
    pub fn take_bucket_as(&mut self, alias: &str) {
        let place = |bucket: &str| Recorded { bucket: bucket.to_owned(), key: String::new() };
        let (from, to) = (place(&self.place.bucket), place(alias));
        self.relocate(&[Relocation { from, to }]);
    }

    /// The bytes that CloudTrail signed, given the SHA-256 of this digest's content.
    pub fn string_to_sign(&self, hash: &Sha256) -> String {
        let previous = self.previous.as_ref().map_or("null", |previous| previous.signature.as_str());
        let place = &self.signed_place;
        format!("{}\n{}/{}\n{hash}\n{previous}", self.end_text, place.bucket, place.key)
    }
}

fn fail<T>(why: impl Into<String>) -> Result<T, Malformed> {
    Err(Malformed(cut(why, MAX_TEXT)))
}

fn time(field: &str, text: &str) -> Result<Timestamp, Malformed> {
    text.parse().or_else(|_| fail(format!("{field} is {text:?}, not a time")))
}

fn recorded(object: &Object<'_, '_>, bucket: &str, key: &str) -> Result<Recorded, Malformed> {
    Ok(Recorded { bucket: object.text(bucket)?.to_owned(), key: object.text(key)?.to_owned() })
}

fn hash(object: &Object<'_, '_>, value: &str, algorithm: &str) -> Result<(Sha256, bool), Malformed> {
    let named = object.text(algorithm)?;
    if named != HASH_ALGORITHM {
        return fail(format!("{algorithm} is {named:?}, not {HASH_ALGORITHM}"));
    }
    let text = object.text(value)?;
    let Some(hash) = Sha256::from_hex(text) else { return fail(format!("{value} is {text:?}, not 64 hex digits")) };
    Ok((hash, text.bytes().any(|b| b.is_ascii_uppercase())))
}

fn previous(digest: &Object<'_, '_>) -> Result<Option<Previous>, Malformed> {
    const FIELDS: [&str; 5] = [
        "previousDigestS3Bucket",
        "previousDigestS3Object",
        "previousDigestHashValue",
        "previousDigestHashAlgorithm",
        "previousDigestSignature",
    ];
    let mut given = 0;
    for field in FIELDS {
        given += usize::from(digest.text_or_null(field)?.is_some());
    }
    match given {
        0 => Ok(None),
        5 => {
            let (hash, upper_case) = hash(digest, FIELDS[2], FIELDS[3])?;
            let signature = digest.text(FIELDS[4])?.to_owned();
            Ok(Some(Previous { digest: recorded(digest, FIELDS[0], FIELDS[1])?, hash, signature, upper_case }))
        }
        _ => fail(format!("{given} of the five previousDigest fields are given and the others are null")),
    }
}

fn entries(digest: &Object<'_, '_>) -> Result<Vec<Entry>, Malformed> {
    let Some(Node::Array { len, .. }) = digest.value("logFiles").map(|at| digest.nodes[at]) else {
        return fail("logFiles is not a list");
    };
    let mut entries = Vec::new();
    let mut at = digest.value("logFiles").map_or(0, |at| at + 1);
    for _ in 0..len {
        let entry =
            Object::at(digest.nodes, at).ok_or_else(|| Malformed("an entry of logFiles is not an object".into()))?;
        let (hash, upper_case) = hash(&entry, "hashValue", "hashAlgorithm")?;
        for extreme in ["newestEventTime", "oldestEventTime"] {
            if entry.value(extreme).is_some() {
                entry.text_or_null(extreme)?;
            }
        }
        entries.push(Entry { log: recorded(&entry, "s3Bucket", "s3Object")?, hash, upper_case });
        at += span(&digest.nodes[at]);
    }
    Ok(entries)
}

/// An object on the tape.
struct Object<'t, 'j> {
    nodes: &'t [Node<'j>],
    start: usize,
    len: usize,
}

impl<'t, 'j> Object<'t, 'j> {
    fn at(nodes: &'t [Node<'j>], at: usize) -> Option<Self> {
        match nodes.get(at)? {
            Node::Object { len, .. } => Some(Self { nodes, start: at + 1, len: *len }),
            _ => None,
        }
    }

    /// Where the value of `field` stands on the tape.
    fn value(&self, field: &str) -> Option<usize> {
        let mut at = self.start;
        for _ in 0..self.len {
            if matches!(self.nodes[at], Node::String(key) if key == field) {
                return Some(at + 1);
            }
            at += 1 + span(&self.nodes[at + 1]);
        }
        None
    }

    fn text_or_null(&self, field: &str) -> Result<Option<&'j str>, Malformed> {
        match self.value(field).map(|at| self.nodes[at]) {
            Some(Node::String(text)) if text.len() > MAX_FIELD => fail(format!("{field} is {} bytes long", text.len())),
            Some(Node::String(text)) => Ok(Some(text)),
            Some(Node::Static(StaticNode::Null)) => Ok(None),
            Some(_) => fail(format!("{field} is not a text")),
            None => fail(format!("{field} is missing")),
        }
    }

    fn text(&self, field: &str) -> Result<&'j str, Malformed> {
        self.text_or_null(field)?.ok_or_else(|| Malformed(format!("{field} is null")))
    }
}

/// Nodes that a value takes on the tape.
fn span(node: &Node<'_>) -> usize {
    match node {
        Node::Object { count, .. } | Node::Array { count, .. } => count + 1,
        Node::String(_) | Node::Static(_) => 1,
    }
}

/// Refuses an object at any level that has two values for one key.
fn check_keys(nodes: &[Node<'_>]) -> Result<(), Malformed> {
    for (at, node) in nodes.iter().enumerate() {
        let Node::Object { len, .. } = node else { continue };
        let mut keys = Vec::with_capacity(*len);
        let mut next = at + 1;
        for _ in 0..*len {
            if let Node::String(key) = nodes[next] {
                keys.push(key);
            }
            next += 1 + span(&nodes[next + 1]);
        }
        keys.sort_unstable();
        if let Some(pair) = keys.windows(2).find(|pair| pair[0] == pair[1]) {
            return fail(format!("it has two values for {:?}", pair[0]));
        }
    }
    Ok(())
}

/// The same document with a `0` for every number that is JSON's.
fn without_numbers(content: &[u8]) -> Vec<u8> {
    let mut plain = Vec::with_capacity(content.len());
    let (mut in_string, mut at) = (false, 0);
    while let Some(&byte) = content.get(at) {
        if !in_string && (byte == b'-' || byte.is_ascii_digit()) {
            let run = content[at..].iter().take_while(|b| b.is_ascii_digit() || b"+-.eE".contains(b)).count();
            let text = &content[at..at + run];
            plain.extend(if is_number(text) { b"0" } else { text });
            at += run;
            continue;
        }
        let taken = if in_string && byte == b'\\' { 2 } else { 1 };
        in_string ^= byte == b'"';
        plain.extend(&content[at..content.len().min(at + taken)]);
        at += taken;
    }
    plain
}

/// RFC 8259 §6.
fn is_number(text: &[u8]) -> bool {
    let digits = |text: &[u8]| text.iter().take_while(|b| b.is_ascii_digit()).count();
    let mut rest = text.strip_prefix(b"-").unwrap_or(text);
    let whole = digits(rest);
    if whole == 0 || (whole > 1 && rest[0] == b'0') {
        return false;
    }
    rest = &rest[whole..];
    if let Some(fraction) = rest.strip_prefix(b".") {
        let len = digits(fraction);
        if len == 0 {
            return false;
        }
        rest = &fraction[len..];
    }
    if let Some(exponent) = rest.strip_prefix(b"e").or_else(|| rest.strip_prefix(b"E")) {
        let exponent = exponent.strip_prefix(b"+").or_else(|| exponent.strip_prefix(b"-")).unwrap_or(exponent);
        return !exponent.is_empty() && digits(exponent) == exponent.len();
    }
    rest.is_empty()
}

/// What a document costs to parse, from a linear look before anything is parsed or recurses.
struct Shape {
    /// Brackets outside strings nest deeper than any digest's do.
    too_deep: bool,
    /// Strings, brackets, commas and colons. Each value but the first has one of the last three before it.
    tokens: usize,
}

impl Shape {
    fn of(content: &[u8]) -> Self {
        let (mut depth, mut deepest, mut tokens, mut rest) = (0_usize, 0, 0, content);
        while let Some((&byte, after)) = rest.split_first() {
            rest = after;
            match byte {
                b'"' => rest = behind_string(rest),
                b'[' | b'{' => {
                    depth += 1;
                    deepest = deepest.max(depth);
                }
                b']' | b'}' => depth = depth.saturating_sub(1),
                b',' | b':' => {}
                _ => continue,
            }
            tokens += 1;
        }
        Self { too_deep: deepest > MAX_DEPTH, tokens }
    }
}

/// What follows a string, of which `text` is what follows its first quote.
fn behind_string(mut text: &[u8]) -> &[u8] {
    while let Some(at) = memchr::memchr2(b'"', b'\\', text) {
        if text[at] == b'"' {
            return &text[at + 1..];
        }
        text = text.get(at + 2..).unwrap_or_default();
    }
    &[]
}

#[cfg(test)]
mod tests {
    use serde_json::value::RawValue;

    use super::*;

    /// Every text of these characters, up to a length.
    fn texts(characters: &str, up_to: usize) -> Vec<String> {
        let mut texts = vec![String::new()];
        let mut first = 0;
        for _ in 0..up_to {
            let next = texts.len();
            for at in first..next {
                texts.extend(characters.chars().map(|c| format!("{}{c}", texts[at])).collect::<Vec<_>>());
            }
            first = next;
        }
        texts
    }

    #[test]
    fn a_number_is_what_another_parser_takes_for_one() {
        for text in texts("012-+.eE", 5) {
            assert_eq!(is_number(text.as_bytes()), serde_json::from_str::<&RawValue>(&text).is_ok(), "{text}");
        }
    }

    #[test]
    fn beside_a_number_too_large_for_a_machine_everything_must_be_json_still() {
        let with = |value: &str| Digest::parse(format!("{{\"new\":[1e999,{value}]}}").as_bytes()).map(|_| ());
        // What is missing is told where the document is JSON.
        let lacks = fail("digestEndTime is missing");
        for value in ["-0", "-1e-999", "0.5", "1E+9", "\"-01 \\\" 01\"", "{\"1e999\":[-1]}"] {
            assert_eq!(with(value), lacks, "{value}");
        }
        for value in ["01", "-01", "1.", ".5", "1e", "1e+", "+1", "-", "--1", "-+1", "1.5.5", "1e5e5", "0x1", "1-1"] {
            assert_ne!(with(value), lacks, "{value}");
        }
    }

    #[test]
    fn a_document_of_marks_is_refused_before_it_is_parsed() {
        for piece in ["1,", "[],", "{},", "\"\",", ",", ":", "[", "{\"a\":1},"] {
            let document = format!("[{}1]", piece.repeat(1_000_000));
            let Malformed(why) = Digest::parse(document.as_bytes()).expect_err("no digest");
            assert!(why.contains("values and marks") || why.contains("nests deeper"), "{piece}: {why}");
        }
    }

    #[test]
    fn a_text_longer_than_any_of_a_digest_is_told_by_its_length() {
        let long = "x".repeat(1 << 20);
        for document in [
            format!("{{\"digestEndTime\":\"{long}\"}}"),
            format!("{{\"{long}\":1,\"{long}\":2}}"),
            format!("{{\"digestEndTime\":\"{}\"}}", "x".repeat(MAX_FIELD + 1)),
        ] {
            let Malformed(why) = Digest::parse(document.as_bytes()).expect_err("no digest");
            assert!(why.len() < MAX_TEXT + 30, "{}", why.len());
        }
    }

    #[test]
    fn brackets_count_outside_texts_alone() {
        let open = |levels: usize| "[".repeat(levels);
        for (document, deep) in [
            (open(32), false),
            (open(33), true),
            ("[]".repeat(99), false),
            ("{".repeat(33), true),
            (format!("\"{}", open(99)), false),
            (format!("\"\\\"{}", open(99)), false),
            // A text that ends in a backslash ends at its quotation mark.
            (format!("\"\\\\\"{}", open(33)), true),
            (format!("\"[\"{}", open(32)), false),
            (format!("{}\"]]]]\",{}", open(30), open(3)), true),
            (format!("{}]]{}", open(30), open(4)), false),
        ] {
            assert_eq!(Shape::of(document.as_bytes()).too_deep, deep, "{document}");
        }
    }
}
