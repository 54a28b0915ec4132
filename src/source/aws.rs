//! stub
use super::SourceError;
/// stub
#[derive(Clone)]
pub struct Aws;
/// stub
#[derive(Default)]
pub struct AwsOptions;
impl From<&crate::cli::args::AwsArgs> for AwsOptions {
    fn from(_: &crate::cli::args::AwsArgs) -> Self {
        Self
    }
}
impl Aws {
    /// stub
    pub async fn load(_: AwsOptions) -> Self {
        Self
    }
}
impl crate::pipeline::digests::KeyService for Aws {
    async fn list(
        &self,
        _r: &crate::archive::ids::Region,
        _w: crate::verify::window::Window,
    ) -> Result<Vec<crate::verify::keys::GivenKey>, SourceError> {
        Ok(vec![])
    }
}
