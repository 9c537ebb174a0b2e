//! A gate that opens when a number of tasks have arrived.

use std::sync::atomic::{AtomicUsize, Ordering};

use oncelot::OnceCell;

#[derive(Debug)]
pub(crate) struct Countdown {
    /// How many are still to come.
    missing: AtomicUsize,
    open: OnceCell<()>,
}

impl Countdown {
    pub(crate) fn new(count: usize) -> Self {
        Self {
            missing: AtomicUsize::new(count),
            open: OnceCell::new_with((count == 0).then_some(())),
        }
    }

    /// Counts one task; the last one opens the gate.
    pub(crate) fn count_down(&self) {
        // ORDERING: what each task did before it was counted happens before the gate opens:
        // the Release of every decrement pairs with the Acquire of the last.
        if self.missing.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.open.set(()).expect("only the last task opens the gate");
        }
    }

    pub(crate) fn is_open(&self) -> bool {
        self.open.initialized()
    }

    pub(crate) async fn wait(&self) {
        self.open.wait().await;
    }
}
