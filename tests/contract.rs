//! What every source must do, over a directory and over S3 through the real client; and what only S3 can do wrong.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use crate::support::s3::{BUCKET, Fault, Server, TokioSleep};
use aws_config::{BehaviorVersion, SdkConfig};
use aws_sdk_s3::config::{Credentials, Region, SharedCredentialsProvider};
use jiff::Timestamp;
use trailproof::fetch::{Patience, Retry};
use trailproof::source::aws::Aws;
use trailproof::source::directory::Directory;
use trailproof::source::s3::S3Source;
use trailproof::source::{Body, DigestMetadata, ListRequest, ObjectRef, Source, SourceError};

const LONG: &str = "AWSLogs/o-exampleorgid/111122223333/CloudTrail-Digest/ap-southeast-3/2026/01/02/";

/// Keys that clients and servers get wrong, and the order of a listing: `-` before `/`.
fn objects() -> Vec<(String, Vec<u8>, BTreeMap<String, String>)> {
    let metadata = BTreeMap::from([
        ("signature".to_owned(), "ab".repeat(256)),
        ("signature-algorithm".to_owned(), "SHA256withRSA".to_owned()),
        ("backfill-generation-timestamp".to_owned(), "2026-01-05T00:00:00Z".to_owned()),
    ]);
    let trail = "n".repeat(128);
    let long =
        format!("{LONG}111122223333_CloudTrail-Digest_ap-southeast-3_{trail}_us-east-1_20260102T030131Z.json.gz");
    let plain = ["a-b", "a/b", "a/c/d e+f%20g&h=i", "ä/ö", "z"];
    let mut objects: Vec<_> =
        plain.iter().map(|key| ((*key).to_owned(), [b"\x1f\x8b ", key.as_bytes()].concat(), BTreeMap::new())).collect();
    objects.push((long, b"\x1f\x8bdigest".to_vec(), metadata));
    objects.push(("empty".to_owned(), Vec::new(), BTreeMap::new()));
    objects.sort();
    objects
}

async fn aws(server: &Server) -> Aws {
    let config = SdkConfig::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new("us-east-1"))
        .endpoint_url(server.url())
        .credentials_provider(SharedCredentialsProvider::new(Credentials::new("test", "test", None, None, "test")))
        .sleep_impl(aws_sdk_s3::config::SharedAsyncSleep::new(TokioSleep))
        .build();
    Aws::from_config(config, true)
}

fn object(bucket: &str, key: &str) -> ObjectRef {
    ObjectRef { bucket: bucket.into(), key: key.to_owned() }
}

async fn list_all<S: Source>(
    source: &S,
    bucket: &str,
    prefix: &str,
    by_folder: bool,
) -> (Vec<(String, u64)>, Vec<String>) {
    let (mut objects, mut folders, mut continuation) = (Vec::new(), Vec::new(), None::<String>);
    loop {
        let request = ListRequest { bucket, prefix, by_folder, continuation: continuation.as_deref(), after: None };
        let page = source.list(request).await.unwrap();
        objects.extend(page.objects.into_iter().map(|listed| (listed.key, listed.size)));
        folders.extend(page.folders);
        continuation = page.next;
        if continuation.is_none() {
            return (objects, folders);
        }
    }
}

async fn bytes(body: Result<Body, SourceError>) -> Result<Vec<u8>, SourceError> {
    match body? {
        Body::Bytes(bytes) => Ok(bytes.to_vec()),
        Body::File(file) => {
            let mut buffer = Vec::new();
            file.read(&mut buffer, 1 << 20).map(|()| buffer)
        }
    }
}

/// The suite.
async fn holds_the_contract<S: Source>(source: &S, bucket: &str) {
    let expected: Vec<(String, u64)> = objects().into_iter().map(|(key, body, _)| (key, body.len() as u64)).collect();
    assert_eq!(list_all(source, bucket, "", false).await, (expected.clone(), vec![]));

    let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
    let (objects_here, folders) = list_all(source, bucket, "", true).await;
    assert_eq!(folders, names(&["AWSLogs/", "a/", "ä/"]));
    assert_eq!(objects_here.into_iter().map(|(key, _)| key).collect::<Vec<_>>(), names(&["a-b", "empty", "z"]));
    let (objects_here, folders) = list_all(source, bucket, "a/", true).await;
    assert_eq!((objects_here, folders), (vec![("a/b".to_owned(), 6)], names(&["a/c/"])));
    assert_eq!(list_all(source, bucket, "nothing/here/", true).await, (vec![], vec![]));
    let after = ListRequest { bucket, prefix: "a/", by_folder: false, continuation: None, after: Some("a/b") };
    let behind = source.list(after).await.unwrap().objects;
    assert_eq!(behind.into_iter().map(|listed| listed.key).collect::<Vec<_>>(), names(&["a/c/d e+f%20g&h=i"]));

    for (key, body, metadata) in objects() {
        let place = object(bucket, &key);
        assert_eq!(bytes(source.read(&place, u64::MAX).await).await.as_ref(), Ok(&body), "{key}");
        let (read, told) = source.read_digest(&place, u64::MAX).await.unwrap();
        assert_eq!(bytes(Ok(read)).await.as_ref(), Ok(&body), "{key}");
        let expected = DigestMetadata::from_pairs(metadata.iter().map(|(name, value)| (name.as_str(), value.as_str())));
        assert_eq!(told, expected, "{key}");
    }
    let gone = object(bucket, "a/gone");
    assert_eq!(bytes(source.read(&gone, u64::MAX).await).await, Err(SourceError::Missing));
}

#[tokio::test]
async fn a_directory_holds_the_contract() {
    let archive = crate::support::Archive::new();
    for (key, body, metadata) in objects() {
        archive.put(&key, &body, &metadata);
    }
    let source = Directory::open(&archive.bucket()).unwrap();
    holds_the_contract(&source, "").await;
    let outside = object("", "../keys.json");
    assert_eq!(bytes(source.read(&outside, u64::MAX).await).await, Err(SourceError::Missing));
    assert!(matches!(Directory::open(Path::new("no/such/place")), Err(SourceError::NoSuchPlace { .. })));
}

#[tokio::test]
async fn s3_holds_the_contract_whatever_the_page_size() {
    for page_size in [1, 3, 1000] {
        let server = Server::start(page_size);
        for (key, body, metadata) in objects() {
            server.store.put(BUCKET, &key, body, metadata);
        }
        let source = S3Source::connect(&aws(&server).await, BUCKET).await.unwrap();
        holds_the_contract(&source, BUCKET).await;
    }
}

#[tokio::test]
async fn a_bucket_that_does_not_exist_is_told_as_that() {
    let server = Server::start(10);
    let missing = S3Source::connect(&aws(&server).await, "no-such-bucket").await.err();
    assert_eq!(missing, Some(SourceError::NoSuchPlace { what: "bucket no-such-bucket".into() }));
}

#[tokio::test]
async fn each_refusal_and_each_broken_transfer_is_told_for_what_it_is() {
    let server = Server::start(10);
    server.store.put(BUCKET, "k", vec![7; 100_000], BTreeMap::new());
    let limit = Duration::from_millis(200);
    let source = S3Source::connect(&aws(&server).await, BUCKET).await.unwrap().with_no_progress_limit(limit);
    for (fault, kind) in [
        (Fault::Code("AccessDenied"), "Denied"),
        (Fault::KmsDenied, "KmsDenied"),
        (Fault::Code("InvalidObjectState"), "Archived"),
        (Fault::Code("SlowDown"), "Unavailable"),
        (Fault::Code("InternalError"), "Unavailable"),
        (Fault::Code("NoSuchKey"), "Missing"),
        (Fault::Cut, "Broken"),
        (Fault::Stall, "Broken"),
        (Fault::Reset, "Broken"),
    ] {
        server.store.fail("k", fault.clone(), 1);
        let told = format!("{:?}", source.read(&object(BUCKET, "k"), u64::MAX).await.err().unwrap());
        assert!(told.starts_with(kind), "{fault:?}: {told}");
        assert_eq!(bytes(source.read(&object(BUCKET, "k"), u64::MAX).await).await.map(|body| body.len()), Ok(100_000));
    }
}

#[tokio::test]
async fn what_passes_on_a_later_attempt_is_read_whole() {
    let server = Server::start(10);
    server.store.put(BUCKET, "k", vec![7; 100_000], BTreeMap::new());
    let source = S3Source::connect(&aws(&server).await, BUCKET).await.unwrap();
    let retry = Retry::new(Patience { attempts: 3, first_pause: Duration::from_millis(1), ..Patience::default() });
    for fault in [Fault::Code("SlowDown"), Fault::Cut, Fault::Reset] {
        server.store.fail("k", fault, 2);
        let place = object(BUCKET, "k");
        let body = retry.run(|| source.read(&place, u64::MAX)).await;
        assert_eq!(bytes(body).await.map(|body| body.len()), Ok(100_000));
    }
}

#[tokio::test]
async fn every_page_of_public_keys_is_read() {
    let server = Server::start(10);
    let key = |n: usize| serde_json::json!({"Value": "AAEC", "Fingerprint": format!("{n:032x}")});
    server.store.set_keys((0..3).map(key).collect());
    let region = "eu-west-1".parse().unwrap();
    let then: Timestamp = "2026-01-02T00:00:00Z".parse().unwrap();
    let fetched = aws(&server).await.public_keys(&region, then, then).await.unwrap();
    assert_eq!((fetched.endpoint, fetched.caller.as_deref()), (server.url(), Some("test")));
    let keys = fetched.keys;
    let fingerprints: Vec<String> = keys.iter().map(|key| key.fingerprint.clone()).collect();
    assert_eq!(fingerprints, (0..3).map(|n| format!("{n:032x}")).collect::<Vec<_>>());
    assert_eq!(keys[0].der, [0, 1, 2]);
}

#[tokio::test]
async fn public_keys_that_go_on_in_a_circle_are_none() {
    let server = Server::start(10);
    let key = |n: usize| serde_json::json!({"Value": "AAEC", "Fingerprint": format!("{n:032x}")});
    server.store.set_keys((0..3).map(key).collect());
    server.store.turn_keys();
    let region = "eu-west-1".parse().unwrap();
    let then: Timestamp = "2026-01-02T00:00:00Z".parse().unwrap();
    let fetched = aws(&server).await.public_keys(&region, then, then).await;
    let detail = "CloudTrail's list of keys goes on for 1000 pages, or in a circle".to_owned();
    assert_eq!(fetched, Err(SourceError::Other { detail }));
}

#[tokio::test]
async fn a_server_that_is_gone_is_told_as_unreachable() {
    let server = Server::start(10);
    server.store.make_bucket(BUCKET);
    let source = S3Source::connect(&aws(&server).await, BUCKET).await.unwrap();
    let access = aws(&server).await;
    drop(server);
    let gone = format!("{:?}", source.read(&object(BUCKET, "k"), 1).await.err().unwrap());
    assert!(gone.starts_with("Unreachable"), "{gone}");
    let gone = format!("{:?}", S3Source::connect(&access, BUCKET).await.err().unwrap());
    assert!(gone.starts_with("Unreachable"), "{gone}");
}
