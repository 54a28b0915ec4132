//! However a listing is split into requests, it finds every key exactly once.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::support::s3::{BUCKET, Server};
use aws_config::{BehaviorVersion, SdkConfig};
use aws_sdk_s3::config::{Credentials, Region, SharedCredentialsProvider};
use tokio::sync::Semaphore;
use trailproof::fetch::Retry;
use trailproof::metrics::Metrics;
use trailproof::pipeline::Context;
use trailproof::pipeline::discover::{Thoroughness, discover};
use trailproof::source::Source;
use trailproof::source::aws::Aws;
use trailproof::source::s3::S3Source;
use trailproof_proof::archive::inventory::Inventory;
use trailproof_proof::archive::scope::Scope;
use trailproof_proof::checkpoint::Checkpoint;

const ROOT: &str = "AWSLogs/o-exampleorgid/";

/// One account and Region: a busy day, quiet days, another month, another year, and what does not belong there.
fn keys() -> Vec<String> {
    let place = |account: &str| format!("{ROOT}{account}/CloudTrail/us-east-1/");
    let log = |account: &str, year: u32, month: u32, day: u32, n: u32| {
        let folder = format!("{}{year}/{month:02}/{day:02}/", place(account));
        let time = format!("{year}{month:02}{day:02}T{:02}{:02}Z", n / 12 % 24, n % 12 * 5);
        format!("{folder}{account}_CloudTrail_us-east-1_{time}_{n:016}.json.gz")
    };
    let busy = "111122223333";
    let mut keys: Vec<String> = (0..40).map(|n| log(busy, 2026, 3, 2, n)).collect();
    keys.extend((1..=28).map(|day| log(busy, 2026, 3, day, 100)));
    keys.extend((1..=12).map(|month| log(busy, 2025, month, 7, 101)));
    keys.extend([2023, 2024, 2027].map(|year| log(busy, year, 1, 1, 102)));
    keys.extend((1..=28).map(|day| log("444455556666", 2026, 3, day, 103)));
    for odd in [
        "0-first",
        "2026/loose",
        "2026/03/loose",
        "2026/03/02/000-before",
        "2026/03/02/zzz-behind",
        "2026/03/02/deeper/one",
        "2026-03/x",
        "zz",
    ] {
        keys.push(format!("{}{odd}", place(busy)));
    }
    keys.sort();
    keys
}

async fn source(server: &Server) -> S3Source {
    let config = SdkConfig::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new("us-east-1"))
        .endpoint_url(server.url())
        .credentials_provider(SharedCredentialsProvider::new(Credentials::new("test", "test", None, None, "test")))
        .build();
    S3Source::connect(&Aws::from_config(config, true), BUCKET).await.unwrap()
}

async fn listed<S: Source>(source: S, scope: Scope) -> Inventory {
    let context = Context {
        source: Arc::new(source),
        scope,
        moves: Vec::new().into(),
        checkpoint: Arc::new(Checkpoint::default()),
        retry: Retry::default(),
        concurrency: 8,
        max_memory: 1 << 28,
        memory: Arc::new(trailproof::pipeline::memory::Memory::of(1 << 28, 1)),
        workers: Arc::new(rayon::ThreadPoolBuilder::new().num_threads(1).build().unwrap()),
        requests: Arc::new(Semaphore::new(8)),
        metrics: Arc::new(Metrics::default()),
        cancelled: Arc::default(),
    };
    let (inventory, findings) = discover(&context, &BUCKET.into(), "", Thoroughness::CloudTrailOnly).await.unwrap();
    assert_eq!(findings, []);
    inventory
}

/// Keys of logs that an inventory holds, and the names and number of all others in CloudTrail folders.
fn found(inventory: &Inventory) -> (Vec<String>, Vec<String>, u64) {
    let logs = inventory.places.iter().flat_map(|(place, holdings)| {
        holdings.logs.iter().map(|log| log.name.key(&inventory.roots[log.root as usize].prefix, place))
    });
    let mut logs: Vec<String> = logs.collect();
    logs.sort();
    let mut odd: Vec<String> = inventory.odd().map(|odd| odd.key.to_string()).collect();
    odd.sort();
    assert_eq!(inventory.misnamed.tally.objects, 0);
    (logs, odd, inventory.odd_tally().objects)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_key_is_found_once_whatever_fits_on_a_page() {
    let (logs, odd): (Vec<String>, Vec<String>) = keys().into_iter().partition(|key| key.ends_with(".json.gz"));
    let expected = (logs, odd.clone(), odd.len() as u64);
    for page_size in [1, 2, 3, 7, 20, 1000] {
        let server = Server::start(page_size);
        for key in keys() {
            server.store.put(BUCKET, &key, vec![1], BTreeMap::new());
        }
        assert_eq!(found(&listed(source(&server).await, Scope::default()).await), expected, "{page_size} a page");
    }
}
