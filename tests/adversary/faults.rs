//! The properties that must hold of a run, and the shortest sequence that shows that one does not.

use trailproof::pipeline::logs::Integrity;

use super::judge::Expected;
use super::options::{Options, Remembered};
use super::planted::rows_allowed;
use super::play::{Outcome, Sequence, untouched};
use super::state::State;

/// A property that does not hold, and for what.
#[derive(Debug, Clone, PartialEq)]
pub enum Fault {
    /// Exit code 0, although this was touched.
    NotTold(String),
    /// Exit code 1, although nothing but honest things happened.
    HonestAccused(String),
    /// Another exit code than 1, although a signed digest speaks against this.
    NotCalledAltered(String),
    /// Another answer than for the untouched archive.
    HarmlessChanged(String),
    /// Rows that claim more than is known.
    Rows(String),
}

impl Fault {
    pub fn is_like(&self, other: &Self) -> bool {
        std::mem::discriminant(self) == std::mem::discriminant(other)
    }
}

impl Sequence {
    /// What sequences have in common that show the same thing: the fault and the kinds of move and option.
    pub fn shape(&self, fault: &Fault) -> String {
        let words = |text: String| text.split(|c: char| !c.is_alphabetic()).map(str::to_owned).collect::<Vec<_>>();
        let fault: String = words(format!("{fault:?}")).into_iter().take(2).collect();
        let moves: Vec<String> = self.moves.iter().map(|one| words(format!("{one:?}")).join(" ")).collect();
        format!("{fault} {moves:?} {:?}", words(serde_json::to_string(&self.options).unwrap()))
    }

    /// The properties that do not hold.
    pub fn faults(&self) -> Vec<Fault> {
        let (expected, outcome) = self.play();
        self.judged(&expected, &outcome)
    }

    pub fn judged(&self, expected: &Expected, outcome: &Outcome) -> Vec<Fault> {
        let world = self.world();
        let mut faults = Vec::new();
        if outcome.code == 0 {
            faults.extend(expected.must_be_told.first().map(|why| Fault::NotTold(why.clone())));
        }
        if outcome.code == 1 && !expected.may_be_altered {
            let wrong = outcome.findings.first().cloned().unwrap_or_default();
            faults.push(Fault::HonestAccused(wrong));
        }
        if outcome.code != 1 {
            faults.extend(expected.must_be_altered.first().map(|why| Fault::NotCalledAltered(why.clone())));
        }
        if expected.as_untouched {
            let code = untouched(world, &self.options);
            if code != outcome.code {
                let first = outcome.findings.first().cloned().unwrap_or_default();
                faults.push(Fault::HarmlessChanged(format!("exit {} instead of {code}: {first}", outcome.code)));
            }
        }
        let state = State::played(world, &self.moves);
        let allowed = rows_allowed(world, &self.options, &state);
        for (key, integrity) in &outcome.rows {
            let (genuine, pending) = allowed.get(key).copied().unwrap_or_default();
            let wrong = match integrity {
                Integrity::Verified => !genuine,
                Integrity::Pending => !pending,
                _ => false,
            };
            if wrong {
                faults.push(Fault::Rows(format!("{} {key}", integrity.as_str())));
                break;
            }
        }
        faults
    }

    /// The shortest sequence with a fault of the same kind that leaving things out leads to.
    pub fn shortest(mut self, fault: &Fault) -> Self {
        let fails = |sequence: &Self| sequence.faults().iter().any(|other| other.is_like(fault));
        loop {
            let moves = (0..self.moves.len()).map(|at| {
                let mut shorter = self.clone();
                shorter.moves.remove(at);
                shorter
            });
            let options = self.options.simpler().into_iter().map(|options| Self { options, ..self.clone() });
            match moves.chain(options).find(fails) {
                Some(shorter) => self = shorter,
                None => return self,
            }
        }
    }
}

impl Options {
    /// Options with one thing less.
    fn simpler(&self) -> Vec<Self> {
        let mut simpler = Vec::new();
        let mut add = |change: fn(&mut Self)| {
            let mut options = self.clone();
            change(&mut options);
            if options != *self {
                simpler.push(options);
            }
        };
        add(|options| options.from = None);
        add(|options| options.to = None);
        add(|options| options.accounts.clear());
        add(|options| options.regions.clear());
        add(|options| options.orgs.clear());
        add(|options| options.trails.clear());
        add(|options| options.kind = None);
        add(|options| options.prefix.clear());
        add(|options| options.checkpoint = Remembered::None);
        add(|options| options.later = 0);
        add(|options| options.short_pages = false);
        add(|options| options.local = false);
        add(|options| options.acknowledged = false);
        simpler
    }
}
