//! What parks a thread of a model, and what wakes it, in the manner of `parking`.

use std::{sync::Arc, task::Wake, time::Instant};

use super::modelled::{Notify, thread};

pub(crate) fn parker() -> (Parker, Arc<Unpark>) {
    let unpark = Arc::new(Unpark(Notify::new()));
    (Parker(unpark.clone()), unpark)
}

pub(crate) struct Parker(Arc<Unpark>);

pub(crate) struct Unpark(Notify);

impl Parker {
    pub(crate) fn park(&self) {
        self.0.0.wait();
    }

    pub(crate) fn park_deadline(&self, _deadline: Instant) -> bool {
        thread::yield_now();
        false
    }
}

/// No time passes in a model: a deadline can elapse immediately, or after any steps of other threads.
pub(crate) fn has_elapsed(_deadline: Instant) -> bool {
    true
}

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.notify();
    }
}
