//! A value of a row, independent of the store.

/// A column value.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Cell {
    /// SQL NULL.
    Null,
    /// A number. Booleans are 1 and 0.
    Int(i64),
    /// A text.
    Text(String),
    /// Bytes.
    Bytes(Vec<u8>),
}

impl Cell {
    /// Appends the value in a unique encoding.
    pub(super) fn write(&self, out: &mut Vec<u8>) {
        let (kind, bytes): (u8, &[u8]) = match self {
            Self::Null => (0, &[]),
            Self::Int(number) => {
                out.push(1);
                out.extend_from_slice(&number.to_be_bytes());
                return;
            }
            Self::Text(text) => (2, text.as_bytes()),
            Self::Bytes(bytes) => (3, bytes),
        };
        out.push(kind);
        out.extend_from_slice(&u64::try_from(bytes.len()).unwrap_or(u64::MAX).to_be_bytes());
        out.extend_from_slice(bytes);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn different_rows_never_look_the_same() {
        let written = |cells: &[Cell]| {
            let mut out = Vec::new();
            cells.iter().for_each(|cell| cell.write(&mut out));
            out
        };
        let text = |text: &str| Cell::Text(text.to_owned());
        let rows = [
            vec![text("ab"), text("c")],
            vec![text("a"), text("bc")],
            vec![text("abc"), Cell::Null],
            vec![Cell::Bytes(b"ab".to_vec()), text("c")],
            vec![Cell::Int(0), text("c")],
            vec![Cell::Null, text("c")],
        ];
        for (at, one) in rows.iter().enumerate() {
            assert!(rows.iter().skip(at + 1).all(|other| written(one) != written(other)), "{one:?}");
        }
    }
}
