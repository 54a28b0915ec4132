//! Spans of time and what they cover together.

use jiff::{SignedDuration, Timestamp};
use serde::Serialize;

/// How long the digest that lists a log may let one wait: an hour until its window ends, and two in which it may arrive,
/// as far as AWS lets one tell.
pub const ARRIVAL: SignedDuration = SignedDuration::from_hours(3);

/// How long after its end a digest may arrive.
pub const DIGEST_ARRIVAL: SignedDuration = SignedDuration::from_hours(2);

/// How far inside a period that was asked for coverage may begin and end: digests are hourly, and nobody asks for a period
/// to the second at which a trail was made.
pub const EDGE: SignedDuration = SignedDuration::from_hours(2);

/// How far ahead of the clock a name may be: clocks differ.
pub const AHEAD: SignedDuration = SignedDuration::from_mins(15);

/// How much later than the time in its name a log may be delivered in practice; digests cover delivery times.
pub const NAME_SLACK: SignedDuration = SignedDuration::from_mins(10);

/// A span of time, start included, end not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Window {
    /// First moment.
    pub from: Timestamp,
    /// The moment after the last.
    pub to: Timestamp,
}

impl std::fmt::Display for Window {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} to {}", self.from, self.to)
    }
}

/// What the signed digests of one account and Region cover, all trails together.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Coverage {
    /// Disjoint and in order.
    windows: Vec<Window>,
}

/// Whether digests that would name a log exist.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Covered {
    /// Digests cover its time: one of them should name it.
    Yes,
    /// None covers its time.
    No,
    /// It is newer than the newest digest, whose successor may still be on its way.
    NotYet,
}

impl Coverage {
    /// Joins windows that touch or overlap.
    pub fn of(mut windows: Vec<Window>) -> Self {
        windows.sort_unstable();
        let mut joined: Vec<Window> = Vec::new();
        for window in windows {
            match joined.last_mut() {
                Some(last) if window.from <= last.to => last.to = last.to.max(window.to),
                _ => joined.push(window),
            }
        }
        Self { windows: joined }
    }

    /// The covered spans, disjoint and in order.
    pub fn windows(&self) -> &[Window] {
        &self.windows
    }

    /// Whether any moment at which a log named for `minute` may have been delivered is covered.
    pub fn touches_log(&self, minute: Timestamp) -> bool {
        let delivered = delivered_by(minute);
        let at = self.windows.partition_point(|window| window.to <= minute);
        self.windows.get(at).is_some_and(|window| window.from <= delivered)
    }

    /// Whether a log named for `minute` should stand in a digest, as of `now`.
    ///
    /// The name's minute may precede the delivery by some minutes, so both must be covered before a log counts as one
    /// that digests should have named. Only what is new waits for a digest: a span that ends at the clock, whatever period
    /// was asked for.
    pub fn of_log(&self, minute: Timestamp, now: Timestamp) -> Covered {
        let delivered = delivered_by(minute);
        let at = self.windows.partition_point(|window| window.to <= minute);
        match self.windows.get(at) {
            Some(window) if window.from <= minute && delivered <= window.to => Covered::Yes,
            Some(window) if at + 1 < self.windows.len() || minute < window.from => Covered::No,
            _ if is_new(minute, now) => Covered::NotYet,
            _ => Covered::No,
        }
    }
}

/// Whether the digest that lists a log named for `minute` may still be on its way.
fn is_new(minute: Timestamp, now: Timestamp) -> bool {
    let age = now.duration_since(minute);
    age < ARRIVAL && age >= -AHEAD
}

/// The latest moment at which a log named for `minute` is delivered in practice. Anyone may write a name of any year.
fn delivered_by(minute: Timestamp) -> Timestamp {
    minute.checked_add(NAME_SLACK).unwrap_or(Timestamp::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(hour: i64, minute: i64) -> Timestamp {
        Timestamp::from_second(hour * 3600 + minute * 60).expect("in range")
    }

    #[test]
    fn a_log_near_the_edge_of_a_gap_may_belong_to_the_missing_digest() {
        let coverage = Coverage::of(vec![
            Window { from: at(1, 0), to: at(2, 0) },
            Window { from: at(2, 0), to: at(3, 0) },
            Window { from: at(5, 0), to: at(6, 0) },
        ]);
        let now = at(100, 0);
        for (time, covered) in [
            (at(0, 30), Covered::No),
            (at(1, 59), Covered::Yes),
            (at(2, 45), Covered::Yes),
            (at(2, 55), Covered::No),
            (at(4, 0), Covered::No),
            (at(5, 0), Covered::Yes),
            (at(5, 55), Covered::No),
            (at(7, 0), Covered::No),
        ] {
            assert_eq!(coverage.of_log(time, now), covered, "{time}");
        }
        assert_eq!(coverage.of_log(Timestamp::MAX, now), Covered::No);
        assert!(!coverage.touches_log(Timestamp::MAX));
        assert_eq!(coverage.of_log(at(6, 10), at(7, 0)), Covered::NotYet);
        assert_eq!(coverage.of_log(at(5, 55), at(7, 0)), Covered::NotYet);
    }

    #[test]
    fn without_digests_a_new_log_may_still_be_named() {
        assert_eq!(Coverage::default().of_log(at(6, 0), at(7, 0)), Covered::NotYet);
        assert_eq!(Coverage::default().of_log(at(6, 0), at(9, 0)), Covered::No);
    }

    #[test]
    fn what_waits_is_three_hours_old_at_most_and_a_quarter_of_an_hour_ahead() {
        let coverage = Coverage::of(vec![Window { from: at(1, 0), to: at(2, 0) }]);
        let second = SignedDuration::from_secs(1);
        for (now, covered) in [
            (at(9, 0), Covered::No),
            (at(9, 0) - second, Covered::NotYet),
            (at(6, 0), Covered::NotYet),
            (at(5, 45), Covered::NotYet),
            (at(5, 45) - second, Covered::No),
        ] {
            assert_eq!(coverage.of_log(at(6, 0), now), covered, "{now}");
        }
        // What the newest digest covers is no matter of waiting.
        assert_eq!(coverage.of_log(at(1, 40), at(2, 0)), Covered::Yes);
    }

    #[test]
    fn a_log_in_a_gap_waits_for_no_digest_however_new_it_is() {
        let coverage =
            Coverage::of(vec![Window { from: at(1, 0), to: at(2, 0) }, Window { from: at(3, 0), to: at(4, 0) }]);
        assert_eq!(coverage.of_log(at(1, 55), at(3, 50)), Covered::No);
        assert_eq!(coverage.of_log(at(2, 10), at(4, 0)), Covered::No);
        assert_eq!(coverage.of_log(at(3, 55), at(4, 0)), Covered::NotYet);
        // The next digest may still come, and cover what this one ends too early for.
        let short = Coverage::of(vec![Window { from: at(5, 0), to: at(5, 5) }]);
        assert_eq!(short.of_log(at(5, 0), at(6, 0)), Covered::NotYet);
        assert_eq!(short.of_log(at(4, 59), at(6, 0)), Covered::No);
    }

    #[test]
    fn a_log_is_touched_by_the_hours_in_which_it_may_have_been_delivered() {
        let coverage = Coverage::of(vec![Window { from: at(1, 0), to: at(2, 0) }]);
        for (time, touched) in [(at(0, 49), false), (at(0, 50), true), (at(1, 59), true), (at(2, 0), false)] {
            assert_eq!(coverage.touches_log(time), touched, "{time}");
        }
    }

    #[test]
    fn a_log_is_touched_by_a_window_wherever_it_stands_among_others() {
        let hours = [1, 4, 6, 9];
        let windows: Vec<Window> = hours.map(|hour| Window { from: at(hour, 0), to: at(hour + 1, 0) }).into();
        let coverage = Coverage::of(windows.clone());
        for minute in (0..12 * 60).map(|minute| at(0, minute)) {
            let by_each = windows.iter().any(|window| window.from <= delivered_by(minute) && minute < window.to);
            assert_eq!(coverage.touches_log(minute), by_each, "{minute}");
        }
    }

    #[test]
    fn a_window_is_told_by_both_its_ends() {
        let window = Window { from: at(1, 0), to: at(2, 30) };
        assert_eq!(window.to_string(), "1970-01-01T01:00:00Z to 1970-01-01T02:30:00Z");
    }
}
