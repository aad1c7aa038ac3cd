//! The line that every request follows: a [`Call`] names the [`Key`]s of the rows that it [`Wants`], is given the rows as
//! [`Facts`], and decides [`Change`]s in a [`Turn`].

mod call;
mod change;
mod facts;
mod turn;
mod wants;

pub use call::{Call, Reply, ReplyKind};
pub use change::{Change, Rely};
pub use facts::{Facts, OwnedCounts, RefreshMatch, Row};
pub use turn::Turn;
pub use wants::{AccountKey, Key, Wants};
