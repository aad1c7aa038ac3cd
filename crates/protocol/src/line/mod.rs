//! The line that every request follows: a [`Call`] names the rows that it [`Wants`], is given [`Facts`], and decides
//! [`Changes`] in a [`Turn`].

mod call;
mod changes;
mod facts;
mod rely;
mod turn;
mod wants;
mod write;

pub use call::{Call, Reply, ReplyKind};
pub use changes::Changes;
pub use facts::{Facts, Holdings};
pub use rely::Rely;
pub use turn::Turn;
pub use wants::Wants;
pub use write::Write;
