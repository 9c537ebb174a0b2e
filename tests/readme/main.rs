//! Tests of the README: each Rust block is part of a program that is compiled and run, word for word, and the files, links,
//! versions, features and counts that it names are those of the repository.
//!
//! Each module but `text` is such a program: a block of the README, the items that it uses, and a test.

#![allow(unreachable_pub, reason = "the code is shown as it is in a library")]

mod app;
mod connect;
mod library;

mod text;
