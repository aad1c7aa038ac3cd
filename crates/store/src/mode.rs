//! The modes of opening a store, and the result of inspecting one.

use protocol::secret::Digest;

/// What [`crate::open()`] may do with a store that does not exist, or whose schema is old.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Create the store if it does not exist, and migrate its schema.
    Create,
    /// Migrate the schema, but fail if the store does not exist.
    Existing,
}

/// The result of inspecting a store.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Inspection {
    /// The fingerprint of the store's master key, if one was noted.
    pub master_fingerprint: Option<Digest>,
    /// The schema version of the store; 0 for an empty file, `None` if the store does not exist.
    pub schema: Option<u32>,
    /// The schema version to which [`crate::open()`] would migrate the store; `None` for a store without a schema.
    pub schema_known: Option<u32>,
    /// The result of [`crate::Query::GreatestId`]; 0 if the store does not exist.
    pub greatest_id: i64,
}
