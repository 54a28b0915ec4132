//! `acknowledge`.

use std::io::Write as _;
use std::path::Path;

use anyhow::{Context as _, anyhow};
use jiff::Timestamp;
use serde::Deserialize;

use super::args::AcknowledgeArgs;
use super::text::{counted, plain};
use super::{Failure, Outcome, config, output};
use trailproof_proof::acknowledge::{self, Acknowledgement};
use trailproof_table::sink::whole::Readers;

/// As much of a report as says what can be acknowledged.
#[derive(Deserialize)]
struct Told {
    findings: Vec<Finding>,
}

#[derive(Deserialize)]
struct Finding {
    id: String,
    object: String,
    found: Option<String>,
    #[serde(default)]
    members: Vec<String>,
}

impl Finding {
    /// The facts that it states.
    fn facts(self) -> Vec<String> {
        match self.members.is_empty() {
            true => vec![acknowledge::fact(&self.object, self.found.as_deref())],
            false => self.members,
        }
    }
}

/// Runs `acknowledge`: what a report leaves open and the arguments pick is added to the file.
pub(super) fn run(args: AcknowledgeArgs) -> Result<Outcome, Failure> {
    let named = |path: &Path| path.display().to_string();
    if let Some(id) = args.id.iter().find(|id| acknowledge::id_of(id).is_none()) {
        return Err(Failure::usage(anyhow!("--id {id}: this cannot be acknowledged")));
    }
    let bytes = std::fs::read(&args.report).with_context(|| named(&args.report)).map_err(Failure::Usage)?;
    let told: Told = serde_json::from_slice(&bytes)
        .with_context(|| format!("{} is not a report", named(&args.report)))
        .map_err(Failure::Usage)?;
    // Held to the end: of two who add to one file at once, neither loses what the other accepted.
    let lock = output::open_lock(&args.out)?;
    output::take_turn(&lock, &args.out).map_err(Failure::Own)?;
    let mut all = config::acknowledgements(Some(&args.out).filter(|path| path.exists()).map(|path| path.as_path()))?;
    let when = Timestamp::from_second(Timestamp::now().as_second()).map_err(Failure::own)?;
    let asked = |id: &str| args.id.is_empty() || args.id.iter().any(|asked| acknowledge::id_of(asked) == Some(id));
    let mut added = Vec::new();
    for finding in told.findings {
        let Some(id) = acknowledge::id_of(&finding.id).filter(|id| asked(id)) else { continue };
        let fits = |fact: &String| args.matching.as_ref().is_none_or(|text| fact.contains(text.as_str()));
        for member in finding.facts().into_iter().filter(fits) {
            let (who, why) = (args.who.clone(), args.why.clone());
            let one = Acknowledgement { id: id.to_owned(), member: member.clone(), who, when, why };
            if all.add(one).map_err(Failure::usage)? {
                added.push(format!("{id}: {}", plain(&member)));
            }
        }
    }
    if added.is_empty() {
        let report = named(&args.report);
        return Err(Failure::usage(anyhow!("{report} leaves nothing of that kind open; nothing was acknowledged")));
    }
    output::replace(&args.out, Readers::OwnerAtFirst, all.write().as_bytes())?;
    let sum = counted(added.len() as u64, "fact");
    Ok(Outcome::of(0).print(|out| {
        added.iter().try_for_each(|line| writeln!(out, "{line}"))?;
        writeln!(out, "{sum} acknowledged in {}", plain(&named(&args.out)))
    }))
}
