//! stub
/// stub
#[derive(Debug, thiserror::Error)]
pub enum SinkError {
    /// stub
    #[error("taken")]
    DestinationTaken {},
    /// x
    #[error("o")]
    Other,
}
