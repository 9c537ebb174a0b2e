//! How many copies of a large value are on the stack at once while a cell is initialized.
//!
//! A build without optimizations makes a copy for each variable that a value moves through, and each copy takes stack. The
//! cells of tokio and async-lock, built with the same options, set the limits.

#![cfg(unix)]

use std::{
    env,
    future::Future,
    hint::black_box,
    mem,
    pin::{Pin, pin},
    process::{Command, Stdio},
    task::{Context, Poll, Waker},
    thread,
};

use oncelot::{Lazy, OnceCell};

const SIZE: usize = 256 * 1024;

type Large = [u8; SIZE];

#[inline(never)]
fn large() -> Large {
    [black_box(1); SIZE]
}

async fn load() -> Large {
    large()
}

async fn try_load() -> Result<Large, ()> {
    Ok(large())
}

/// Polls a future that completes in its first poll.
#[inline(never)]
fn now<F: Future>(future: Pin<&mut F>) -> F::Output {
    match future.poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(output) => output,
        Poll::Pending => panic!("the future is pending"),
    }
}

/// Defines operations on a cell that `$new` creates. A process calls one of them.
macro_rules! operations {
    ($module:ident, $cell:ty, $new:ident) => {
        mod $module {
            use super::*;

            pub(crate) static CELL: $cell = <$cell>::$new();

            pub(crate) fn get_or_init() {
                black_box(now(pin!(CELL.get_or_init(load))));
            }

            pub(crate) fn get_or_try_init() {
                assert!(black_box(now(pin!(CELL.get_or_try_init(try_load)))).is_ok());
            }

            /// Runs an initializer whose future contains the value.
            pub(crate) fn get_or_init_ready() {
                black_box(now(pin!(CELL.get_or_init(|| std::future::ready(large())))));
            }
        }
    };
}

operations!(ours, OnceCell<Large>, new);
operations!(tokio, ::tokio::sync::OnceCell<Large>, const_new);
operations!(async_lock, ::async_lock::OnceCell<Large>, new);

oncelot::lazy! {
    static STATIC_LAZY: Large = load();
}

fn set() {
    assert!(black_box(ours::CELL.set(large())).is_ok());
}

fn set_of_tokio() {
    assert!(black_box(tokio::CELL.set(large())).is_ok());
}

fn insert() {
    assert!(black_box(now(pin!(ours::CELL.insert(large())))).is_ok());
}

/// Waits for a running initializer, as `insert` does, and not as `set` does.
fn set_of_async_lock() {
    assert!(black_box(now(pin!(async_lock::CELL.set(large())))).is_ok());
}

fn get_mut_or_init() {
    let mut cell = Box::new(OnceCell::new());
    black_box(now(pin!(cell.get_mut_or_init(load))));
    mem::forget(cell);
}

fn get_lazy() {
    let lazy = Box::pin(Lazy::new(load()));
    black_box(now(pin!(lazy.as_ref().get())));
    mem::forget(lazy);
}

fn get_static_lazy() {
    black_box(now(pin!(STATIC_LAZY.get())));
}

const OPERATIONS: &[(&str, fn())] = &[
    ("get_or_init", ours::get_or_init),
    ("get_or_init of tokio", tokio::get_or_init),
    ("get_or_init of async-lock", async_lock::get_or_init),
    ("get_or_try_init", ours::get_or_try_init),
    ("get_or_try_init of tokio", tokio::get_or_try_init),
    ("get_or_try_init of async-lock", async_lock::get_or_try_init),
    ("get_or_init_ready", ours::get_or_init_ready),
    ("get_or_init_ready of tokio", tokio::get_or_init_ready),
    ("get_or_init_ready of async-lock", async_lock::get_or_init_ready),
    ("set", set),
    ("set of tokio", set_of_tokio),
    ("insert", insert),
    ("set of async-lock", set_of_async_lock),
    ("get_mut_or_init", get_mut_or_init),
    ("Lazy::get", get_lazy),
    ("StaticLazy::get", get_static_lazy),
];

const OPERATION: &str = "ONCELOT_STACK_OPERATION";
const STACK_SIZE: &str = "ONCELOT_STACK_SIZE";

/// Runs one operation for [`copies`], in a process of its own: a stack that is too small ends the process.
#[test]
#[ignore = "run by the other tests"]
fn operation() {
    let (Ok(name), Ok(size)) = (env::var(OPERATION), env::var(STACK_SIZE)) else {
        return;
    };
    let (_, run) = OPERATIONS
        .iter()
        .find(|(known, _)| *known == name)
        .expect("a known operation");
    let thread = thread::Builder::new().stack_size(size.parse().expect("a number"));
    thread.spawn(run).unwrap().join().unwrap();
}

/// Returns how many copies of the value are on the stack at once: the smallest number that the stack must have room for.
fn copies(operation: &str) -> usize {
    let fits = |copies: &usize| {
        // Everything else on the stack takes far less than half of a value.
        let size = copies * SIZE + SIZE / 2;
        Command::new(env::current_exe().unwrap())
            .args(["--exact", "--ignored", "operation"])
            .envs([(OPERATION, operation), (STACK_SIZE, &size.to_string())])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status()
            .unwrap()
            .success()
    };
    (0..100).find(fits).expect("a hundred copies are enough")
}

/// Asserts that an operation makes no more copies than each peer plus `tolerance`.
#[track_caller]
fn assert_not_more(operation: &str, peers: &[&str], tolerance: usize) {
    let ours = copies(operation);
    for peer in peers {
        let theirs = copies(peer);
        assert!(
            ours <= theirs + tolerance,
            "`{operation}` has {ours} copies of the value on the stack, and `{peer}` has {theirs}"
        );
    }
}

/// Asserts the greatest number of copies that an operation makes without and with optimizations.
#[track_caller]
fn assert_at_most(operation: &str, unoptimized: usize, optimized: usize) {
    let limit = if cfg!(debug_assertions) {
        unoptimized
    } else {
        optimized
    };
    let ours = copies(operation);
    assert!(
        ours <= limit,
        "`{operation}` has {ours} copies of the value on the stack, more than {limit}"
    );
}

#[test]
fn get_or_init_makes_no_more_copies_than_the_peers() {
    assert_not_more(
        "get_or_init",
        &["get_or_init of tokio", "get_or_init of async-lock"],
        0,
    );
    assert_at_most("get_or_init", 5, 2);
}

#[test]
fn get_or_try_init_makes_no_more_copies_than_the_peers() {
    let peers = ["get_or_try_init of tokio", "get_or_try_init of async-lock"];
    assert_not_more("get_or_try_init", &peers, 0);
    assert_at_most("get_or_try_init", 6, 2);
}

#[test]
fn get_or_init_makes_no_more_copies_of_a_future_than_the_peers() {
    let peers = ["get_or_init_ready of tokio", "get_or_init_ready of async-lock"];
    // Taking the closure out of its place moves the whole future. With optimizations it does not.
    assert_not_more("get_or_init_ready", &peers, usize::from(cfg!(debug_assertions)));
}

#[test]
fn set_makes_no_more_copies_than_the_peer() {
    assert_not_more("set", &["set of tokio"], 0);
}

#[test]
fn insert_makes_no_more_copies_than_the_peer() {
    assert_not_more("insert", &["set of async-lock"], 0);
}

#[test]
fn get_mut_or_init_makes_few_copies() {
    assert_at_most("get_mut_or_init", 7, 3);
}

#[test]
fn lazies_make_few_copies() {
    assert_at_most("Lazy::get", 7, 3);
    assert_at_most("StaticLazy::get", 8, 3);
}
