//! The server: sockets, time, randomness, configuration, pages. It carries out the verdicts of the judges in
//! `protocol`, and makes none itself.
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
pub mod front;
pub mod http;
mod id_time;
pub mod ids;
pub mod keys;
pub mod limits;
mod node;
pub mod notify;
pub mod observe;
pub mod outside;
pub mod pages;
pub mod plausible;
mod refusal_details;
pub mod render;
pub mod serve;
pub mod signals;
pub mod signing_keys;
pub mod slow;
mod surface;
mod work;
