//! The world: sockets, time, entropy, configuration, HTML. It carries verdicts; it does not make them.
#![allow(clippy::disallowed_methods, reason = "only here are the clock, the files and the entropy of the system")]

mod accounts;
pub mod address;
mod answers;
pub mod app;
pub mod browser;
pub mod cli;
pub mod clock;
pub mod config;
mod demo;
pub mod entropy;
pub mod fault;
pub mod fetch;
pub mod front;
pub mod http;
mod id_time;
pub mod ids;
pub mod keys;
pub mod limits;
mod node;
pub mod observe;
pub mod pages;
pub mod plausible;
mod refusal_details;
pub mod render;
pub mod serve;
pub mod signals;
pub mod slow;
mod surface;
pub mod upstream;
mod work;
