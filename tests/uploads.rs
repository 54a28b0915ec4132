//! Files of a table on their way to a bucket.

use std::io::Write as _;
use std::time::{Duration, Instant};

use crate::faults::{PATIENT, aws};
use crate::support::inprocess::impatient;
use crate::support::s3::{BUCKET, Server};
use trailproof::pipeline::upload::Bucket;
use trailproof::source::s3::destination::Destination;
use trailproof_table::sink::Store as _;

const PART: usize = 5 << 20;

/// A bucket with room for so many parts under way, and the runtime that sends them.
fn bucket(server: &Server, parts: usize) -> (Bucket, tokio::runtime::Runtime) {
    server.store.make_bucket(BUCKET);
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let destination = runtime.block_on(Destination::connect(&aws(server, PATIENT), BUCKET, "", None)).unwrap();
    (Bucket::new(destination, impatient(), runtime.handle().clone(), parts * PART), runtime)
}

#[test]
fn the_parts_of_all_files_share_their_room() {
    for room in [1, 2] {
        let server = Server::start(100);
        let (bucket, _runtime) = bucket(&server, room);
        server.store.slow_down_parts(Duration::from_millis(100));
        std::thread::scope(|scope| {
            for name in ["one", "two", "three"] {
                let mut file = bucket.create(name).unwrap();
                scope.spawn(move || {
                    file.write_all(&vec![name.len() as u8; 3 * PART + 1]).unwrap();
                    assert_eq!(file.seal().unwrap(), 3 * PART as u64 + 1);
                    file.publish().unwrap();
                });
            }
        });
        assert!((1..=room).contains(&server.store.most_parts_at_once()), "{}", server.store.most_parts_at_once());
        let objects = server.store.objects(BUCKET);
        assert_eq!(objects.into_values().map(|object| object.len()).collect::<Vec<_>>(), [3 * PART + 1; 3]);
    }
}

#[test]
fn a_part_is_sent_while_its_writer_does_something_else() {
    let server = Server::start(100);
    let (bucket, _runtime) = bucket(&server, 2);
    let mut file = bucket.create("file").unwrap();
    file.write_all(&vec![0; PART]).unwrap();
    let began = Instant::now();
    while server.store.most_parts_at_once() == 0 {
        assert!(began.elapsed() < Duration::from_secs(60), "the part never came");
        std::thread::sleep(Duration::from_millis(10));
    }
}
