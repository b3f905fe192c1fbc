//! Sessions over real sockets, with a clock that the test moves: hours of waiting take no time, and nothing is late.

mod peer;
mod recovery;
mod refusals;
mod secrets;
