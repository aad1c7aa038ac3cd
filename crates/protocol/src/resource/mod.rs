//! The endpoints that take tokens: introspection, revocation, userinfo and the accounts API.

pub mod any_token;
pub mod attributes;
pub mod introspect;
pub mod revoke;
pub mod userinfo;
