//! What a process remembers of client secrets between requests, so that it need not hash each of them again. It is in no
//! row. A judge decides the same without it, but more slowly.

/// Which of a client's secrets was right, and in which form it was presented.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Proven {
    /// The secret's place in the client's list.
    pub at: usize,
    /// 0 for the secret as it has to be read, 1 for the header's as it came.
    pub form: usize,
}

/// What the process remembers of the secrets of the calling client.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Recalled {
    /// The imported secret that was presented, if it was right before.
    pub verified: Option<Proven>,
    /// The places of the secrets whose use was not noted within this hour.
    pub unnoted: Vec<usize>,
}

impl Recalled {
    /// What a process remembers that has just started.
    pub const NOTHING: &'static Self = &Self { verified: None, unnoted: Vec::new() };
}
