//! The line that every request follows: a [`Call`] names the [`Key`]s of the rows that it [`Wants`], is given the rows as
//! [`Facts`], and decides [`Changes`] in a [`Turn`]. A call that must be judged by [`Documents`] of other servers is judged
//! again once they were fetched.

mod call;
mod changes;
mod facts;
mod outside;
mod rely;
mod turn;
mod wants;
mod write;

pub use call::{Call, Reply};
pub use changes::Changes;
pub use facts::{Facts, LiveTicket, OwnedCounts, RefreshMatch, Row};
pub use outside::{Document, DocumentKey, Documents};
pub use rely::Rely;
pub use turn::Turn;
pub use wants::{AccountKey, Key, Wants};
pub use write::Write;
