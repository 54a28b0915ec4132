//! Where a table is put, and the report beside it.

use anyhow::Context as _;
use tokio::runtime::Runtime;

use super::args::LimitArgs;
use super::values::ArchiveAddress;
use super::{Failure, config, output};
use crate::fetch::{Patience, Retry};
use crate::pipeline::memory;
use crate::pipeline::upload::Bucket;
use crate::source::Purpose;
use crate::source::aws::AwsOnDemand;
use crate::source::s3::destination::Destination;
use trailproof_table::sink::{Claim, Directory, REPORT, SinkError, Store};

/// A directory or a prefix of a bucket.
pub(super) enum Place {
    /// A directory.
    Directory(Directory),
    /// A prefix of a bucket.
    Bucket(Bucket),
}

impl Place {
    /// Finds the bucket; a directory is made when it is claimed.
    pub(super) async fn open(
        address: &ArchiveAddress,
        runtime: &Runtime,
        aws: &AwsOnDemand,
        kms_key: Option<String>,
        limits: &LimitArgs,
    ) -> Result<Self, Failure> {
        match address {
            ArchiveAddress::Directory(path) => Ok(Self::Directory(Directory::at(path))),
            ArchiveAddress::S3 { bucket, prefix } => {
                let patience = Patience::of(limits.patience);
                let retry = Retry::new(patience.brief());
                let connected = match aws.get().await {
                    Ok(aws) => retry.run(|| Destination::connect(aws, bucket, prefix, kms_key.clone())).await,
                    Err(error) => Err(error),
                };
                let destination = connected.map_err(|error| {
                    config::unreachable(&format!("--out {address} cannot be reached"), &error, Purpose::Table)
                })?;
                let room = memory::parts(config::max_memory(limits));
                Ok(Self::Bucket(Bucket::new(destination, patience, runtime.handle().clone(), room)))
            }
        }
    }

    /// The place for the table's files.
    pub(super) fn store(&self) -> Box<dyn Store> {
        match self {
            Self::Directory(directory) => Box::new(directory.clone()),
            Self::Bucket(bucket) => Box::new(bucket.clone()),
        }
    }

    /// Lets nobody wait any longer for what may pass: the run is to stop.
    pub(super) fn stop(&self) {
        if let Self::Bucket(bucket) = self {
            bucket.stop();
        }
    }

    /// Claims the place for one table. Must not be called on the async runtime, nor may what it gives be dropped there.
    pub(super) fn claim(&self) -> Result<Claim, Failure> {
        self.store().claim().map_err(|error| match error {
            SinkError::DestinationTaken { .. } => Failure::usage(error),
            error => Failure::own(error),
        })
    }

    /// Waits until every upload was completed or aborted.
    pub(super) fn settle(&self, runtime: &Runtime) {
        if let Self::Bucket(bucket) = self {
            runtime.block_on(bucket.settle());
        }
    }

    /// Puts the report beside the table, where none is; answers where that is. Must not be called on the async runtime.
    pub(super) fn put_report(&self, json: &[u8]) -> anyhow::Result<String> {
        match self {
            Self::Directory(directory) => {
                let file = directory.root().join(REPORT);
                output::put_beside(&file, json)?;
                Ok(file.display().to_string())
            }
            Self::Bucket(bucket) => {
                let put = || {
                    let mut file = bucket.create(REPORT)?;
                    file.write_all(json)?;
                    file.seal()?;
                    file.publish()
                };
                let address = format!("{}/{REPORT}", bucket.name());
                put().with_context(|| format!("{address}: cannot be written"))?;
                Ok(address)
            }
        }
    }
}
