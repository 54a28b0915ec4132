//! The commands: what was typed, and what is told.

pub mod synth;
