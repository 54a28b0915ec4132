//! Where a table is put, and the report beside it.

use std::path::PathBuf;

use anyhow::Context as _;
use tokio::runtime::Runtime;

use super::values::ArchiveAddress;
use super::{Failure, config};
use crate::pipeline::upload::Bucket;
use crate::sink::{Directory, Store};
use crate::source::aws::AwsOnDemand;
use crate::source::s3::destination::Destination;

/// The report's name beside the table.
const REPORT: &str = "report.json";

/// A directory or a prefix of a bucket.
pub(super) enum Place {
    /// A directory.
    Directory(PathBuf),
    /// A prefix of a bucket.
    Bucket(Bucket),
}

impl Place {
    /// Finds the bucket; a directory is made when the table is.
    pub(super) fn open(
        address: &ArchiveAddress,
        runtime: &Runtime,
        aws: &AwsOnDemand,
        kms_key: Option<String>,
    ) -> Result<Self, Failure> {
        match address {
            ArchiveAddress::Directory(path) => Ok(Self::Directory(path.clone())),
            ArchiveAddress::S3 { bucket, prefix } => {
                let destination =
                    runtime.block_on(async { Destination::connect(aws.get().await, bucket, prefix, kms_key).await });
                let destination = destination.with_context(|| format!("--out {address} cannot be reached"));
                let destination = destination.map_err(Failure::Usage)?;
                Ok(Self::Bucket(Bucket::new(destination, runtime.handle().clone())))
            }
        }
    }

    /// The place for the table's files.
    pub(super) fn store(&self) -> Result<Box<dyn Store>, Failure> {
        match self {
            Self::Directory(path) => {
                let directory = Directory::create(path);
                let directory = directory.with_context(|| format!("{}: cannot be written", path.display()));
                Ok(Box::new(directory.map_err(Failure::Own)?))
            }
            Self::Bucket(bucket) => Ok(Box::new(bucket.clone())),
        }
    }

    /// Puts the report beside the table; answers where that is. Must not be called on the async runtime.
    pub(super) fn put_report(&self, json: &[u8]) -> Result<String, Failure> {
        match self {
            Self::Directory(folder) => {
                let file = folder.join(REPORT);
                config::write_whole(&file, json)?;
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
                put().with_context(|| format!("{address}: cannot be written")).map_err(Failure::Own)?;
                Ok(address)
            }
        }
    }
}
