//! The endpoints that take tokens: introspection, revocation, userinfo and the accounts API.

pub mod attributes;
pub mod introspect;
pub mod revoke;
pub mod userinfo;
