//! One cell with its data, and the invariants that are checked.

use std::{
    cell::UnsafeCell,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
    },
};

use crate::{
    census::{Census, Counted, Kind},
    totals::TOTALS,
};

/// What cells hold.
#[derive(Debug)]
pub(crate) struct Value {
    number: u64,
    /// The same, on the heap.
    echo: Box<u64>,
    _counted: Counted,
}

/// Where the initializers of one cell work.
#[derive(Debug)]
pub(crate) struct Site {
    /// The number of steps of the initializers. Only the cell keeps them from racing with each other, and with the
    /// readers of the value.
    bench: UnsafeCell<u64>,
    /// The same number.
    steps: AtomicU64,
    is_occupied: AtomicBool,
    /// How many values were made.
    numbers: AtomicU64,
    /// How many values were put into the cell.
    published: AtomicU64,
    /// The number of the value that all see, or 0.
    seen: AtomicU64,
    census: Arc<Census>,
}

// SAFETY: the bench is used by the holders of the claim of the cell, and read by tasks that have seen its value. The
// program tests that the cell orders the two.
unsafe impl Sync for Site {}

impl Site {
    pub(crate) fn new(census: &Arc<Census>) -> Arc<Self> {
        Arc::new(Self {
            bench: UnsafeCell::new(0),
            steps: AtomicU64::new(0),
            is_occupied: AtomicBool::new(false),
            numbers: AtomicU64::new(0),
            published: AtomicU64::new(0),
            seen: AtomicU64::new(0),
            census: census.clone(),
        })
    }

    pub(crate) fn census(&self) -> &Arc<Census> {
        &self.census
    }

    /// A value that is used once.
    pub(crate) fn value(&self) -> Value {
        let number = 1 + self.numbers.fetch_add(1, Relaxed);
        Value {
            number,
            echo: Box::new(number),
            _counted: self.census.count(Kind::Value),
        }
    }

    /// An initializer begins; there must be no other one. If it does not end, it was cancelled.
    pub(crate) fn begin(self: &Arc<Self>) -> Work {
        let was_occupied = self.is_occupied.swap(true, Relaxed);
        assert!(!was_occupied, "two initializers are running: {self:?}");
        TOTALS.initializations.add();
        let work = Work {
            site: self.clone(),
            has_ended: false,
        };
        work.step();
        work
    }

    /// A value was put into the cell.
    pub(crate) fn note_publication(&self) {
        let before = self.published.fetch_add(1, Relaxed);
        assert_eq!(before, 0, "a second value was put in: {self:?}");
    }

    /// Checks a value that a task got from the cell.
    pub(crate) fn inspect(&self, value: &Value) {
        TOTALS.looks_at_values.add();
        assert_eq!(value.number, *value.echo, "half a value is seen: {self:?}");
        let seen = (self.seen).compare_exchange(0, value.number, Relaxed, Relaxed);
        if let Err(seen) = seen {
            assert_eq!(seen, value.number, "two values are seen: {self:?}");
        }
        // SAFETY: the cell has a value, so that no initializer is running any more.
        let bench = unsafe { *self.bench.get() };
        // All steps happen before this, and are seen though they are Relaxed.
        assert_eq!(bench, self.steps.load(Relaxed), "a step is not seen: {self:?}");
        assert!(
            !self.is_occupied.load(Relaxed),
            "an initializer is running: {self:?}"
        );
    }

    /// Checks at the end that a value was stored exactly if `has_value`.
    pub(crate) fn close(&self, has_value: bool) {
        assert_eq!(self.published.load(Relaxed), has_value.into(), "{self:?}");
    }
}

/// A running initializer.
#[derive(Debug)]
pub(crate) struct Work {
    site: Arc<Site>,
    has_ended: bool,
}

impl Work {
    pub(crate) fn step(&self) {
        // SAFETY: this is the running initializer.
        unsafe { *self.site.bench.get() += 1 };
        self.site.steps.fetch_add(1, Relaxed);
    }

    pub(crate) fn end(mut self) {
        self.has_ended = true;
    }
}

impl Drop for Work {
    fn drop(&mut self) {
        self.step();
        if !self.has_ended {
            TOTALS.cancellations.add();
        }
        let was_occupied = self.site.is_occupied.swap(false, Relaxed);
        assert!(was_occupied, "two initializers were running: {:?}", self.site);
    }
}
