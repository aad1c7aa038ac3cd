//! The process's memory of verified client secrets, so that each need not be hashed for every request. It is not
//! stored. A judge decides the same without it, but more slowly.

/// The secret of a client that was right, and the form in which it was presented.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Proven {
    /// Index in the client's list of secrets.
    pub at: usize,
    /// 0 for the decoded secret, 1 for the text of the header before form-decoding.
    pub form: usize,
}

/// What the process remembers about the secrets of the calling client.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Recalled {
    /// The presented imported secret, if an earlier request verified it.
    pub verified: Option<Proven>,
    /// Indices of the secrets whose last use was not written within this hour.
    pub unnoted: Vec<usize>,
}

impl Recalled {
    /// The memory of a process that has just started: nothing.
    pub const NOTHING: &'static Self = &Self { verified: None, unnoted: Vec::new() };
}
