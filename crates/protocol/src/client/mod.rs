//! Clients: how they prove who they are, what may be registered, and what they may learn.

pub mod attempts;
pub mod authenticate;
pub mod recalled;
pub mod registration;
pub mod rights;
