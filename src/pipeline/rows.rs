//! stub
use super::logs::{LogContent, LogSink};
use crate::report::{OutputFile, Records};
use crate::sink::SinkError;
/// stub
pub struct RowWriter;
/// stub
#[allow(missing_docs)]
pub struct RowsOptions {
    pub dest: std::path::PathBuf,
    pub memory_budget: usize,
    pub threads: usize,
    pub raw: bool,
}
impl RowWriter {
    /// s
    pub fn create(_: RowsOptions) -> Result<Self, SinkError> {
        Ok(Self)
    }
    /// s
    pub fn finish(self) -> Result<Vec<OutputFile>, SinkError> {
        Ok(vec![])
    }
}
impl LogSink for RowWriter {
    type Error = SinkError;
    fn take(&self, _: &LogContent<'_>) -> Result<Records, SinkError> {
        Ok(Records::default())
    }
}
