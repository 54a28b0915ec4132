//! How much was put to the test.

use std::collections::BTreeMap;

use super::exemptions::Exemption;
use super::judge::{Expected, Standing};

#[derive(Debug, Default)]
pub struct Counts {
    sequences: u64,
    /// Something must be told.
    told: u64,
    /// Exit code 1 is the only right one.
    altered: u64,
    /// Exit code 1 is never right.
    never_altered: u64,
    /// The answer must be that of the untouched archive.
    untouched: u64,
    /// Nothing but an exemption lets exit code 0 pass.
    exempt: BTreeMap<Exemption, u64>,
    by_code: BTreeMap<u8, u64>,
}

impl Counts {
    pub fn note(&mut self, expected: &Expected, code: u8) {
        self.sequences += 1;
        let is_any = |standing: Standing| expected.touches.iter().any(|touch| touch.standing == standing);
        let is_altered = is_any(Standing::Altered);
        self.told += u64::from(!expected.must_be_told.is_empty() || is_altered || is_any(Standing::Told));
        self.altered += u64::from(is_altered);
        self.never_altered += u64::from(!expected.may_be_altered);
        self.untouched += u64::from(expected.as_untouched);
        *self.by_code.entry(code).or_default() += 1;
        for exemption in Exemption::ALL {
            if code == 0 && is_any(Standing::Exempt(exemption)) {
                *self.exempt.entry(exemption).or_default() += 1;
            }
        }
    }

    pub fn add(&mut self, other: Self) {
        let Self { sequences, told, altered, never_altered, untouched, exempt, by_code } = other;
        self.sequences += sequences;
        self.told += told;
        self.altered += altered;
        self.never_altered += never_altered;
        self.untouched += untouched;
        exempt.into_iter().for_each(|(exemption, count)| *self.exempt.entry(exemption).or_default() += count);
        by_code.into_iter().for_each(|(code, count)| *self.by_code.entry(code).or_default() += count);
    }

    /// Whether every property was put to the test in a twentieth of the sequences.
    pub fn is_balanced(&self) -> bool {
        let enough = |count: u64| count * 20 >= self.sequences;
        let codes = [0, 1, 3].map(|code| self.by_code.get(&code).copied().unwrap_or_default());
        [self.told, self.altered, self.never_altered, self.untouched].into_iter().chain(codes).all(enough)
    }
}
