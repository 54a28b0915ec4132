//! A fast S3 on loopback, to measure readers against: answers from memory, each answer after a chosen delay.
//!
//! ```text
//! cargo bench --bench loopback -- PORT ARCHIVE [DELAY_MS]           an archive made by `trailproof synth`
//! cargo bench --bench loopback -- PORT made-up:KEYS [DELAY_MS]      keys of one-record logs, in 50 accounts and 4 Regions
//! ```
//!
//! It knows what listing, HeadBucket, GetObject and HeadObject need, and for the AWS CLI ListPublicKeys, DescribeTrails and
//! DescribeOrganization. It checks no signatures and does nothing wrong on purpose; the tests have a server for that.

#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a bench may panic, and tells when it is ready")]

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::fmt::Write as _;
use std::fs;
use std::ops::Bound;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::http::response;
use hyper::service::service_fn;
use hyper::{Method, Request, Response};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::net::TcpListener;

type Answer = Response<Full<Bytes>>;

/// What S3 puts on a page at most.
const PAGE: usize = 1000;

const ACCOUNTS: u64 = 50;
const REGIONS: [&str; 4] = ["eu-west-1", "us-east-1", "us-east-2", "us-west-2"];
const DAYS: u64 = 28;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|argument| argument != "--bench").collect();
    let (Some(port), Some(what)) = (arguments.first(), arguments.get(1)) else {
        println!("usage: cargo bench --bench loopback -- PORT ARCHIVE|made-up:KEYS [DELAY_MS]");
        return;
    };
    let delay = Duration::from_millis(arguments.get(2).map_or(0, |delay| delay.parse().unwrap()));
    let world = match what.strip_prefix("made-up:") {
        Some(keys) => World::made_up(keys.parse().unwrap()),
        None => World::of(Path::new(what)),
    };
    let (port, world): (u16, _) = (port.parse().unwrap(), Arc::new(world));
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(async {
        let listener = TcpListener::bind(("127.0.0.1", port)).await.unwrap();
        println!("ready: {} objects", world.objects.len());
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            stream.set_nodelay(true).unwrap();
            let world = world.clone();
            tokio::spawn(async move {
                let service = service_fn(|request| {
                    let world = world.clone();
                    async move {
                        if !delay.is_zero() {
                            tokio::time::sleep(delay).await;
                        }
                        Ok::<_, Infallible>(world.answer(request).await)
                    }
                });
                // A client that goes away is no fault.
                let _ =
                    hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
            });
        }
    });
}

struct Object {
    body: Bytes,
    metadata: Vec<(String, String)>,
}

/// One bucket, and what CloudTrail and Organizations would say of it.
struct World {
    bucket: String,
    objects: BTreeMap<String, Object>,
    keys: Value,
    trail: Value,
    org: Value,
}

impl World {
    fn of(archive: &Path) -> Self {
        let read = |name: &str| -> Value { serde_json::from_slice(&fs::read(archive.join(name)).unwrap()).unwrap() };
        let truth = read("truth.json");
        let mut keys = read("public-keys.json");
        for key in keys["PublicKeyList"].as_array_mut().unwrap() {
            for bound in ["ValidityStartTime", "ValidityEndTime"] {
                let time: jiff::Timestamp = key[bound].as_str().unwrap().parse().unwrap();
                key[bound] = time.as_second().into();
            }
        }
        let mut objects = BTreeMap::new();
        let root = archive.join("bucket");
        load(&root, &root, &mut objects);
        let text = |name: &str| truth[name].as_str().unwrap();
        let arn =
            format!("arn:aws:cloudtrail:us-east-1:{}:trail/{}", truth["accounts"][0].as_str().unwrap(), text("trail"));
        let trail = json!({"trailList": [{
            "Name": text("trail"), "TrailARN": arn, "S3BucketName": text("bucket"), "HomeRegion": "us-east-1",
            "IsOrganizationTrail": true, "IsMultiRegionTrail": true, "LogFileValidationEnabled": true,
        }]});
        let org = json!({"Organization": {"Id": text("org"), "MasterAccountId": truth["accounts"][0]}});
        Self { bucket: text("bucket").to_owned(), objects, keys, trail, org }
    }

    /// Keys spread evenly over accounts, Regions and days.
    fn made_up(keys: u64) -> Self {
        let body = Bytes::from_static(b"{}");
        let objects = (0..keys).map(|n| {
            let (place, number) = (n % (ACCOUNTS * 4), n / (ACCOUNTS * 4));
            let (account, region) = (100_000_000_000 + place / 4, REGIONS[(place % 4) as usize]);
            let (day, minute) = (1 + number % DAYS, number / DAYS % 288 * 5);
            let (hour, minute) = (minute / 60, minute % 60);
            let key = format!(
                "AWSLogs/o-exampleorgid/{account}/CloudTrail/{region}/2026/03/{day:02}/{account}_CloudTrail_{region}_\
                 202603{day:02}T{hour:02}{minute:02}Z_{number:016x}.json.gz"
            );
            (key, Object { body: body.clone(), metadata: Vec::new() })
        });
        let bucket = "example-org-trail".to_owned();
        Self { bucket, objects: objects.collect(), keys: Value::Null, trail: Value::Null, org: Value::Null }
    }

    async fn answer(&self, request: Request<Incoming>) -> Answer {
        if request.method() == Method::POST {
            let target = request.headers().get("x-amz-target").map(|name| name.to_str().unwrap().to_owned());
            // A body left unread would break the connection.
            let _ = request.into_body().collect().await;
            return self.control(target.as_deref().unwrap_or_default());
        }
        let path = decoded(request.uri().path());
        let Some((bucket, key)) =
            path[1..].split_once('/').or_else(|| Some((&path[1..], ""))).filter(|p| p.0 == self.bucket)
        else {
            return error(404, "NoSuchBucket", bucket_of(&path));
        };
        let is_head = request.method() == Method::HEAD;
        if key.is_empty() && is_head {
            return finish(Response::builder().header("x-amz-bucket-region", "us-east-1"), Bytes::new());
        }
        if key.is_empty() {
            return self.list(bucket, &query(request.uri().query().unwrap_or_default()));
        }
        let Some(object) = self.objects.get(key) else { return error(404, "NoSuchKey", key) };
        let mut head = Response::builder()
            .header("content-type", "application/json")
            .header("content-encoding", "gzip")
            .header("etag", "\"0123456789abcdef0123456789abcdef\"")
            .header("last-modified", "Sun, 01 Mar 2026 00:00:00 GMT")
            .header("x-amz-request-id", "LOOPBACK");
        for (name, value) in &object.metadata {
            head = head.header(format!("x-amz-meta-{name}"), value);
        }
        finish(head, if is_head { Bytes::new() } else { object.body.clone() })
    }

    fn control(&self, target: &str) -> Answer {
        let json = match target.rsplit('.').next().unwrap_or_default() {
            "ListPublicKeys" => &self.keys,
            "DescribeTrails" => &self.trail,
            "DescribeOrganization" => &self.org,
            _ => return error(400, "UnknownOperationException", target),
        };
        finish(Response::builder().header("content-type", "application/x-amz-json-1.1"), json.to_string().into())
    }

    /// ListObjectsV2; the continuation token is the last key or folder of the page before.
    fn list(&self, bucket: &str, query: &BTreeMap<String, String>) -> Answer {
        if query.contains_key("location") {
            return xml("<LocationConstraint/>".to_owned());
        }
        let asked = |name: &str| query.get(name).map_or("", String::as_str);
        let (prefix, delimiter) = (asked("prefix"), asked("delimiter"));
        let page = query.get("max-keys").and_then(|keys| keys.parse().ok()).unwrap_or(PAGE).min(PAGE);
        let mut after =
            ["continuation-token", "start-after", "marker"].map(asked).into_iter().max().unwrap().to_owned();
        let (mut entries, mut count, mut more) = (String::with_capacity(page * 400), 0, false);
        loop {
            // Past a folder, the next key is the first that does not start with it.
            let from = match after.strip_suffix('/').filter(|_| !delimiter.is_empty()) {
                Some(folder) => Bound::Included(format!("{folder}0")),
                None => Bound::Excluded(after.clone()),
            };
            let from = if after.as_str() < prefix { Bound::Included(prefix.to_owned()) } else { from };
            let mut folder = None;
            for (key, object) in self.objects.range::<String, _>((from, Bound::Unbounded)) {
                let Some(rest) = key.strip_prefix(prefix) else { break };
                if count == page {
                    more = true;
                    break;
                }
                count += 1;
                if !delimiter.is_empty()
                    && let Some((name, _)) = rest.split_once(delimiter)
                {
                    folder = Some(format!("{prefix}{name}{delimiter}"));
                    break;
                }
                write!(
                    entries,
                    "<Contents><Key>{}</Key><LastModified>2026-03-01T00:00:00.000Z</LastModified>\
                     <ETag>&quot;0123456789abcdef0123456789abcdef&quot;</ETag><Size>{}</Size>\
                     <StorageClass>STANDARD</StorageClass></Contents>",
                    escaped(key),
                    object.body.len()
                )
                .unwrap();
                after.clone_from(key);
            }
            let Some(folder) = folder else { break };
            write!(entries, "<CommonPrefixes><Prefix>{}</Prefix></CommonPrefixes>", escaped(&folder)).unwrap();
            after = folder;
        }
        let token = if more {
            format!("<NextContinuationToken>{}</NextContinuationToken>", escaped(&after))
        } else {
            String::new()
        };
        xml(format!(
            "<ListBucketResult><Name>{bucket}</Name><Prefix>{}</Prefix><KeyCount>{count}</KeyCount><MaxKeys>{page}</MaxKeys>\
             <IsTruncated>{more}</IsTruncated>{token}{entries}</ListBucketResult>",
            escaped(prefix)
        ))
    }
}

fn load(root: &Path, folder: &Path, objects: &mut BTreeMap<String, Object>) {
    const METADATA: &str = ".metadata.json";
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let key = path.strip_prefix(root).unwrap().to_str().unwrap().to_owned();
        if path.is_dir() {
            load(root, &path, objects);
        } else if !key.ends_with(METADATA) {
            let beside = fs::read(format!("{}{METADATA}", path.display())).unwrap_or_else(|_| b"{}".to_vec());
            let metadata: BTreeMap<String, String> = serde_json::from_slice(&beside).unwrap();
            let body = fs::read(&path).unwrap().into();
            objects.insert(key, Object { body, metadata: metadata.into_iter().collect() });
        }
    }
}

fn bucket_of(path: &str) -> &str {
    path[1..].split('/').next().unwrap_or_default()
}

fn query(text: &str) -> BTreeMap<String, String> {
    let pairs = text.split('&').filter(|pair| !pair.is_empty()).map(|pair| pair.split_once('=').unwrap_or((pair, "")));
    pairs.map(|(name, value)| (decoded(name), decoded(value))).collect()
}

/// Undoes percent-encoding.
fn decoded(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&byte, after)) = rest.split_first() {
        let hex = after.get(..2).filter(|_| byte == b'%').and_then(|hex| str::from_utf8(hex).ok());
        match hex.and_then(|hex| u8::from_str_radix(hex, 16).ok()) {
            Some(value) => {
                bytes.push(value);
                rest = &after[2..];
            }
            None => {
                bytes.push(byte);
                rest = after;
            }
        }
    }
    String::from_utf8(bytes).unwrap()
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

fn xml(text: String) -> Answer {
    let text = format!(r#"<?xml version="1.0" encoding="UTF-8"?>{text}"#);
    finish(Response::builder().header("content-type", "application/xml"), text.into())
}

fn error(status: u16, code: &str, message: &str) -> Answer {
    let text = format!("<Error><Code>{code}</Code><Message>{}</Message></Error>", escaped(message));
    finish(Response::builder().status(status).header("content-type", "application/xml"), text.into())
}

fn finish(head: response::Builder, body: Bytes) -> Answer {
    head.body(Full::new(body)).unwrap()
}
