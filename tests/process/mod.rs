//! What the program does as a process: exit codes whatever becomes of its output, signals, destinations that are taken, and
//! arguments that are hard to write down.

mod arguments;
mod destinations;
mod exit_codes;
mod permissions;
mod signals;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::{LazyLock, mpsc};
use std::time::{Duration, Instant};

use crate::support::s3::Server;
use serde_json::Value;
use trailproof_synth::{Sizes, SynthOptions};

/// Where tables go in the tests of S3.
const TABLES: &str = "tables-bucket";

fn testdata(archive: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata").join(archive)
}

fn program() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_trailproof"));
    command.env("AWS_EC2_METADATA_DISABLED", "true").stdin(Stdio::null());
    command
}

/// `verify`, or another command, over an archive with its own keys.
fn over(command: &str, archive: &Path) -> Command {
    let mut program = program();
    program.arg(command).arg(archive.join("bucket")).arg("--public-keys").arg(archive.join("public-keys.json"));
    program
}

/// `scan` into a destination.
fn scan(archive: &Path, out: &Path) -> Command {
    let mut program = over("scan", archive);
    program.arg("--out").arg(out);
    program
}

/// `scan` of the clean archive in a bucket into another bucket.
fn scan_in_s3(server: &Server) -> Command {
    server.store.make_bucket(TABLES);
    let bucket = testdata("clean/bucket");
    server.store.put_directory("example-org-trail", &bucket, &bucket);
    let mut program = program();
    program.args(["scan", "s3://example-org-trail", "--endpoint-url", &server.url(), "--out"]);
    program.arg(format!("s3://{TABLES}/some/where")).arg("--public-keys").arg(testdata("clean/public-keys.json"));
    program.env("AWS_ACCESS_KEY_ID", "test").env("AWS_SECRET_ACCESS_KEY", "test").env("AWS_REGION", "us-east-1");
    program
}

fn ended(command: &mut Command) -> (i32, Output) {
    let output = command.output().unwrap();
    (output.status.code().unwrap_or(-1), output)
}

fn started(command: &mut Command) -> Child {
    command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

/// Waits until a child has ended; it must within two minutes.
fn finished(child: Child) -> (i32, Output) {
    let (id, (told, ended)) = (child.id(), mpsc::channel());
    std::thread::spawn(move || told.send(child.wait_with_output()));
    match ended.recv_timeout(Duration::from_secs(120)) {
        Ok(output) => output.map(|output| (output.status.code().unwrap_or(-1), output)).unwrap(),
        Err(_) => {
            send("KILL", id);
            panic!("it did not end");
        }
    }
}

/// The same command, which heeds signals even where this process was started to ignore them, as shells start what runs in
/// their background.
fn heeding(command: &Command) -> Command {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let ignored = status.lines().find_map(|line| line.strip_prefix("SigIgn:")).unwrap_or("0").trim();
    let mut heeding = Command::new("env");
    // SIGHUP, SIGINT and SIGTERM.
    if u64::from_str_radix(ignored, 16).unwrap() & 0x4003 != 0 {
        heeding.arg("--default-signal=HUP,INT,TERM");
    }
    heeding.arg(command.get_program()).args(command.get_args()).stdin(Stdio::null());
    heeding.envs(command.get_envs().filter_map(|(name, value)| value.map(|value| (name, value))));
    heeding
}

/// Starts a scan and holds it (`STOP`) where it has begun to write and not come to its end.
fn held(scan: &mut Command, out: &Path) -> Child {
    let writes = || files(out).keys().any(|name| name.contains("/.part-"));
    for _ in 0..10 {
        let mut child = started(scan);
        wait_until("a file of the table", || writes() || child.try_wait().unwrap().is_some());
        signal(&child, "STOP");
        if writes() && child.try_wait().unwrap().is_none() {
            return child;
        }
        // It was quicker.
        signal(&child, "KILL");
        finished(child);
        let _ = fs::remove_dir_all(out);
    }
    panic!("it could not be held while it wrote");
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn report(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("no report: {}", stderr(output)))
}

/// Sends a signal, such as `TERM`.
fn signal(child: &Child, name: &str) {
    send(name, child.id());
}

fn send(name: &str, process: u32) {
    let sent = Command::new("kill").arg(format!("-{name}")).arg(process.to_string()).status().unwrap();
    assert!(sent.success());
}

/// Waits until something holds; it must within a minute.
fn wait_until(what: &str, mut holds: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !holds() {
        assert!(begun.elapsed() < Duration::from_secs(60), "{what} did not come");
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// Every file below a folder, by its path below it.
fn files(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    fn collect(root: &Path, folder: &Path, files: &mut BTreeMap<String, Vec<u8>>) {
        for entry in fs::read_dir(folder).into_iter().flatten() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                collect(root, &path, files);
            } else {
                // A run that is watched may have taken it away.
                let name = path.strip_prefix(root).unwrap().display().to_string();
                files.insert(name, fs::read(&path).unwrap_or_default());
            }
        }
    }
    let mut found = BTreeMap::new();
    collect(folder, folder, &mut found);
    found
}

/// The table's files alone.
fn parts(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    files(folder).into_iter().filter(|(name, _)| name.ends_with(".parquet")).collect()
}

/// An archive that takes the program a moment: more rows than it holds at once. It is made once for all tests.
static LARGE: LazyLock<PathBuf> = LazyLock::new(|| {
    let archive = Path::new(env!("CARGO_TARGET_TMPDIR")).join("process-archive");
    let _ = fs::remove_dir_all(&archive);
    let options = SynthOptions {
        accounts: 2,
        regions: 2,
        hours: 5,
        logs_per_hour: 12,
        records_per_log: 160,
        sizes: Sizes::Even,
        ..SynthOptions::new(&archive)
    };
    trailproof_synth::write(options).unwrap();
    archive
});
