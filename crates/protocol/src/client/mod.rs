//! Clients: authentication, registration, and rights beside the grants.

pub mod assertion;
pub mod attempts;
pub mod authenticate;
pub(crate) mod keys;
pub mod recalled;
pub mod registration;
pub mod rights;
