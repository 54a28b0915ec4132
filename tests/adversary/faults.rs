//! The properties that must hold of a run, and the shortest sequence that shows that one does not.

use trailproof::pipeline::logs::Integrity;

use super::exemptions::Exemption;
use super::judge::{Expected, Standing, Touch};
use super::moves::Move;
use super::options::{Options, Remembered};
use super::planted::{RowsAllowed, rows_allowed};
use super::play::{Outcome, Sequence, untouched};
use super::state::State;

/// A property that does not hold, and for what.
#[derive(Debug, Clone, PartialEq)]
pub enum Fault {
    /// Exit code 0, or no finding more than of the untouched archive, although this was touched.
    NotTold(String),
    /// Exit code 0, and not a word of this.
    NotNamed(String),
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
        // A checkpoint of another archive is an error of usage.
        if outcome.code == 2 {
            return Vec::new();
        }
        let untouched = untouched(self.world(), &self.options);
        let mut faults = Vec::new();
        // Beside a folder that could not be listed it is not known what else is there: that it could not be is told.
        let is_blind = self.moves.iter().any(|step| matches!(step, Move::DenyFolder(..)));
        faults.extend(not_told(expected, outcome, &untouched, is_blind));
        faults.extend(not_named(expected, outcome));
        if outcome.code == 1 && !expected.may_be_altered {
            let wrong = outcome.findings.first().cloned().unwrap_or_default();
            faults.push(Fault::HonestAccused(wrong));
        }
        if outcome.code != 1 {
            let altered = expected.touches.iter().find(|touch| touch.standing == Standing::Altered);
            faults.extend(altered.map(|touch| Fault::NotCalledAltered(touch.what.clone())));
        }
        // In a copy, everything that is told is told under other names.
        let is_copy = self.moves.iter().any(|step| matches!(step, Move::Copied(_)));
        if expected.as_untouched && untouched.code != outcome.code {
            let first = outcome.findings.first().cloned().unwrap_or_default();
            let code = untouched.code;
            faults.push(Fault::HarmlessChanged(format!("exit {} instead of {code}: {first}", outcome.code)));
        } else if expected.as_untouched && !is_copy && !untouched.told().eq(outcome.told()) {
            let (now, before) = (outcome.told().collect::<Vec<_>>(), untouched.told().collect::<Vec<_>>());
            faults.push(Fault::HarmlessChanged(format!("{now:?} instead of {before:?}")));
        }
        faults.extend(self.wrong_rows(outcome));
        faults
    }

    fn wrong_rows(&self, outcome: &Outcome) -> Option<Fault> {
        let state = State::played(self.world(), &self.moves);
        let allowed = rows_allowed(self.world(), &self.options, &state);
        let is_wrong = |(key, integrity): &&(String, Integrity)| {
            let allowed = allowed.get(key).copied().unwrap_or_default();
            match integrity {
                Integrity::Verified => !allowed.verified,
                Integrity::Pending => !allowed.pending,
                _ => false,
            }
        };
        if let Some((key, integrity)) = outcome.rows.iter().find(is_wrong) {
            return Some(Fault::Rows(format!("{} {key}", integrity.as_str())));
        }
        let has_rows = |key: &String| outcome.rows.iter().any(|(read, _)| read == key);
        let is_skipped =
            |(key, allowed): &(&String, &RowsAllowed)| allowed.due && !has_rows(key) && !outcome.names(key);
        let skipped = allowed.iter().find(is_skipped).filter(|_| outcome.code == 0);
        skipped.map(|(key, _)| Fault::Rows(format!("none of {key}")))
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

/// What must be told and is not. Where the untouched archive does not end in exit code 0 either, it must be told beside
/// what is told of that.
fn not_told(expected: &Expected, outcome: &Outcome, untouched: &Outcome, is_blind: bool) -> Option<Fault> {
    if outcome.code == 0
        && let Some(why) = expected.must_be_told.first()
    {
        return Some(Fault::NotTold(why.clone()));
    }
    let more: Vec<&str> = outcome.told().filter(|finding| !untouched.told().any(|other| other == *finding)).collect();
    let is_told = |touch: &Touch| match outcome.code {
        0 => false,
        // Nothing can be looked at: that stands for all.
        _ if is_blind || !expected.must_be_told.is_empty() => !more.is_empty(),
        _ => more.iter().any(|finding| is_about(finding, touch)),
    };
    let must = |touch: &Touch| matches!(touch.standing, Standing::Altered | Standing::Told);
    let silent = expected.touches.iter().find(|touch| must(touch) && !is_told(touch));
    silent.map(|touch| Fault::NotTold(touch.what.clone()))
}

/// Whether a finding is about the account and Region of a touch, a folder that it lies in, or about all.
fn is_about(finding: &str, touch: &Touch) -> bool {
    let of_all = ["archive-address", "nothing-to-verify", "asked-not-found", "kind-never-covered", "log-expired"];
    let is_near = finding.contains(&touch.owner.account) && finding.contains(&touch.owner.region);
    let is_folder = |object: &str| object.ends_with('/') && touch.key.contains(object);
    is_near
        || finding.split(' ').nth(2).is_some_and(is_folder)
        || finding.contains(&touch.key)
        || of_all.iter().any(|id| finding.contains(id))
}

/// What exit code 0 lets pass with a word of it, and without.
fn not_named(expected: &Expected, outcome: &Outcome) -> Option<Fault> {
    let is_silent = |touch: &&Touch| match touch.standing {
        _ if touch.is_named => !outcome.names(&touch.key),
        Standing::Exempt(Exemption::Pending) => {
            let is_it =
                |(key, integrity): &&(String, Integrity)| key.ends_with(&touch.key) && *integrity != Integrity::Pending;
            outcome.rows.iter().any(|row| is_it(&row))
        }
        _ => false,
    };
    let silent = expected.touches.iter().find(is_silent).filter(|_| outcome.code == 0);
    silent.map(|touch| Fault::NotNamed(touch.what.clone()))
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
