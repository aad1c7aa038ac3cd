//! How people prove who they are, and how often they may try.

pub mod attempts;
pub mod device;
pub mod memo;
pub mod password;
pub mod recovery;
pub mod second_factor;
pub mod totp;
