//! The line that every request follows: a [`Call`] names the [`Key`]s of the rows that it [`Wants`], is given the rows as
//! [`Facts`], and decides [`Changes`] in a [`Turn`].

mod call;
mod changes;
mod facts;
mod rely;
mod turn;
mod wants;
mod write;

pub use call::{Call, Reply, ReplyKind};
pub use changes::Changes;
pub use facts::{Facts, LiveTicket, OwnedCounts, RefreshMatch, Row};
pub use rely::Rely;
pub use turn::Turn;
pub use wants::{AccountKey, Key, Wants};
pub use write::Write;
