//! Every rule of verification has a case, named by the defect, with the exact findings it must give.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

#[path = "../support/mod.rs"]
mod support;

mod acknowledgements;
mod chains;
mod checkpoints;
mod coverage;
mod digests;
mod expiry;
mod heads;
mod keys;
#[cfg(unix)]
mod kills;
mod logs;
mod names;
mod organization;
mod pending;
mod periods;
mod reading;
mod runs;
mod signed;

use std::collections::BTreeMap;

use jiff::SignedDuration;
use serde_json::{Value, json};
use support::chain::{BUCKET, Built, Chain, KEY, OTHER_KEY, gzip, listed};
use support::{ids, worst};
use trailproof::sha256::encode_hex;

/// The period that the chain covers.
const PERIOD: [&str; 4] = ["--from", "2026-01-02T16:01:31Z", "--to", "2026-01-03T06:31:31Z"];

struct Case {
    name: &'static str,
    built: Built,
    args: Vec<&'static str>,
    code: i32,
    findings: Vec<&'static str>,
}

fn case(name: &'static str, built: Built, code: i32, findings: &[&'static str]) -> Case {
    Case { name, built, args: PERIOD.to_vec(), code, findings: findings.to_vec() }
}

/// The plain chain, changed after it was signed.
fn after(name: &'static str, code: i32, findings: &[&'static str], change: impl FnOnce(&mut Built)) -> Case {
    let mut built = Chain::new().build();
    change(&mut built);
    case(name, built, code, findings)
}

/// The plain chain with one digest changed before it was signed.
fn before(
    name: &'static str,
    code: i32,
    findings: &[&'static str],
    change: impl Fn(&mut support::chain::Draft) + 'static,
) -> Case {
    let chain = Chain::with(move |number, draft| {
        if number == 5 {
            change(draft);
        }
    });
    case(name, chain.build(), code, findings)
}

fn check(cases: Vec<Case>) {
    let mut wrong = Vec::new();
    for case in cases {
        let answer = case.built.verify(&case.args);
        let found = ids(&answer.report);
        if answer.code != case.code || found != case.findings {
            let said: Vec<&Value> =
                answer.report["findings"].as_array().into_iter().flatten().map(|f| &f["sentence"]).collect();
            wrong.push(format!(
                "{}: exit {} {found:?} (worst {}) {said:?} {}",
                case.name,
                answer.code,
                worst(&answer.report),
                answer.stderr
            ));
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}
