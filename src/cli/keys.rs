//! `keys fetch`.

use std::io::{self, Write as _};

use anyhow::anyhow;
use jiff::Timestamp;

use super::args::FetchArgs;
use super::text::{counted, plain};
use super::{Failure, Outcome, config, output};
use crate::fetch::Retry;
use crate::pipeline::keys::KeyService as _;
use crate::source::Purpose;
use crate::source::aws::{Aws, AwsOptions};
use trailproof_proof::verify::key_file;
use trailproof_proof::verify::keys::GivenKey;
use trailproof_proof::verify::window::Window;

/// Runs `keys fetch`.
pub(super) fn fetch(args: FetchArgs) -> Result<Outcome, Failure> {
    let now = Timestamp::now();
    let window = Window { from: args.from.resolve(now), to: args.to.map_or(now, |to| to.resolve(now)) };
    if window.from >= window.to {
        return Err(Failure::usage(anyhow!("--from {} is not before --to {}", window.from, window.to)));
    }
    if args.out.exists() {
        return Err(Failure::usage(anyhow!("{} exists already; keys are never overwritten", args.out.display())));
    }
    let runtime = config::runtime()?;
    let keys = runtime.block_on(async {
        let unreachable = |what: &str, error| config::unreachable(what, &error, Purpose::Keys);
        let aws =
            Aws::load(AwsOptions::from(&args.aws)).await.map_err(|error| unreachable("CloudTrail's keys", error))?;
        let (mut keys, retry) = (Vec::new(), Retry::default().apart());
        for region in &args.region {
            let fetched = retry.run(|| aws.list(region, window)).await;
            let fetched = fetched.map_err(|error| unreachable(&format!("CloudTrail's keys of {region}"), error))?;
            if fetched.keys.is_empty() {
                return Err(Failure::usage(anyhow!("CloudTrail has no keys of {region} for {window}")));
            }
            keys.extend(fetched.keys.into_iter().map(|key| GivenKey { fetched: Some(now), ..key }));
        }
        Ok(keys)
    })?;
    output::write_new(&args.out, key_file::write(&keys).as_bytes())?;
    if let Some(giver) = keys.iter().find_map(config::other_giver) {
        let told = format!("warning: the keys came from {giver}, which is not CloudTrail's own endpoint");
        // When not even stderr can be written, the file says it too.
        let _ = writeln!(io::stderr(), "{}", plain(&told));
    }
    let told = format!("{} in {}", counted(keys.len() as u64, "key"), plain(&args.out.display().to_string()));
    Ok(Outcome::of(0).print(|out| writeln!(out, "{told}")))
}
