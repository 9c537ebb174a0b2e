//! Watchdog: prints which run is in progress if the run takes too long, for example because it blocks its thread. Does not
//! make a run fail.

use std::{
    fmt::Debug,
    mem,
    sync::{
        Arc, Mutex, PoisonError,
        mpsc::{self, Receiver, RecvTimeoutError, Sender},
    },
    thread::{self, JoinHandle},
    time::Duration,
};

use crate::world::Plan;

/// Many times what all runs together take.
const LONG: Duration = Duration::from_secs(60);

pub(crate) struct Lookout {
    run: Arc<Mutex<Run>>,
    /// Who looks, until the sender is dropped.
    watch: Option<(Sender<()>, JoinHandle<()>)>,
}

/// What is being run by a thread.
#[derive(Default)]
struct Run {
    what: String,
    plan: Plan,
    /// Whether this was seen before.
    is_old: bool,
}

impl Lookout {
    pub(crate) fn begin() -> Self {
        let run = Arc::default();
        let (sender, is_over) = mpsc::channel();
        let watched = Arc::clone(&run);
        let watch = Some((sender, thread::spawn(move || watch(&watched, &is_over))));
        Self { run, watch }
    }

    pub(crate) fn enter(&self, backend: &str, scenario: impl Debug) {
        self.run.lock().unwrap_or_else(PoisonError::into_inner).what = format!("{scenario:?} on {backend}");
    }

    pub(crate) fn run(&self, plan: &Plan) {
        let mut run = self.run.lock().unwrap_or_else(PoisonError::into_inner);
        run.plan.clone_from(plan);
        run.is_old = false;
    }
}

impl Drop for Lookout {
    fn drop(&mut self) {
        if let Some((sender, watch)) = self.watch.take() {
            drop(sender);
            watch.join().expect("it only looks");
        }
    }
}

/// Looks now and then, until the runs are over.
fn watch(watched: &Mutex<Run>, is_over: &Receiver<()>) {
    while is_over.recv_timeout(LONG) == Err(RecvTimeoutError::Timeout) {
        let mut run = watched.lock().unwrap_or_else(PoisonError::into_inner);
        if mem::replace(&mut run.is_old, true) {
            eprintln!(
                "for more than a minute, this has not come to an end: {}, with {:?}",
                run.what, run.plan
            );
        }
    }
}
