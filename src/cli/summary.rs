//! The summary for people: verdict first, what is covered, what is wrong, where things are, what to do next.

use std::io::{self, Write};

use super::shell;
use super::text::{Paint, bytes, count, counted, plain};
use super::values::ArchiveAddress;
use trailproof_proof::finding::{Finding, Severity};
use trailproof_proof::report::{CheckpointFile, Outcomes, Report, Verdict};

/// Findings that are shown; the report holds them all.
const SHOWN: usize = 6;

/// Where the answer lies besides.
pub(super) struct Told<'a> {
    /// The report's file.
    pub(super) report: Option<&'a str>,
    /// What `--out` named.
    pub(super) table: Option<&'a ArchiveAddress>,
}

/// Writes the summary.
///
/// # Errors
/// Those of `out`.
pub(super) fn write(out: &mut impl Write, report: &Report, told: &Told<'_>, paint: Paint) -> io::Result<()> {
    verdict(out, report, paint)?;
    writeln!(out)?;
    row(out, "covered", &covered(report))?;
    row(out, "digests", &outcomes(report.digests))?;
    row(out, "logs", &outcomes(report.logs))?;
    if report.output.is_some() {
        let records = report.records;
        let mut parts = vec![format!("{} in events", count(records.written))];
        let duplicates = report.output.as_ref().map_or(0, |output| output.duplicates);
        for (number, place) in [
            (records.quarantined, "in quarantine"),
            (records.malformed, "not records, kept raw"),
            (records.deduplicated, "left out as the same"),
            (records.strayed, "under their log's day, for theirs is far from it"),
            (duplicates, "of events told before"),
        ] {
            if number > 0 {
                parts.push(format!("{} {place}", count(number)));
            }
        }
        row(out, "records", &parts.join(" · "))?;
    }
    if let Some(file) = &report.checkpoint {
        row(out, "compared", &checkpoint(file))?;
    }
    if let Some(keys) = keys(report) {
        row(out, "keys", &keys)?;
    }
    let timings = &report.timings;
    if timings.inflated_bytes > 0 {
        let rate = timings.inflated_bytes as f64 / timings.logs_seconds.max(0.001);
        let speed = format!(
            "{} of JSON from {} in {:.1} s ({}/s)",
            bytes(timings.inflated_bytes),
            bytes(timings.stored_bytes),
            timings.total_seconds,
            bytes(rate as u64)
        );
        row(out, "read", &speed)?;
    }
    findings(out, report, paint)?;
    writeln!(out)?;
    if let Some(output) = &report.output {
        let files = counted(output.files.len() as u64, "file");
        row(out, "table", &format!("{} ({} in {files})", output.destination, counted(output.rows, "row")))?;
    }
    if let Some(why) = &report.output_failed {
        let what = match &report.output {
            Some(_) => "there, but no report beside it, which could not be written",
            None => "none, for it could not be written",
        };
        row(out, "table", &format!("{what}: {why}"))?;
    }
    if let Some(file) = told.report {
        row(out, "report", file)?;
    }
    row(out, "next", &next(report, told))
}

fn row(out: &mut impl Write, name: &str, text: &str) -> io::Result<()> {
    writeln!(out, "{name:<9} {}", plain(text))
}

fn verdict(out: &mut impl Write, report: &Report, paint: Paint) -> io::Result<()> {
    let number = |severity| report.severities.get(&severity).copied().unwrap_or(0);
    let bad = number(Severity::Tamper) + number(Severity::Malformed);
    let open = number(Severity::Coverage) + number(Severity::Inconclusive);
    let through = report.verified_through.map_or_else(String::new, |time| format!(", verified through {time}"));
    let (word, rest) = match report.verdict {
        Verdict::Verified => {
            (paint.good("VERIFIED"), format!("everything found is as CloudTrail delivered it{through}"))
        }
        Verdict::Altered => {
            let open = if open == 0 { String::new() } else { format!("; {open} more not covered or not readable") };
            (paint.bad("ALTERED"), format!("{} of alteration or malformed evidence{open}", counted(bad, "finding")))
        }
        Verdict::Incomplete => {
            let rest =
                format!("nothing is known to be altered; {} not covered or not readable", counted(open, "thing"));
            (paint.doubtful("INCOMPLETE"), rest)
        }
    };
    let waiting = match report.logs.pending {
        0 => String::new(),
        pending => format!("; {} too new for a digest", counted(pending, "log")),
    };
    let accepted = match report.acknowledged.len() as u64 {
        0 => String::new(),
        number => format!("; {} acknowledged", counted(number, "thing")),
    };
    let cut = if report.interrupted { " (the run was stopped)" } else { "" };
    let is_blind = report.checkpoint.as_ref().is_some_and(|checkpoint| checkpoint.compared == 0);
    let blind = if is_blind { " (nothing was compared with an earlier run)" } else { "" };
    writeln!(out, "{word}  {}: {rest}{waiting}{accepted}{cut}{blind}", plain(&report.tool.archive))
}

/// What the checkpoint was good for, and what it remembers from now on.
fn checkpoint(checkpoint: &CheckpointFile) -> String {
    let CheckpointFile { file, made, remembered, compared, not_asked_for, states } = checkpoint;
    let made = made.map_or_else(|| "new".to_owned(), |made| format!("of {made}"));
    let mut parts = vec![format!("{} of {} in {file} ({made})", count(*compared), counted(*remembered, "digest"))];
    if *not_asked_for > 0 {
        parts.push(format!("{} not asked for", count(*not_asked_for)));
    }
    let states: Vec<String> = states.iter().map(|(state, number)| format!("{} {state}", count(*number))).collect();
    parts.push(format!("now {}", if states.is_empty() { "none".to_owned() } else { states.join(", ") }));
    parts.join(" · ")
}

fn covered(report: &Report) -> String {
    let first = report.chains.iter().filter_map(|chain| chain.first).min();
    let last = report.chains.iter().filter_map(|chain| chain.last).max();
    let found = &report.scope_found;
    let what = [
        counted(report.chains.len() as u64, "chain"),
        counted(found.accounts.len() as u64, "account"),
        counted(found.regions.len() as u64, "Region"),
    ]
    .join(" · ");
    match first.zip(last) {
        Some((first, last)) => format!("{first} to {last} · {what}"),
        None => format!("nothing · {what}"),
    }
}

fn outcomes(outcomes: Outcomes) -> String {
    let parts = [
        (outcomes.verified, "verified"),
        (outcomes.altered, "altered"),
        (outcomes.missing, "missing"),
        (outcomes.malformed, "malformed"),
        (outcomes.unreadable, "unreadable"),
        (outcomes.unlisted, "unlisted"),
        (outcomes.uncovered, "uncovered"),
        (outcomes.pending, "pending"),
        (outcomes.copied, "copied"),
    ];
    let told: Vec<String> = parts
        .into_iter()
        .filter(|(number, _)| *number > 0)
        .map(|(number, word)| format!("{} {word}", count(number)))
        .collect();
    if told.is_empty() { "none".into() } else { told.join(" · ") }
}

/// Keys that CloudTrail did not give in this run, nor a file that was named.
fn keys(report: &Report) -> Option<String> {
    let kept: Vec<_> = report.keys.iter().filter(|key| key.origin.starts_with("kept")).collect();
    let lent = report.keys.iter().filter(|key| key.origin == "endpoint").count() as u64;
    let mut parts = Vec::new();
    if !kept.is_empty() {
        let since = kept.iter().filter_map(|key| key.fetched).min();
        let age = since.map(|since| report.timings.started.duration_since(since).as_hours() / 24);
        let age =
            age.map_or_else(String::new, |days| format!(", the oldest {} ago", counted(days.max(0) as u64, "day")));
        parts.push(format!("{} kept by earlier runs{age}", count(kept.len() as u64)));
    }
    if lent > 0 {
        parts.push(format!("{} from an endpoint that is not CloudTrail's own", count(lent)));
    }
    (!parts.is_empty()).then(|| parts.join(" · "))
}

fn findings(out: &mut impl Write, report: &Report, paint: Paint) -> io::Result<()> {
    if report.findings.is_empty() {
        return Ok(());
    }
    writeln!(out)?;
    for finding in report.findings.iter().take(SHOWN) {
        one(out, finding, paint)?;
    }
    let all: u64 = report.severities.values().sum();
    let more = all.saturating_sub(SHOWN as u64);
    if more > 0 {
        writeln!(out, "{}", paint.dim(&format!("… and {} more in the report", counted(more, "finding"))))?;
    }
    Ok(())
}

fn one(out: &mut impl Write, finding: &Finding, paint: Paint) -> io::Result<()> {
    let label = format!("{:<12}", severity_word(finding.severity));
    let label = match finding.severity {
        Severity::Tamper | Severity::Malformed => paint.bad(&label),
        Severity::Coverage | Severity::Inconclusive => paint.doubtful(&label),
        Severity::Warning => paint.dim(&label),
    };
    writeln!(out, "{label} {}: {}", finding.id.as_str(), plain(&finding.sentence))?;
    writeln!(out, "             {}", plain(&finding.object))?;
    for (name, value) in [("expected", &finding.expected), ("found", &finding.found), ("hint", &finding.hint)] {
        if let Some(value) = value {
            let name = format!("{name}:");
            writeln!(out, "             {name:<9} {}", shorten(&plain(value)))?;
        }
    }
    Ok(())
}

fn severity_word(severity: Severity) -> &'static str {
    match severity {
        Severity::Tamper => "tamper",
        Severity::Malformed => "malformed",
        Severity::Coverage => "coverage",
        Severity::Inconclusive => "inconclusive",
        Severity::Warning => "warning",
    }
}

/// Signatures are 512 digits long; their ends suffice to tell two apart. The report holds them whole.
fn shorten(text: &str) -> String {
    const MOST: usize = 160;
    if text.chars().count() <= MOST {
        return text.to_owned();
    }
    let head: String = text.chars().take(MOST - 20).collect();
    format!("{head}…")
}

fn next(report: &Report, told: &Told<'_>) -> String {
    let with_report = |text: &str| match told.report {
        Some(file) => format!("{text} in {file}"),
        None => format!("{text} with --report FILE"),
    };
    match (report.verdict, told.table.filter(|_| report.output.is_some())) {
        (Verdict::Altered, _) => with_report("read the tamper findings first,"),
        (Verdict::Incomplete, _) => with_report("see what was not covered or not read"),
        (Verdict::Verified, Some(table)) => shell::count_calls(table),
        (Verdict::Verified, None) => "trailproof scan … --out DEST writes the records as Parquet".into(),
    }
}
