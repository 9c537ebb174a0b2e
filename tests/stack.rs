//! How many copies of a large value are on the stack at once while a cell is initialized.
//!
//! A build without optimizations makes a copy for each variable that a value moves through, and each copy takes stack. The
//! cells of tokio and async-lock, built with the same options, set the limits.

#![cfg(unix)]

use std::{
    env,
    future::ready,
    hint::black_box,
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

type Operation = (&'static str, fn());

static CELL: OnceCell<Large> = OnceCell::new();
static OF_TOKIO: tokio::sync::OnceCell<Large> = tokio::sync::OnceCell::const_new();
static OF_ASYNC_LOCK: async_lock::OnceCell<Large> = async_lock::OnceCell::new();

oncelot::lazy! {
    static STATIC_LAZY: Large = load();
}

/// A process calls one of them.
const OPERATIONS: &[Operation] = &[
    ("get_or_init", || see(now(pin!(CELL.get_or_init(load))))),
    ("get_or_init of tokio", || {
        see(now(pin!(OF_TOKIO.get_or_init(load))))
    }),
    ("get_or_init of async-lock", || {
        see(now(pin!(OF_ASYNC_LOCK.get_or_init(load))));
    }),
    ("get_or_try_init", || {
        see(now(pin!(CELL.get_or_try_init(try_load))).unwrap());
    }),
    ("get_or_try_init of tokio", || {
        see(now(pin!(OF_TOKIO.get_or_try_init(try_load))).unwrap());
    }),
    ("get_or_try_init of async-lock", || {
        see(now(pin!(OF_ASYNC_LOCK.get_or_try_init(try_load))).unwrap());
    }),
    // The future of the initializer contains the value.
    ("get_or_init_ready", || {
        see(now(pin!(CELL.get_or_init(|| ready(large())))));
    }),
    ("get_or_init_ready of tokio", || {
        see(now(pin!(OF_TOKIO.get_or_init(|| ready(large())))));
    }),
    ("get_or_init_ready of async-lock", || {
        see(now(pin!(OF_ASYNC_LOCK.get_or_init(|| ready(large())))));
    }),
    ("set", || assert!(black_box(CELL.set(large())).is_ok())),
    ("set of tokio", || {
        assert!(black_box(OF_TOKIO.set(large())).is_ok());
    }),
    ("insert", || {
        assert!(black_box(now(pin!(CELL.insert(large())))).is_ok());
    }),
    // Waits for a running initializer, as `insert` does, and not as `set` does.
    ("set of async-lock", || {
        assert!(black_box(now(pin!(OF_ASYNC_LOCK.set(large())))).is_ok());
    }),
    ("get_mut_or_init", || {
        let cell = Box::leak(Box::new(OnceCell::new()));
        see(now(pin!(cell.get_mut_or_init(load))));
    }),
    ("Lazy::get", || {
        let lazy = Pin::static_ref(Box::leak(Box::new(Lazy::new(load()))));
        see(now(pin!(lazy.get())));
    }),
    ("StaticLazy::get", || see(now(pin!(STATIC_LAZY.get())))),
];

fn see(value: &Large) {
    black_box(value);
}

const OPERATION: &str = "ONCELOT_STACK_OPERATION";
const STACK_SIZE: &str = "ONCELOT_STACK_SIZE";

/// Runs one operation for [`copies`], in a process of its own: a stack that is too small ends the process.
#[test]
#[ignore = "run by the other tests"]
fn operation() {
    let (Ok(name), Ok(size)) = (env::var(OPERATION), env::var(STACK_SIZE)) else {
        return;
    };
    let mut operations = OPERATIONS.iter();
    let (_, run) = operations.find(|(known, _)| *known == name).unwrap();
    let thread = thread::Builder::new().stack_size(size.parse().expect("a number"));
    thread.spawn(*run).unwrap().join().unwrap();
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

#[test]
fn no_operation_makes_more_copies_than_that_of_a_peer() {
    // Taking the closure out of its place moves the whole future. With optimizations it does not.
    let of_a_future = usize::from(cfg!(debug_assertions));
    for (operation, peer, tolerance) in [
        ("get_or_init", "get_or_init of tokio", 0),
        ("get_or_init", "get_or_init of async-lock", 0),
        ("get_or_try_init", "get_or_try_init of tokio", 0),
        ("get_or_try_init", "get_or_try_init of async-lock", 0),
        ("get_or_init_ready", "get_or_init_ready of tokio", of_a_future),
        (
            "get_or_init_ready",
            "get_or_init_ready of async-lock",
            of_a_future,
        ),
        ("set", "set of tokio", 0),
        ("insert", "set of async-lock", 0),
    ] {
        let (ours, theirs) = (copies(operation), copies(peer));
        assert!(
            ours <= theirs + tolerance,
            "`{operation}` has {ours} copies of the value on the stack, and `{peer}` has {theirs}"
        );
    }
}

#[test]
fn each_operation_makes_few_copies() {
    for (operation, unoptimized, optimized) in [
        ("get_or_init", 5, 2),
        ("get_or_try_init", 6, 2),
        ("get_mut_or_init", 7, 3),
        ("Lazy::get", 7, 3),
        ("StaticLazy::get", 8, 3),
    ] {
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
}
