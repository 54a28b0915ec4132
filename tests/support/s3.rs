//! An S3 server in the test's own process: in memory, on loopback, with faults on demand. Answers ListPublicKeys too.
//!
//! The protocol is the `s3s` crate's; what no S3 server would do by itself (broken and stalling bodies, resets) happens in
//! the HTTP service in front of it.

use std::collections::{BTreeMap, BTreeSet};
use std::convert::Infallible;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use futures_util::{StreamExt as _, stream};
use http_body_util::{BodyExt as _, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper::service::service_fn;
use hyper::{Method, Request, Response};
use hyper_util::rt::TokioIo;
use s3s::config::{S3Config, StaticConfigProvider};
use s3s::dto::{
    AbortMultipartUploadInput, AbortMultipartUploadOutput, CommonPrefix, CompleteMultipartUploadInput,
    CompleteMultipartUploadOutput, CreateMultipartUploadInput, CreateMultipartUploadOutput, DeleteObjectInput,
    DeleteObjectOutput, ETag, GetBucketLocationInput, GetBucketLocationOutput, GetObjectInput, GetObjectOutput,
    HeadBucketInput, HeadBucketOutput, HeadObjectInput, HeadObjectOutput, ListObjectsInput, ListObjectsOutput,
    ListObjectsV2Input, ListObjectsV2Output, Object, StreamingBlob, UploadPartInput, UploadPartOutput,
};
use s3s::service::{S3Service, S3ServiceBuilder};
use s3s::{Body, S3, S3Error, S3ErrorCode, S3Request, S3Response, S3Result, s3_error};
use serde_json::Value;

use super::case::Case;
use super::weather::{Weather, spoken};
use super::{Answer, run_with};

/// What goes wrong with an object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// The service answers with this error code.
    Code(&'static str),
    /// The service refuses on behalf of KMS.
    KmsDenied,
    /// Half of the body, then the connection breaks.
    Cut,
    /// Half of the body, then nothing.
    Stall,
    /// The connection breaks before any answer.
    Reset,
    /// Somebody else answers, with this status.
    Html(u16),
    /// A refusal with this status and error code, of which half arrives, and then nothing.
    StalledWords(u16, &'static str),
}

/// A request as it came: what it was for, who signed it, and how it was addressed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Heard {
    /// A bucket, or `keys`.
    pub of: String,
    pub access_key: String,
    pub region: String,
    pub host: String,
    pub expected_owner: Option<String>,
}

struct Stored {
    body: Bytes,
    metadata: BTreeMap<String, String>,
}

/// Everything the server knows.
pub struct Store {
    buckets: Mutex<BTreeMap<String, BTreeMap<String, Stored>>>,
    faults: Mutex<BTreeMap<String, (Fault, u32)>>,
    /// The how-manieth request of any kind has this fault, however often it is repeated.
    nth_request: Mutex<Option<(usize, Fault, u32)>>,
    /// Every request, each once, in the order in which they came.
    seen: Mutex<Vec<String>>,
    heard: Mutex<Vec<Heard>>,
    /// Uploads that were begun and neither completed nor aborted, with their parts.
    uploads: Mutex<BTreeMap<String, BTreeMap<i32, Bytes>>>,
    /// The metadata that each upload asked for.
    marks: Mutex<BTreeMap<String, BTreeMap<String, String>>>,
    /// The KMS key that uploads asked for.
    pub kms_keys: Mutex<BTreeSet<String>>,
    refuses_listing: Mutex<Option<String>>,
    /// Listings leave out keys with this in them.
    hidden: Mutex<Option<&'static str>>,
    /// What listings say that each object has in bytes, whatever it has.
    listed_size: Mutex<Option<i64>>,
    /// How long every answer to a GET is held back.
    pause: Mutex<Duration>,
    /// How long the answer to a part of an upload is held back.
    pause_of_parts: Mutex<Duration>,
    /// Parts of uploads that came and have no answer yet, now and at most.
    parts_at_once: Mutex<(usize, usize)>,
    keys: Mutex<Vec<Value>>,
    /// Whether the last page of keys leads to the first.
    keys_in_a_circle: AtomicBool,
    keys_per_page: usize,
    page_size: usize,
    pub requests: AtomicU64,
    pub weather: Weather,
}

/// A running server; it stops when it is dropped.
pub struct Server {
    pub store: Arc<Store>,
    pub port: u16,
    stop: Option<tokio::sync::oneshot::Sender<()>>,
    thread: Option<std::thread::JoinHandle<()>>,
}

pub const BUCKET: &str = "trail-bucket";

/// Made-up credentials, which the server takes.
const CREDENTIALS: [(&str, &str); 3] =
    [("AWS_ACCESS_KEY_ID", "test"), ("AWS_SECRET_ACCESS_KEY", "test"), ("AWS_REGION", "us-east-1")];

/// The SDK's pauses, for a client that is configured by hand.
#[derive(Debug)]
pub struct TokioSleep;

impl aws_sdk_s3::config::AsyncSleep for TokioSleep {
    fn sleep(&self, duration: Duration) -> aws_sdk_s3::config::Sleep {
        aws_sdk_s3::config::Sleep::new(tokio::time::sleep(duration))
    }
}

impl Store {
    fn new(page_size: usize) -> Self {
        Self {
            buckets: Mutex::default(),
            faults: Mutex::default(),
            nth_request: Mutex::default(),
            seen: Mutex::default(),
            heard: Mutex::default(),
            uploads: Mutex::default(),
            marks: Mutex::default(),
            kms_keys: Mutex::default(),
            refuses_listing: Mutex::default(),
            hidden: Mutex::default(),
            listed_size: Mutex::default(),
            pause: Mutex::default(),
            pause_of_parts: Mutex::default(),
            parts_at_once: Mutex::default(),
            keys: Mutex::default(),
            keys_in_a_circle: AtomicBool::default(),
            keys_per_page: 1,
            page_size,
            requests: AtomicU64::new(0),
            weather: Weather::default(),
        }
    }

    pub fn put(&self, bucket: &str, key: &str, body: impl Into<Bytes>, metadata: BTreeMap<String, String>) {
        let stored = Stored { body: body.into(), metadata };
        self.buckets.lock().unwrap().entry(bucket.to_owned()).or_default().insert(key.to_owned(), stored);
    }

    /// The first `times` reads of an object fail.
    pub fn fail(&self, key: &str, fault: Fault, times: u32) {
        self.faults.lock().unwrap().insert(key.to_owned(), (fault, times));
    }

    /// The `n`th request of any kind, from 0, fails however often it is repeated.
    pub fn fail_request(&self, n: usize, fault: Fault) {
        self.fail_request_at_first(n, fault, u32::MAX);
    }

    /// The `n`th request of any kind, from 0, fails the first `times` times.
    pub fn fail_request_at_first(&self, n: usize, fault: Fault, times: u32) {
        *self.nth_request.lock().unwrap() = Some((n, fault, times));
    }

    /// Every request so far, each once.
    pub fn seen(&self) -> Vec<String> {
        self.seen.lock().unwrap().clone()
    }

    /// Every request so far that was signed.
    pub fn heard(&self) -> Vec<Heard> {
        self.heard.lock().unwrap().clone()
    }

    fn hear(&self, parts: &hyper::http::request::Parts) {
        let header = |name: &str| parts.headers.get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
        let Some(signature) = header("authorization") else { return };
        let Some((_, scope)) = signature.split_once("Credential=") else { return };
        let mut scope = scope.split('/');
        let (access_key, region) = (scope.next().unwrap().to_owned(), scope.nth(1).unwrap().to_owned());
        let of = match header("x-amz-target") {
            Some(_) => "keys".to_owned(),
            None => parts.uri.path().split('/').nth(1).unwrap_or_default().to_owned(),
        };
        let (host, expected_owner) = (header("host").unwrap_or_default(), header("x-amz-expected-bucket-owner"));
        self.heard.lock().unwrap().push(Heard { of, access_key, region, host, expected_owner });
    }

    fn fault_of_request(&self, request: String) -> Option<Fault> {
        let mut seen = self.seen.lock().unwrap();
        let position = seen.iter().position(|earlier| *earlier == request).unwrap_or_else(|| {
            seen.push(request);
            seen.len() - 1
        });
        let mut planned = self.nth_request.lock().unwrap();
        let (_, fault, left) = planned.as_mut().filter(|(n, ..)| *n == position)?;
        *left = left.checked_sub(1)?;
        Some(fault.clone())
    }

    /// Holds every answer to a GET back for so long.
    pub fn slow_down(&self, pause: Duration) {
        *self.pause.lock().unwrap() = pause;
    }

    /// Holds the answer to every part of an upload back for so long.
    pub fn slow_down_parts(&self, pause: Duration) {
        *self.pause_of_parts.lock().unwrap() = pause;
    }

    /// How many parts of uploads at most had no answer at the same time.
    pub fn most_parts_at_once(&self) -> usize {
        self.parts_at_once.lock().unwrap().1
    }

    /// Deletes an object.
    pub fn remove(&self, bucket: &str, key: &str) {
        self.buckets.lock().unwrap().get_mut(bucket).and_then(|objects| objects.remove(key)).unwrap();
    }

    /// Listings leave out keys with this in them.
    pub fn hide(&self, part: &'static str) {
        *self.hidden.lock().unwrap() = Some(part);
    }

    /// Listings say this of the size of each object.
    pub fn list_as(&self, size: i64) {
        *self.listed_size.lock().unwrap() = Some(size);
    }

    pub fn refuse_listing(&self, prefix: &str) {
        *self.refuses_listing.lock().unwrap() = Some(prefix.to_owned());
    }

    /// From now on the list of keys has no end.
    pub fn turn_keys(&self) {
        self.keys_in_a_circle.store(true, Ordering::Relaxed);
    }

    pub fn set_keys(&self, keys: Vec<Value>) {
        let with_validity = |mut key: Value| {
            if key["ValidityStartTime"].is_null() {
                key["ValidityStartTime"] = 1_735_689_600.into();
                key["ValidityEndTime"] = 1_893_456_000.into();
            }
            key
        };
        *self.keys.lock().unwrap() = keys.into_iter().map(with_validity).collect();
    }

    /// Puts a directory that mirrors a bucket, with the metadata beside its digests.
    pub fn put_directory(&self, bucket: &str, root: &Path, folder: &Path) {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let key = path.strip_prefix(root).unwrap().to_string_lossy().into_owned();
            if path.is_dir() {
                self.put_directory(bucket, root, &path);
            } else if !key.ends_with(".metadata.json") {
                let beside = std::fs::read(format!("{}.metadata.json", path.display()));
                let metadata = beside.map(|text| serde_json::from_slice(&text).unwrap()).unwrap_or_default();
                self.put(bucket, &key, std::fs::read(&path).unwrap(), metadata);
            }
        }
    }

    pub fn put_case(&self, case: &Case) {
        for object in &case.objects {
            self.put(&object.bucket, &object.key, object.body(), object.metadata.clone());
            if let Some(code) = &object.error {
                self.fail(&object.key, Fault::Code(String::leak(code.clone())), u32::MAX);
            }
            if object.read_fault.is_some() {
                self.fail(&object.key, Fault::Cut, u32::MAX);
            }
        }
        self.set_keys(case.keys());
    }

    /// The fault that this read of an object meets.
    fn fault_of(&self, key: &str) -> Option<Fault> {
        let mut faults = self.faults.lock().unwrap();
        let (fault, left) = faults.get_mut(key)?;
        *left = left.checked_sub(1)?;
        Some(fault.clone())
    }

    fn body(&self, bucket: &str, key: &str) -> Option<Bytes> {
        Some(self.buckets.lock().unwrap().get(bucket)?.get(key)?.body.clone())
    }

    /// Keys and bodies of a bucket's objects.
    pub fn objects(&self, bucket: &str) -> BTreeMap<String, Bytes> {
        let buckets = self.buckets.lock().unwrap();
        let objects = buckets.get(bucket).into_iter().flatten();
        objects.map(|(key, stored)| (key.clone(), stored.body.clone())).collect()
    }

    /// Makes an empty bucket.
    pub fn make_bucket(&self, bucket: &str) {
        self.buckets.lock().unwrap().entry(bucket.to_owned()).or_default();
    }

    /// Uploads that were neither completed nor aborted.
    pub fn open_uploads(&self) -> usize {
        self.uploads.lock().unwrap().len()
    }

    fn list_public_keys(&self, request: &Value) -> Value {
        let keys = self.keys.lock().unwrap();
        let bound = |of: &Value, name: &str, missing: f64| of[name].as_f64().unwrap_or(missing);
        let (from, to) = (bound(request, "StartTime", f64::MIN), bound(request, "EndTime", f64::MAX));
        let of_then = |key: &&Value| {
            bound(key, "ValidityStartTime", f64::MIN) <= to && from <= bound(key, "ValidityEndTime", f64::MAX)
        };
        let keys: Vec<&Value> = keys.iter().filter(of_then).collect();
        let start: usize = request["NextToken"].as_str().map_or(0, |token| token.parse().unwrap());
        let page: Vec<&Value> = keys.iter().copied().skip(start).take(self.keys_per_page).collect();
        let next = start + page.len();
        let last = self.keys_in_a_circle.load(Ordering::Relaxed).then(|| "0".to_owned());
        let token = if next < keys.len() { Some(next.to_string()) } else { last };
        serde_json::json!({"PublicKeyList": page, "NextToken": token})
    }
}

struct Protocol(Arc<Store>);

#[async_trait::async_trait]
impl S3 for Protocol {
    async fn head_bucket(&self, request: S3Request<HeadBucketInput>) -> S3Result<S3Response<HeadBucketOutput>> {
        if !self.0.buckets.lock().unwrap().contains_key(&request.input.bucket) {
            return Err(s3_error!(NoSuchBucket));
        }
        let output = HeadBucketOutput { bucket_region: Some("us-east-1".to_owned()), ..Default::default() };
        Ok(S3Response::new(output))
    }

    async fn get_object(&self, request: S3Request<GetObjectInput>) -> S3Result<S3Response<GetObjectOutput>> {
        let GetObjectInput { bucket, key, .. } = request.input;
        match self.0.fault_of(&key) {
            Some(Fault::Code(code)) => {
                let mut error = S3Error::new(S3ErrorCode::from_bytes(code.as_bytes()).unwrap());
                if error.status_code().is_none() {
                    error.set_status_code(hyper::StatusCode::FORBIDDEN);
                }
                return Err(error);
            }
            Some(Fault::KmsDenied) => {
                let message = "User is not authorized to perform: kms:Decrypt on the resource";
                return Err(S3Error::with_message(S3ErrorCode::AccessDenied, message));
            }
            Some(fault) => panic!("{fault:?} is met in front of the protocol"),
            None => {}
        }
        let buckets = self.0.buckets.lock().unwrap();
        let objects = buckets.get(&bucket).ok_or_else(|| s3_error!(NoSuchBucket))?;
        let stored = objects.get(&key).ok_or_else(|| s3_error!(NoSuchKey))?;
        let output = GetObjectOutput {
            body: Some(StreamingBlob::from(Body::from(stored.body.clone()))),
            content_length: Some(i64::try_from(stored.body.len()).unwrap()),
            content_encoding: Some("gzip".to_owned()),
            metadata: Some(stored.metadata.clone().into_iter().collect()),
            ..Default::default()
        };
        Ok(S3Response::new(output))
    }

    async fn head_object(&self, request: S3Request<HeadObjectInput>) -> S3Result<S3Response<HeadObjectOutput>> {
        let HeadObjectInput { bucket, key, .. } = request.input;
        let buckets = self.0.buckets.lock().unwrap();
        let stored = buckets.get(&bucket).and_then(|objects| objects.get(&key)).ok_or_else(|| s3_error!(NoSuchKey))?;
        let metadata = Some(stored.metadata.clone().into_iter().collect());
        Ok(S3Response::new(HeadObjectOutput { metadata, ..Default::default() }))
    }

    async fn create_multipart_upload(
        &self,
        request: S3Request<CreateMultipartUploadInput>,
    ) -> S3Result<S3Response<CreateMultipartUploadOutput>> {
        let mut uploads = self.0.uploads.lock().unwrap();
        let id = format!("{}#{}", request.input.key, self.0.requests.load(Ordering::Relaxed));
        uploads.insert(id.clone(), BTreeMap::new());
        let metadata = request.input.metadata.unwrap_or_default().into_iter().collect();
        self.0.marks.lock().unwrap().insert(id.clone(), metadata);
        self.0.kms_keys.lock().unwrap().extend(request.input.ssekms_key_id);
        Ok(S3Response::new(CreateMultipartUploadOutput { upload_id: Some(id), ..Default::default() }))
    }

    async fn upload_part(&self, request: S3Request<UploadPartInput>) -> S3Result<S3Response<UploadPartOutput>> {
        let UploadPartInput { key, part_number, upload_id, body, .. } = request.input;
        if let Some(Fault::Code(code)) = self.0.fault_of(&key) {
            return Err(S3Error::new(S3ErrorCode::from_bytes(code.as_bytes()).unwrap()));
        }
        let mut bytes = Vec::new();
        let mut body = body.unwrap();
        while let Some(piece) = body.next().await {
            bytes.extend_from_slice(&piece.unwrap());
        }
        {
            let mut parts = self.0.parts_at_once.lock().unwrap();
            *parts = (parts.0 + 1, parts.1.max(parts.0 + 1));
        }
        let pause = *self.0.pause_of_parts.lock().unwrap();
        tokio::time::sleep(pause).await;
        self.0.parts_at_once.lock().unwrap().0 -= 1;
        let mut uploads = self.0.uploads.lock().unwrap();
        let parts = uploads.get_mut(&upload_id).ok_or_else(|| s3_error!(NoSuchUpload))?;
        parts.insert(part_number, bytes.into());
        let e_tag = Some(ETag::Strong(part_number.to_string()));
        Ok(S3Response::new(UploadPartOutput { e_tag, ..Default::default() }))
    }

    async fn complete_multipart_upload(
        &self,
        request: S3Request<CompleteMultipartUploadInput>,
    ) -> S3Result<S3Response<CompleteMultipartUploadOutput>> {
        let CompleteMultipartUploadInput { bucket, key, upload_id, multipart_upload, if_none_match, .. } =
            request.input;
        if let Some(Fault::Code(code)) = self.0.fault_of(&format!("{key}?complete")) {
            return Err(S3Error::new(S3ErrorCode::from_bytes(code.as_bytes()).unwrap()));
        }
        let mut buckets = self.0.buckets.lock().unwrap();
        let objects = buckets.entry(bucket).or_default();
        if if_none_match.is_some() && objects.contains_key(&key) {
            return Err(s3_error!(PreconditionFailed));
        }
        let parts = self.0.uploads.lock().unwrap().remove(&upload_id).ok_or_else(|| s3_error!(NoSuchUpload))?;
        let named = multipart_upload.and_then(|upload| upload.parts).unwrap_or_default();
        let numbers: Vec<i32> = named.iter().map(|part| part.part_number.unwrap()).collect();
        assert_eq!(numbers, parts.keys().copied().collect::<Vec<_>>());
        let all_but_last = parts.len().saturating_sub(1);
        assert!(parts.values().take(all_but_last).all(|part| part.len() >= 5 << 20), "S3 refuses small parts");
        let body: Vec<u8> = parts.into_values().flatten().collect();
        let metadata = self.0.marks.lock().unwrap()[&upload_id].clone();
        objects.insert(key, Stored { body: body.into(), metadata });
        Ok(S3Response::new(CompleteMultipartUploadOutput::default()))
    }

    async fn abort_multipart_upload(
        &self,
        request: S3Request<AbortMultipartUploadInput>,
    ) -> S3Result<S3Response<AbortMultipartUploadOutput>> {
        self.0.uploads.lock().unwrap().remove(&request.input.upload_id).ok_or_else(|| s3_error!(NoSuchUpload))?;
        Ok(S3Response::new(AbortMultipartUploadOutput::default()))
    }

    async fn delete_object(&self, request: S3Request<DeleteObjectInput>) -> S3Result<S3Response<DeleteObjectOutput>> {
        let DeleteObjectInput { bucket, key, .. } = request.input;
        self.0.buckets.lock().unwrap().entry(bucket).or_default().remove(&key);
        Ok(S3Response::new(DeleteObjectOutput::default()))
    }

    async fn get_bucket_location(
        &self,
        _: S3Request<GetBucketLocationInput>,
    ) -> S3Result<S3Response<GetBucketLocationOutput>> {
        Ok(S3Response::new(GetBucketLocationOutput::default()))
    }

    /// Everything in one page, as the AWS CLI asks for it.
    async fn list_objects(&self, request: S3Request<ListObjectsInput>) -> S3Result<S3Response<ListObjectsOutput>> {
        let ListObjectsInput { bucket, prefix, marker, .. } = request.input;
        let (prefix, marker) = (prefix.unwrap_or_default(), marker.unwrap_or_default());
        let buckets = self.0.buckets.lock().unwrap();
        let objects = buckets.get(&bucket).ok_or_else(|| s3_error!(NoSuchBucket))?;
        let contents = objects.iter().filter(|(key, _)| key.starts_with(&prefix) && **key > marker);
        let contents = contents.map(|(key, stored)| Object {
            key: Some(key.clone()),
            size: Some(i64::try_from(stored.body.len()).unwrap()),
            ..Default::default()
        });
        let output = ListObjectsOutput {
            contents: Some(contents.collect()),
            is_truncated: Some(false),
            name: Some(bucket),
            ..Default::default()
        };
        Ok(S3Response::new(output))
    }

    async fn list_objects_v2(
        &self,
        request: S3Request<ListObjectsV2Input>,
    ) -> S3Result<S3Response<ListObjectsV2Output>> {
        let input = request.input;
        let (prefix, delimiter) = (input.prefix.unwrap_or_default(), input.delimiter.unwrap_or_default());
        if self.0.refuses_listing.lock().unwrap().as_ref().is_some_and(|refused| prefix.starts_with(refused.as_str())) {
            return Err(s3_error!(AccessDenied));
        }
        let listed_size = *self.0.listed_size.lock().unwrap();
        let hidden = *self.0.hidden.lock().unwrap();
        let buckets = self.0.buckets.lock().unwrap();
        let objects = buckets.get(&input.bucket).ok_or_else(|| s3_error!(NoSuchBucket))?;
        let after = input.continuation_token.or(input.start_after).unwrap_or_default();
        let (mut contents, mut folders) = (Vec::new(), Vec::<String>::new());
        let mut last = String::new();
        let mut is_truncated = false;
        for (key, stored) in objects.range(prefix.clone()..).take_while(|(key, _)| key.starts_with(&prefix)) {
            if hidden.is_some_and(|hidden| key.contains(hidden)) {
                continue;
            }
            let folder = (!delimiter.is_empty())
                .then(|| key[prefix.len()..].find(&delimiter))
                .flatten()
                .map(|at| key[..prefix.len() + at + delimiter.len()].to_owned());
            let entry = folder.as_ref().unwrap_or(key);
            if *entry <= after || folders.last() == Some(entry) {
                continue;
            }
            if contents.len() + folders.len() == self.0.page_size {
                is_truncated = true;
                break;
            }
            last.clone_from(entry);
            match folder {
                Some(folder) => folders.push(folder),
                None => contents.push(Object {
                    key: Some(key.clone()),
                    size: listed_size.or_else(|| i64::try_from(stored.body.len()).ok()),
                    ..Default::default()
                }),
            }
        }
        let common_prefixes = folders.into_iter().map(|prefix| CommonPrefix { prefix: Some(prefix) }).collect();
        let output = ListObjectsV2Output {
            contents: Some(contents),
            common_prefixes: Some(common_prefixes),
            is_truncated: Some(is_truncated),
            next_continuation_token: is_truncated.then_some(last),
            name: Some(input.bucket),
            ..Default::default()
        };
        Ok(S3Response::new(output))
    }
}

impl Server {
    /// Starts a server that lists `page_size` keys a page.
    pub fn start(page_size: usize) -> Self {
        let store = Arc::new(Store::new(page_size));
        let (stop, stopped) = tokio::sync::oneshot::channel();
        let (tell, told) = std::sync::mpsc::channel();
        let served = store.clone();
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async move {
                let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
                tell.send(listener.local_addr().unwrap().port()).unwrap();
                tokio::select! {
                    () = serve(listener, served) => {}
                    _ = stopped => {}
                }
            });
        });
        Self { store, port: told.recv().unwrap(), stop: Some(stop), thread: Some(thread) }
    }

    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// Runs the command with `archive` and more arguments against this server, with made-up credentials.
    pub fn run(&self, command: &str, bucket: &str, more: &[&str]) -> Answer {
        let args = self.arguments(command, bucket, more);
        let kept = tempfile::tempdir().unwrap();
        let kept = [("XDG_DATA_HOME", kept.path().to_str().unwrap())];
        without_word_of_the_endpoint(run_with(&args, &[&CREDENTIALS[..], &kept].concat()))
    }

    /// The same, without waiting for its end or taking what it prints.
    pub fn start_run(&self, command: &str, bucket: &str, more: &[&str]) -> std::process::Child {
        std::process::Command::new(env!("CARGO_BIN_EXE_trailproof"))
            .args(self.arguments(command, bucket, more))
            .envs(CREDENTIALS)
            .envs([("AWS_EC2_METADATA_DISABLED", "true"), ("XDG_DATA_HOME", "/nowhere")])
            .stdout(std::process::Stdio::null())
            .stderr(std::process::Stdio::null())
            .spawn()
            .unwrap()
    }

    fn arguments(&self, command: &str, bucket: &str, more: &[&str]) -> Vec<String> {
        let mut args = vec![command.to_owned(), format!("s3://{bucket}"), "--endpoint-url".to_owned(), self.url()];
        args.extend(["--format", "json"].map(str::to_owned));
        args.extend(more.iter().map(|arg| (*arg).to_owned()));
        args
    }
}

/// That this server is not CloudTrail is told of every run that has its keys from it; `tests/access.rs` checks that.
fn without_word_of_the_endpoint(mut answer: Answer) -> Answer {
    if let Some(findings) = answer.report["findings"].as_array_mut() {
        let before = findings.len();
        findings.retain(|finding| finding["id"] != "keys-from-endpoint");
        let gone = (before - findings.len()) as u64;
        let warnings = answer.report["severities"]["warning"].as_u64().unwrap_or(0);
        if gone > 0 {
            answer.report["severities"]["warning"] = (warnings - gone).into();
        }
    }
    answer
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

async fn serve(listener: tokio::net::TcpListener, store: Arc<Store>) {
    let mut builder = S3ServiceBuilder::new(Protocol(store.clone()));
    let mut users = s3s::auth::SimpleAuth::new();
    for user in ["test", "env-key", "profile-key", "other-key", "process-key", "role-key"] {
        users.register(user.to_owned(), "test".into());
    }
    builder.set_auth(users);
    // What time it is, the weather says.
    let mut config = S3Config::default();
    config.presigned_url_max_skew_time_secs = u32::MAX;
    builder.set_config(Arc::new(StaticConfigProvider::new(Arc::new(config))));
    let protocol = builder.build();
    loop {
        let (stream, _) = listener.accept().await.unwrap();
        let (store, protocol) = (store.clone(), protocol.clone());
        tokio::spawn(async move {
            let service = service_fn(move |request| answer(request, store.clone(), protocol.clone()));
            // A connection that the client or a fault breaks is no failure of the server.
            let _ = hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
        });
    }
}

async fn answer(
    request: Request<Incoming>,
    store: Arc<Store>,
    protocol: S3Service,
) -> Result<Response<Body>, std::io::Error> {
    store.requests.fetch_add(1, Ordering::Relaxed);
    let (parts, body) = request.into_parts();
    let body = body.collect().await.map_err(std::io::Error::other)?.to_bytes();
    store.hear(&parts);
    if body.starts_with(b"Action=AssumeRole") {
        return Ok(role());
    }
    let of_cloudtrail = parts.headers.get("x-amz-target").is_some();
    let of_keys = parts
        .headers
        .get("x-amz-target")
        .and_then(|value| value.to_str().ok())
        .is_some_and(|target| target.ends_with(".ListPublicKeys"));
    let text = format!("{} {} {}", parts.method, parts.uri, String::from_utf8_lossy(&body));
    let fault = store.fault_of_request(text);
    if fault == Some(Fault::Reset) {
        return Err(std::io::Error::other("reset"));
    }
    if let Some(answer) = fault.as_ref().and_then(|fault| spoken(fault, of_cloudtrail)) {
        return Ok(answer);
    }
    if let Some(answer) = store.weather.meet(&parts).filter(|_| !of_cloudtrail) {
        return Ok(dated(answer, &store));
    }
    if parts.method == Method::GET {
        let pause = *store.pause.lock().unwrap();
        tokio::time::sleep(pause).await;
    }
    let is_head = parts.method == Method::HEAD;
    let response = if of_keys {
        let answer = store.list_public_keys(&serde_json::from_slice(&body).unwrap_or_default());
        let response = Response::builder().header("content-type", "application/x-amz-json-1.1");
        response.body(Body::from(answer.to_string())).unwrap()
    } else if let Some(broken) = broken_body(&parts.method, parts.uri.path(), &store)? {
        broken
    } else {
        let completes = parts.method == Method::POST && parts.uri.query().is_some_and(|q| q.starts_with("uploadId="));
        let completed = completes.then(|| parts.uri.path().splitn(3, '/').nth(2)).flatten();
        let lost = completed.map(|key| format!("{}?answered", key.replace("%3D", "=")));
        let request = Request::from_parts(parts, Body::from(body));
        let answer = protocol.call(request).await.map_err(|error| std::io::Error::other(format!("{error:?}")))?;
        if lost.is_some_and(|lost| store.fault_of(&lost).is_some()) {
            return Err(std::io::Error::other("the answer is lost"));
        }
        answer
    };
    let response = dated(response, &store);
    match fault {
        Some(_) if is_head => std::future::pending().await,
        Some(fault) => half(response, &fault).await,
        None => Ok(response),
    }
}

/// An answer as S3 marks its own.
fn dated(mut answer: Response<Body>, store: &Store) -> Response<Body> {
    answer.headers_mut().insert("date", store.weather.date().parse().unwrap());
    answer.headers_mut().insert("x-amz-request-id", "TESTS".parse().unwrap());
    answer
}

/// The answer to whoever takes on a role.
fn role() -> Response<Body> {
    let credentials = "<AccessKeyId>role-key</AccessKeyId><SecretAccessKey>test</SecretAccessKey>\
         <SessionToken>t</SessionToken><Expiration>2099-01-01T00:00:00Z</Expiration>";
    let xml = format!(
        "<AssumeRoleResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><AssumeRoleResult>\
         <Credentials>{credentials}</Credentials></AssumeRoleResult></AssumeRoleResponse>"
    );
    Response::builder().header("content-type", "text/xml").body(Body::from(xml)).unwrap()
}

/// Half of an answer's body under its whole length, and then the end of the connection, or nothing.
async fn half(response: Response<Body>, fault: &Fault) -> Result<Response<Body>, std::io::Error> {
    let (mut parts, body) = response.into_parts();
    let whole = http_body_util::BodyExt::collect(body)
        .await
        .map_err(|error| std::io::Error::other(error.to_string()))?
        .to_bytes();
    parts.headers.remove("transfer-encoding");
    parts.headers.insert("content-length", whole.len().into());
    let piece = whole.slice(..whole.len() / 2);
    let first = stream::once(async move { Ok::<_, std::io::Error>(Frame::data(piece)) });
    let body = match fault {
        Fault::Stall => Body::http_body_unsync(StreamBody::new(Box::pin(first.chain(stream::pending())))),
        _ => {
            let broken = stream::once(async { Err(std::io::Error::other("cut")) });
            Body::http_body_unsync(StreamBody::new(Box::pin(first.chain(broken))))
        }
    };
    Ok(Response::from_parts(parts, body))
}

/// The answer to a read whose body breaks off or stalls.
fn broken_body(method: &Method, path: &str, store: &Store) -> Result<Option<Response<Body>>, std::io::Error> {
    let path = path.trim_start_matches('/');
    let Some((bucket, key)) = path.split_once('/').filter(|(_, key)| !key.is_empty()) else { return Ok(None) };
    let in_transfer = |fault: &Fault| !matches!(fault, Fault::Code(_) | Fault::KmsDenied);
    let is_planned = store.faults.lock().unwrap().get(key).is_some_and(|(fault, _)| in_transfer(fault));
    if *method != Method::GET || !is_planned {
        return Ok(None);
    }
    let fault = store.fault_of(key);
    if fault == Some(Fault::Reset) {
        return Err(std::io::Error::other("reset"));
    }
    if let Some(answer) = fault.as_ref().and_then(|fault| spoken(fault, false)) {
        return Ok(Some(answer));
    }
    let Some(body) = store.body(bucket, key) else { return Ok(None) };
    let whole = body.len();
    let half = stream::once(async move { Ok::<_, Infallible>(body.slice(..whole / 2)) });
    let response = Response::builder().header("content-length", whole.to_string());
    let body = match fault {
        Some(Fault::Cut) => {
            let broken = stream::once(async { Err(std::io::Error::other("cut")) });
            let frames = half.map(|piece| Ok(Frame::data(piece.unwrap()))).chain(broken);
            Body::http_body_unsync(StreamBody::new(Box::pin(frames)))
        }
        Some(Fault::Stall) => {
            let frames =
                half.map(|piece| Ok::<_, std::io::Error>(Frame::data(piece.unwrap()))).chain(stream::pending());
            Body::http_body_unsync(StreamBody::new(Box::pin(frames)))
        }
        _ => {
            let metadata = store.buckets.lock().unwrap()[bucket][key].metadata.clone();
            let named = metadata
                .iter()
                .fold(response, |response, (name, value)| response.header(format!("x-amz-meta-{name}"), value));
            return Ok(Some(named.body(Body::from(store.body(bucket, key).unwrap())).unwrap()));
        }
    };
    Ok(Some(response.body(body).unwrap()))
}
