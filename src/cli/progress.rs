//! Progress on stderr: bars on a terminal, or one JSON object a second, or nothing.

use std::io::{self, IsTerminal as _, Write as _};
use std::sync::Arc;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::args::ProgressMode;
use super::text::{bytes, count};
use crate::metrics::{Metrics, Phase};

/// Shows how a run goes until it is dropped.
pub(super) struct Progress {
    metrics: Arc<Metrics>,
    bar: Option<ProgressBar>,
    json: bool,
    started: Instant,
}

impl Progress {
    /// Progress for a run with these counters.
    pub(super) fn new(mode: ProgressMode, metrics: Arc<Metrics>) -> Self {
        let wanted = mode == ProgressMode::Auto && io::stderr().is_terminal();
        let bar = wanted.then(|| ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr()));
        Self { metrics, bar, json: mode == ProgressMode::Json, started: Instant::now() }
    }

    /// Shows the state again and again; never ends by itself.
    pub(super) async fn show(&self) {
        let pause = if self.json { Duration::from_secs(1) } else { Duration::from_millis(150) };
        if self.bar.is_none() && !self.json {
            std::future::pending::<()>().await;
        }
        loop {
            tokio::time::sleep(pause).await;
            if let Some(bar) = &self.bar {
                self.draw(bar);
            }
            if self.json {
                // A reader that went away is no reason to stop the run.
                let _ = writeln!(io::stderr(), "{}", self.state());
            }
        }
    }

    fn draw(&self, bar: &ProgressBar) {
        let m = &self.metrics;
        let value = Metrics::value;
        let findings = match value(&m.findings) {
            0 => String::new(),
            number => format!(" · {} findings", count(number)),
        };
        let (template, message) = match m.phase() {
            Phase::Listing => ("{spinner} {msg}", format!("listing · {} objects", count(value(&m.listed)))),
            Phase::Digests => {
                let (done, total) = (value(&m.digests), value(&m.digests_total));
                bar.set_length(total);
                bar.set_position(done);
                ("{bar:30} {msg}", format!("digests · {} of {}{findings}", count(done), count(total)))
            }
            Phase::Logs => {
                let (done, total) = (value(&m.stored_bytes), value(&m.stored_bytes_total));
                bar.set_length(total.max(1));
                bar.set_position(done);
                let seconds = self.started.elapsed().as_secs_f64();
                let rate = value(&m.inflated_bytes) as f64 / seconds.max(0.001);
                let records = match value(&m.records) {
                    0 => String::new(),
                    number => format!(" · {} records/s", count((number as f64 / seconds.max(0.001)) as u64)),
                };
                let text = format!(
                    "{} of {} logs · {}/s{records}{findings}",
                    count(value(&m.logs)),
                    count(value(&m.logs_total)),
                    bytes(rate as u64)
                );
                ("{bar:30} {msg} · {eta} left", text)
            }
            Phase::Finishing => ("{spinner} {msg}", "finishing".to_owned()),
        };
        bar.set_style(ProgressStyle::with_template(template).expect("the templates above are valid"));
        bar.set_message(message);
        bar.tick();
    }

    fn state(&self) -> serde_json::Value {
        let m = &self.metrics;
        let value = Metrics::value;
        serde_json::json!({
            "phase": match m.phase() {
                Phase::Listing => "listing",
                Phase::Digests => "digests",
                Phase::Logs => "logs",
                Phase::Finishing => "finishing",
            },
            "seconds": self.started.elapsed().as_secs_f64(),
            "listed": value(&m.listed),
            "digests": value(&m.digests),
            "digests_total": value(&m.digests_total),
            "logs": value(&m.logs),
            "logs_total": value(&m.logs_total),
            "stored_bytes": value(&m.stored_bytes),
            "stored_bytes_total": value(&m.stored_bytes_total),
            "inflated_bytes": value(&m.inflated_bytes),
            "records": value(&m.records),
            "findings": value(&m.findings),
        })
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}
