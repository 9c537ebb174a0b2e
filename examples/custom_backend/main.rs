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

use std::{
    sync::{
        Barrier,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
    thread,
};

use futures_lite::future::{block_on, yield_now};
use oncelot::{OnceCell, State};

use locked::Locked;

/// The backend is a part of the cell's type. All methods of the cell are the same.
static CONNECTION: OnceCell<String, Locked> = OnceCell::with_backend();

static ATTEMPTS: AtomicUsize = AtomicUsize::new(0);

/// Fails twice, and then succeeds.
async fn connect() -> Result<String, &'static str> {
    let attempt = ATTEMPTS.fetch_add(1, SeqCst) + 1;
    yield_now().await;
    if attempt <= 2 {
        return Err("no route");
    }
    Ok(format!("connected by attempt {attempt}"))
}

fn main() {
    const THREADS: usize = 8;

    assert_eq!(CONNECTION.state(), State::Uninit);
    let begin = Barrier::new(THREADS + 1);
    let (errors, passive) = thread::scope(|scope| {
        let passive = scope.spawn(|| {
            begin.wait();
            block_on(CONNECTION.wait())
        });
        let claimants: Vec<_> = (0..THREADS)
            .map(|_| {
                scope.spawn(|| {
                    begin.wait();
                    block_on(CONNECTION.get_or_try_init(connect))
                })
            })
            .collect();
        let results = claimants.into_iter().map(|thread| thread.join().unwrap());
        (results.filter(Result::is_err).count(), passive.join().unwrap())
    });

    assert_eq!((errors, ATTEMPTS.load(SeqCst)), (2, 3));
    assert_eq!(passive, "connected by attempt 3");
    assert_eq!(CONNECTION.state(), State::Ready);
    println!(
        "{THREADS} threads asked for a connection, and one waited for it: {passive}, and 2 threads got an error"
    );
}

#[cfg(all(test, feature = "testing"))]
mod conformance {
    oncelot::conformance_tests!(crate::locked::Locked);
}
