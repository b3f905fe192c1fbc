//! Dialogues with an invented clock, one theme a file, and one monkey who says anything at any time.

mod anew;
mod answers;
mod asked;
mod came;
mod captions;
mod compatible;
pub(crate) mod dialogue;
mod drain;
mod floor;
mod frames;
mod input;
mod interrupt;
mod late;
mod likeness;
mod monkey;
mod offline;
mod opening;
mod playout;
mod renew;
mod server;
mod shown;
mod turns;

pub(super) use dialogue::recording;
