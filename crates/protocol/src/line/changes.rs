//! Changes: the preconditions and writes that a turn decides.

use super::{Rely, Write};

/// Everything that one turn decided. A store commits it as a whole: if every precondition holds, all writes are made;
/// otherwise none is.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Changes {
    /// Preconditions. They are compared with the rows as they are before the turn, so their order does not matter.
    pub relied: Vec<Rely>,
    /// Writes, in the order in which they are made.
    pub writes: Vec<Write>,
}

impl Changes {
    /// Returns changes with these preconditions and these writes.
    #[must_use]
    pub fn new(relied: impl Into<Vec<Rely>>, writes: impl Into<Vec<Write>>) -> Self {
        Self { relied: relied.into(), writes: writes.into() }
    }

    /// Returns true if there is neither a precondition nor a write.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.relied.is_empty() && self.writes.is_empty()
    }

    /// Returns true if the answer may be given although the changes could not be committed: there are no preconditions,
    /// and every write only records that a row was used.
    #[must_use]
    pub fn is_skippable(&self) -> bool {
        self.relied.is_empty() && self.writes.iter().all(Write::is_skippable)
    }

    /// Adds the preconditions and writes of `others`.
    #[must_use]
    pub fn with(mut self, others: impl Into<Self>) -> Self {
        let others = others.into();
        self.relied.extend(others.relied);
        self.writes.extend(others.writes);
        self
    }
}

impl From<Rely> for Changes {
    fn from(rely: Rely) -> Self {
        Self::new([rely], [])
    }
}

impl From<Write> for Changes {
    fn from(write: Write) -> Self {
        Self::new([], [write])
    }
}

impl From<Vec<Write>> for Changes {
    fn from(writes: Vec<Write>) -> Self {
        Self::new([], writes)
    }
}

impl<const N: usize> From<[Rely; N]> for Changes {
    fn from(relied: [Rely; N]) -> Self {
        Self::new(relied, [])
    }
}

impl<const N: usize> From<[Write; N]> for Changes {
    fn from(writes: [Write; N]) -> Self {
        Self::new([], writes)
    }
}

impl FromIterator<Write> for Changes {
    fn from_iter<I: IntoIterator<Item = Write>>(writes: I) -> Self {
        Self::new([], writes.into_iter().collect::<Vec<_>>())
    }
}
