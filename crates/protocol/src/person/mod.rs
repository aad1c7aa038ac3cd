//! People: how they prove who they are, how often they may try, and what is known of their browsers.

pub mod attempt;
pub mod attempts;
pub mod browser;
pub mod counters;
pub mod device;
pub mod failure;
pub mod memo;
pub mod password;
pub mod recovery;
pub mod second_factor;
pub mod sign_in;
pub mod totp;
pub mod upstream;
