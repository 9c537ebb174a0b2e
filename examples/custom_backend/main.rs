//! A custom backend: a cell whose state and waiters are behind a mutex.
//!
//! ```sh
//! cargo run --example custom_backend
//! cargo test --example custom_backend --features testing
//! ```
//!
//! A backend decides how the state of a cell is represented, how its waiters are kept, and what excludes threads, cores and
//! interrupts from each other. Write one to use the lock of an operating system, for example, or to wake waiters in another
//! order. `locked.rs` is a complete one, written for clarity. The first command uses it in a static cell. The second one runs
//! the conformance suite of the feature `testing` on it. One line does the same for your own backend.

mod locked;

use std::thread;

use futures_lite::future::{block_on, yield_now};
use oncelot::{OnceCell, State};

use locked::Locked;

/// The backend is a part of the cell's type. All methods of the cell are the same.
static CONNECTION: OnceCell<&str, Locked> = OnceCell::with_backend();

fn main() {
    assert_eq!(CONNECTION.state(), State::Uninit);
    let connect = async || {
        yield_now().await;
        "connected"
    };
    thread::scope(|scope| {
        scope.spawn(|| println!("one waits: {}", block_on(CONNECTION.wait())));
        for _ in 0..3 {
            scope.spawn(|| {
                println!(
                    "one of three that connect: {}",
                    block_on(CONNECTION.get_or_init(connect))
                )
            });
        }
    });
    assert_eq!(CONNECTION.state(), State::Ready);
}

#[cfg(all(test, feature = "testing"))]
mod conformance {
    oncelot::conformance_tests!(crate::locked::Locked);
}
