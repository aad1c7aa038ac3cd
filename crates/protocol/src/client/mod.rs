//! Clients: authentication, registration, and rights beside the grants.

pub mod assertion;
pub mod attempts;
pub mod authenticate;
pub mod recalled;
pub mod registration;
pub mod rights;
