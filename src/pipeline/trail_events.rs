//! Finds the calls that turn a trail off or change it, to name what a break in a chain was caused by.

use jiff::{SignedDuration, Timestamp};
use memchr::memmem;
use serde::Deserialize;

use crate::finding::Finding;
use crate::verify::chain::Break;

/// Calls after which a trail logs, or is validated, no more.
const CALLS: [&str; 3] = ["StopLogging", "UpdateTrail", "DeleteTrail"];

/// Events kept of one log; more of them say nothing more.
const KEPT: usize = 100;

/// One such call.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct TrailEvent {
    /// When it was made.
    pub time: Timestamp,
    /// Which call.
    pub call: String,
    /// The trail, by name or ARN.
    pub trail: String,
    /// Who made it.
    pub caller: String,
    /// The event's id.
    pub event_id: String,
}

#[derive(Deserialize)]
struct Log<'a> {
    #[serde(rename = "Records", borrow)]
    records: Vec<&'a serde_json::value::RawValue>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Record {
    event_time: Timestamp,
    event_source: String,
    event_name: String,
    #[serde(rename = "eventID")]
    event_id: String,
    #[serde(default)]
    user_identity: Caller,
    request_parameters: Trail,
}

#[derive(Default, Deserialize)]
struct Caller {
    arn: Option<String>,
}

#[derive(Deserialize)]
struct Trail {
    name: String,
}

/// The calls in a log's content. A log that is not as expected holds none that can be told.
pub fn in_content(content: &[u8]) -> Vec<TrailEvent> {
    if !CALLS.iter().any(|call| memmem::find(content, call.as_bytes()).is_some()) {
        return Vec::new();
    }
    let Ok(log) = serde_json::from_slice::<Log<'_>>(content) else { return Vec::new() };
    let records = log.records.iter().filter_map(|raw| serde_json::from_str::<Record>(raw.get()).ok());
    let calls = records.filter(|record| {
        record.event_source == "cloudtrail.amazonaws.com" && CALLS.contains(&record.event_name.as_str())
    });
    let events = calls.map(|record| TrailEvent {
        time: record.event_time,
        call: record.event_name,
        trail: record.request_parameters.name,
        caller: record.user_identity.arn.unwrap_or_else(|| "an unnamed caller".into()),
        event_id: record.event_id,
    });
    events.take(KEPT).collect()
}

/// The finding of a break, with the call that explains it where there is one.
pub fn name_cause(broken: Break, events: &[TrailEvent]) -> Finding {
    let hour = SignedDuration::from_hours(1);
    let near = |event: &&TrailEvent| {
        let of_trail = event.trail == broken.trail.as_str()
            || event.trail.rsplit_once(":trail/").is_some_and(|(_, name)| name == broken.trail.as_str());
        of_trail && event.time.duration_since(broken.window.from) >= -hour && event.time <= broken.window.to
    };
    match events.iter().filter(near).min() {
        Some(TrailEvent { time, call, caller, event_id, .. }) => {
            let cause = format!("{call} at {time} by {caller} (event {event_id})");
            broken.finding.with_hint(format!("explained by {cause}; find out whether that was meant"))
        }
        None => broken.finding,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::finding::FindingId;
    use crate::verify::window::Window;

    const LOG: &str = r#"{"Records":[{"eventTime":"2026-01-02T10:30:00Z","eventSource":"cloudtrail.amazonaws.com",
        "eventName":"StopLogging","eventID":"e1","userIdentity":{"arn":"arn:aws:iam::111122223333:user/eve"},
        "requestParameters":{"name":"arn:aws:cloudtrail:us-east-1:111122223333:trail/main"}},
        {"eventTime":"2026-01-02T10:31:00Z","eventSource":"s3.amazonaws.com","eventName":"StopLogging"}]}"#;

    fn cause_of(trail: &str) -> Option<String> {
        let time = |text: &str| text.parse().expect("time");
        let window = Window { from: time("2026-01-02T11:01:31Z"), to: time("2026-01-02T14:01:31Z") };
        let finding = Finding::new(FindingId::ChainRestart, "digest", "begins anew");
        name_cause(Break { finding, trail: trail.into(), window }, &in_content(LOG.as_bytes())).hint
    }

    #[test]
    fn a_gap_names_the_call_that_explains_it() {
        let hint = cause_of("main").expect("named");
        assert!(hint.contains("StopLogging at 2026-01-02T10:30:00Z by arn:aws:iam::111122223333:user/eve (event e1)"));
        assert_eq!(cause_of("other"), None);
    }
}
