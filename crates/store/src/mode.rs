//! What may be done when a store is opened, and what is known of one before.

use protocol::secret::Digest;

/// What [`crate::open()`] may do with a store that is not as this program needs it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Make it when it is not there, and bring its schema up to date.
    Create,
    /// Bring its schema up to date, but refuse when it is not there.
    Existing,
}

/// What is at an address, and what this program would make of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Inspection {
    /// The fingerprint of the master key that the rows were made with, if one was noted.
    pub master_fingerprint: Option<Digest>,
    /// The schema that is there; 0 for an empty file, absent when there is nothing yet.
    pub schema: Option<u32>,
    /// The schema that [`crate::open()`] would bring it to; absent for a store without one.
    pub schema_known: Option<u32>,
    /// The answer to [`crate::Query::GreatestId`]; 0 where there is nothing yet.
    pub greatest_id: i64,
}
