//! Users: how they prove their identity, how often they may try, and which browsers are known to be theirs.

pub mod attempt;
pub mod attempts;
pub mod browser;
pub mod counters;
pub mod device;
pub mod memo;
pub mod password;
pub mod recovery;
pub mod second_factor;
pub mod sign_in;
pub mod totp;
pub mod upstream;
