//! Cuts the planned logs into batches: which logs become one row group, from the plan alone.

use std::ops::{Range, RangeInclusive};

use super::plan::{PlacePlan, PlannedLog};

/// Content that no log is taken to have, in bytes: CloudTrail's limit is 50 MB.
const IMPLAUSIBLE: u64 = 4 << 30;

/// Content of one batch of logs, roughly, in bytes: what one row group holds. A smaller archive is cut into more batches,
/// so that every worker has some.
const BATCH_CONTENT: RangeInclusive<u64> = (4 << 20)..=(24 << 20);

/// Batches that a small archive is cut into.
const BATCHES: u64 = 32;

/// Plan and log numbers, by day, then account and Region, then name.
pub(super) fn in_day_order(plans: &[PlacePlan]) -> Vec<(u32, u32)> {
    let mut order = Vec::with_capacity(plans.iter().map(|plan| plan.logs.len()).sum());
    for (p, plan) in (0_u32..).zip(plans) {
        order.extend((0_u32..).zip(&plan.logs).map(|(l, _)| (p, l)));
    }
    order.sort_by_key(|&(p, l)| {
        let log = &plans[p as usize].logs[l as usize];
        (log.day(), p, l)
    });
    order
}

/// Cuts the logs into batches; those that become rows are of one day each, and a day's are of about the same content.
pub(super) fn into_batches(plans: &[PlacePlan], order: &[(u32, u32)], keeps_rows: bool) -> Vec<Range<usize>> {
    let log = |&(p, l): &(u32, u32)| &plans[p as usize].logs[l as usize];
    let content_of = |logs: &[(u32, u32)]| logs.iter().map(|at| likely_content(log(at))).sum::<u64>();
    let full = (content_of(order) / BATCHES).clamp(*BATCH_CONTENT.start(), *BATCH_CONTENT.end());
    let mut batches: Vec<Range<usize>> = Vec::new();
    let mut at = 0;
    for day in order.chunk_by(|a, b| !keeps_rows || log(a).day() == log(b).day()) {
        let content = u128::from(content_of(day).max(1));
        let parts = content.div_ceil(full.into());
        let (mut before, mut part) = (0, None);
        for place in day {
            let its_part = Some(u128::from(before) * parts / content);
            match batches.last_mut() {
                Some(batch) if its_part == part => batch.end = at + 1,
                _ => batches.push(at..at + 1),
            }
            part = its_part;
            before += likely_content(log(place));
            at += 1;
        }
    }
    batches
}

/// Bytes that a log probably inflates to, going by what gzip does to CloudTrail's JSON; what is empty or missing takes time
/// too.
fn likely_content(log: &PlannedLog) -> u64 {
    match log.size() {
        small @ ..8192 => 1024 + small * 4,
        size => size.saturating_mul(12).min(IMPLAUSIBLE),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: u64 = 1 << 20;

    /// A plan of logs of these days of June and stored bytes.
    fn plan(logs: &[(u8, u64)]) -> PlacePlan {
        let key = |day| {
            format!(
                "AWSLogs/111122223333/CloudTrail/eu-west-1/2026/06/{day:02}/\
                 111122223333_CloudTrail_eu-west-1_202606{day:02}T0000Z_AbCdEfGhIjKlMnOp.json.gz"
            )
        };
        PlacePlan::uncovered(logs.iter().map(|&(day, size)| (key(day), size)))
    }

    fn batches(plans: &[PlacePlan], keeps_rows: bool) -> Vec<Range<usize>> {
        into_batches(plans, &in_day_order(plans), keeps_rows)
    }

    #[test]
    fn logs_are_ordered_by_day_before_their_place() {
        let plans = [plan(&[(1, 10), (3, 10)]), plan(&[(2, 10), (3, 10)])];
        assert_eq!(in_day_order(&plans), [(0, 0), (1, 0), (0, 1), (1, 1)]);
    }

    #[test]
    fn a_batch_that_becomes_rows_is_of_one_day() {
        let plans = [plan(&[(1, 10), (1, 10), (2, 10)])];
        assert_eq!(batches(&plans, true), [0..2, 2..3]);
        assert_eq!(batches(&plans, false), [0..3; 1]);
    }

    #[test]
    fn a_day_is_cut_evenly() {
        // 100 times 12 MiB are 50 batches of 24.
        let plans = [plan(&[(1, MIB); 100])];
        let even: Vec<_> = (0..50).map(|at| at * 2..at * 2 + 2).collect();
        assert_eq!(batches(&plans, true), even);
    }

    #[test]
    fn every_log_is_in_one_batch_whatever_its_size() {
        let plans = [plan(&[(1, 0), (1, u64::MAX), (1, u64::MAX), (2, 0), (2, 0), (3, 5 << 30), (3, 0)])];
        let batches = batches(&plans, true);
        assert_eq!(batches, [0..2, 2..3, 3..5, 5..6, 6..7]);
    }

    #[test]
    fn no_logs_make_no_batch() {
        assert!(batches(&[], true).is_empty());
    }
}
