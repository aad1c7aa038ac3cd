//! Other servers: outgoing requests, the documents that are fetched, and the upstream identity provider.

pub mod documents;
pub mod fetch;
pub mod upstream;
