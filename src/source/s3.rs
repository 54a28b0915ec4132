//! stub
use super::*;
/// stub
pub struct S3Source;
impl S3Source {
    /// stub
    pub async fn connect(_: &aws::Aws, _: &str) -> Result<Self, SourceError> {
        Err(SourceError::Missing)
    }
}
impl Source for S3Source {
    const IS_LOCAL: bool = false;
    async fn list(&self, _: ListRequest<'_>) -> Result<Page, SourceError> {
        Err(SourceError::Missing)
    }
    async fn read(&self, _: &ObjectRef) -> Result<Body, SourceError> {
        Err(SourceError::Missing)
    }
    async fn read_digest(&self, _: &ObjectRef) -> Result<(Body, DigestMetadata), SourceError> {
        Err(SourceError::Missing)
    }
}
