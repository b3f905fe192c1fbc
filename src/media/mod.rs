//! What every element of the plugin needs around its session: waiting for the clock, the source pad's stream, and the
//! table of errors.

pub mod errors;
pub mod pace;
pub mod source;
pub mod text;
