//! The signals that end a run: the first lets it stop cleanly, the next ends the program at once.
//!
//! Stopping cleanly means that partial files and open uploads are taken away and that the report says what was not looked
//! at. A run that does not come to its end after that, such as one whose reader reads no more, is ended by the next signal,
//! whatever it waits for; what it leaves behind is recognised by the claim on its destination.
//!
//! Invariants: a signal that the program was started to ignore, as `nohup` has it, is ignored; nothing that is said here is
//! waited for longer than a moment, because stderr may have a reader that reads no more; a verdict that is known is the exit
//! code, however the program ends.

use std::future::Future;
use std::io::{self, Write as _};
use std::sync::{Arc, OnceLock};
#[cfg(unix)]
use std::task::Poll;
use std::time::{Duration, Instant};

use anyhow::anyhow;
use tokio::runtime::Runtime;
use tokio::sync::{Semaphore, oneshot};

use super::{Failure, OWN_FAILURE};
use crate::pipeline;

/// Signals this close together are one: `timeout` and shells that end send theirs to the program and to its group.
const TOGETHER: Duration = Duration::from_millis(250);

/// Listens for signals from when it is made.
pub(super) struct Signals {
    /// Closed when the run is to stop.
    stopped: Arc<Semaphore>,
    /// The verdict's exit code, once there is one.
    known: Arc<OnceLock<u8>>,
}

impl Signals {
    /// Starts to listen, beside whatever else the program does.
    pub(super) fn listen(runtime: &Runtime) -> io::Result<Self> {
        let (stopped, known) = (Arc::new(Semaphore::new(0)), Arc::default());
        let _entered = runtime.enter();
        pipeline::beside(runtime.handle(), serve(Received::new()?, stopped.clone(), Arc::clone(&known)));
        Ok(Self { stopped, known })
    }

    /// Takes in the verdict's exit code: what is left to do is to tell it.
    pub(super) fn know(&self, code: u8) {
        self.known.get_or_init(|| code);
    }

    /// Waits until the run is to stop.
    pub(super) async fn stop(&self) {
        // No permit is ever given: the semaphore is waited for until it is closed.
        let _ = self.stopped.acquire().await;
    }

    /// Does something that comes before the run, unless that is to stop.
    pub(super) async fn or_stopped<T>(&self, work: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
        tokio::select! {
            done = work => done,
            () = self.stop() => Err(Failure::own(anyhow!("stopped before anything was read"))),
        }
    }
}

async fn serve(mut received: Received, stopped: Arc<Semaphore>, known: Arc<OnceLock<u8>>) {
    let first = received.next().await;
    let since = Instant::now();
    stopped.close();
    drop(say(format!("{first}: stopping; another signal ends the program at once")));
    while since.elapsed() < TOGETHER {
        received.next().await;
    }
    let (code, untold) = match known.get() {
        None => (OWN_FAILURE, "no report was written"),
        Some(0) => (OWN_FAILURE, "not all of the answer was written and printed"),
        Some(verdict) => (*verdict, "not all of the answer was written and printed"),
    };
    // Said in time or not at all.
    let _ = tokio::time::timeout(TOGETHER, say(format!("error: stopped at once; {untold}"))).await;
    end(code);
}

/// Writes a line to stderr. A terminal that is gone takes no text, and the program stops all the same.
fn say(line: String) -> oneshot::Receiver<()> {
    pipeline::aside(move || drop(writeln!(io::stderr(), "{line}")))
}

#[expect(clippy::exit, reason = "the threads that work or wait are not to be waited for")]
fn end(code: u8) {
    std::process::exit(i32::from(code))
}

/// The signals, as they come in.
#[cfg(unix)]
struct Received(Vec<(&'static str, tokio::signal::unix::Signal)>);

#[cfg(unix)]
impl Received {
    /// Needs a runtime to have been entered.
    fn new() -> io::Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};
        let ignored = ignored();
        let kinds = [
            ("SIGINT", SignalKind::interrupt()),
            ("SIGTERM", SignalKind::terminate()),
            ("SIGHUP", SignalKind::hangup()),
        ];
        let heeded = kinds.into_iter().filter(|(_, kind)| ignored >> (kind.as_raw_value() - 1) & 1 == 0);
        heeded.map(|(name, kind)| signal(kind).map(|signal| (name, signal))).collect::<io::Result<_>>().map(Self)
    }

    async fn next(&mut self) -> &'static str {
        std::future::poll_fn(|context| {
            let mut first = None;
            // All that are waiting are taken in, so that they count as one.
            for (name, signal) in &mut self.0 {
                if signal.poll_recv(context).is_ready() {
                    first.get_or_insert(*name);
                }
            }
            first.map_or(Poll::Pending, Poll::Ready)
        })
        .await
    }
}

/// The signals that the program was started to ignore, one bit each, where the system tells.
///
/// Spec: <https://man7.org/linux/man-pages/man5/proc_pid_status.5.html>
#[cfg(unix)]
fn ignored() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).unwrap_or(0)
}

#[cfg(not(unix))]
struct Received;

#[cfg(not(unix))]
impl Received {
    fn new() -> io::Result<Self> {
        Ok(Self)
    }

    async fn next(&mut self) -> &'static str {
        match tokio::signal::ctrl_c().await {
            Ok(()) => "Ctrl-C",
            Err(_) => std::future::pending().await,
        }
    }
}
