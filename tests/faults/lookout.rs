//! Tells of a run that comes to no end, as one that blocks its thread for good: which run it is, and nothing more. It makes
//! no run fail.

use std::{
    fmt::Debug,
    mem,
    sync::{Arc, Mutex, PoisonError, Weak},
    thread,
    time::Duration,
};

use crate::world::Plan;

/// Many times what all runs together take.
const LONG: Duration = Duration::from_secs(60);

/// What is being run by a thread.
#[derive(Default)]
pub(crate) struct Lookout(Arc<Mutex<Run>>);

#[derive(Default)]
struct Run {
    what: String,
    plan: Plan,
    /// Whether this was seen before.
    is_old: bool,
}

impl Lookout {
    pub(crate) fn begin() -> Self {
        let this = Self::default();
        let watched = Arc::downgrade(&this.0);
        thread::spawn(move || watch(&watched));
        this
    }

    pub(crate) fn enter(&self, backend: &str, scenario: impl Debug) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).what = format!("{scenario:?} on {backend}");
    }

    pub(crate) fn run(&self, plan: &Plan) {
        let mut run = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        run.plan.clone_from(plan);
        run.is_old = false;
    }
}

/// Looks now and then, until the runs are over.
fn watch(watched: &Weak<Mutex<Run>>) {
    loop {
        thread::sleep(LONG);
        let Some(run) = watched.upgrade() else { return };
        let mut run = run.lock().unwrap_or_else(PoisonError::into_inner);
        if mem::replace(&mut run.is_old, true) {
            eprintln!(
                "for more than a minute, this has not come to an end: {}, with {:?}",
                run.what, run.plan
            );
        }
    }
}
