//! Conversion of rows to and from columns, for both SQL stores. [`table`] lists the columns of each row; the other
//! files read and write the model.

mod audit;
mod credential;
mod person;
pub(crate) mod table;
pub(crate) mod work;

use std::borrow::Cow;

use protocol::model::{Circumstances, Permission};
use protocol::scope::Scope;
use protocol::secret::Digest;
use protocol::time::UnixTime;
use serde::de::DeserializeOwned;
use serde_json::Map;

use crate::documents::{read_circumstances, read_list};

/// The value of a column. The variant has the type of the column even if the value is absent.
#[derive(Debug)]
pub(crate) enum Value<'a> {
    Int(Option<i64>),
    Bool(bool),
    Text(Option<Cow<'a, str>>),
    Bytes(Option<&'a [u8]>),
}

impl<'a> Value<'a> {
    fn int(number: impl Into<Option<i64>>) -> Self {
        Self::Int(number.into())
    }

    fn text(text: &'a str) -> Self {
        Self::Text(Some(Cow::Borrowed(text)))
    }

    fn digest(digest: &'a Digest) -> Self {
        Self::Bytes(Some(&digest.0))
    }

    fn document(document: &Map<String, serde_json::Value>) -> Self {
        // A map of JSON values can always be serialized.
        Self::Text(Some(Cow::Owned(serde_json::to_string(document).unwrap_or_default())))
    }

    /// Makes the value of a list: a JSON array, absent if the list is empty.
    fn list<T: serde::Serialize>(items: &[T]) -> Self {
        Self::Text(crate::documents::list(items).map(Cow::Owned))
    }
}

/// A row that can be read from the columns of [`table::described`], in their order.
pub(crate) trait FromRow: Sized {
    fn read<C: Columns>(columns: &mut C) -> Result<Self, C::Error>;
}

/// A row that can be written to the columns of [`table::described`]: one value for each, in their order.
pub(crate) trait ToRow {
    fn values(&self) -> impl IntoIterator<Item = Value<'_>>;
}

/// A reader of the columns of a found row, one after the other.
pub(crate) trait Columns {
    type Error;

    /// Reads the next column, a number.
    fn int(&mut self) -> Result<Option<i64>, Self::Error>;
    /// Reads the next column, a flag.
    fn flag(&mut self) -> Result<bool, Self::Error>;
    /// Reads the next column, a text.
    fn text_with<T>(&mut self, read: impl FnOnce(Option<&str>) -> T) -> Result<T, Self::Error>;
    /// Reads the next column, bytes.
    fn bytes_with<T>(&mut self, read: impl FnOnce(Option<&[u8]>) -> T) -> Result<T, Self::Error>;
    /// Returns the error for an invalid value in the column that was just read.
    fn unreadable(&self, what: &'static str) -> Self::Error;

    fn number(&mut self) -> Result<i64, Self::Error> {
        self.int()?.ok_or_else(|| self.unreadable("a number"))
    }

    fn small(&mut self) -> Result<u32, Self::Error> {
        let number = self.number()?;
        u32::try_from(number).map_err(|_| self.unreadable("a number of 32 bits"))
    }

    fn time(&mut self) -> Result<UnixTime, Self::Error> {
        self.number().map(UnixTime)
    }

    fn text_or_none(&mut self) -> Result<Option<String>, Self::Error> {
        self.text_with(|text| text.map(str::to_owned))
    }

    fn text(&mut self) -> Result<String, Self::Error> {
        self.text_or_none()?.ok_or_else(|| self.unreadable("a text"))
    }

    fn scope(&mut self) -> Result<Scope, Self::Error> {
        self.text().map(Scope::from_row)
    }

    fn list<T: DeserializeOwned>(&mut self) -> Result<Vec<T>, Self::Error> {
        self.text_with(read_list)?.ok_or_else(|| self.unreadable("a list"))
    }

    /// Reads two columns: the scope, then the audience.
    fn permission(&mut self) -> Result<Permission, Self::Error> {
        Ok(Permission { scope: self.scope()?, audience: self.list()? })
    }

    fn circumstances(&mut self) -> Result<Circumstances, Self::Error> {
        self.text_with(read_circumstances)?.ok_or_else(|| self.unreadable("a JSON object"))
    }

    /// A JSON object.
    fn document(&mut self) -> Result<Map<String, serde_json::Value>, Self::Error> {
        let read = |text: Option<&str>| text.and_then(|text| serde_json::from_str(text).ok());
        self.text_with(read)?.ok_or_else(|| self.unreadable("a document"))
    }

    fn digest_or_none(&mut self) -> Result<Option<Digest>, Self::Error> {
        let read = |bytes: Option<&[u8]>| bytes.map(|bytes| bytes.try_into().map(Digest)).transpose();
        self.bytes_with(read)?.map_err(|_| self.unreadable("a digest"))
    }

    fn digest(&mut self) -> Result<Digest, Self::Error> {
        self.digest_or_none()?.ok_or_else(|| self.unreadable("a digest"))
    }
}
