//! Numbered wakers: each operation on them is recorded, and may run user code.

use std::{
    mem::ManuallyDrop,
    ptr,
    task::{RawWaker, RawWakerVTable, Waker},
};

use super::run;
use crate::stage::Event;

/// A `static`, as a constant may have several addresses, and wakers are compared by address.
static VTABLE: RawWakerVTable = RawWakerVTable::new(clone, wake, wake_by_ref, drop);

/// The waker that a task has of its own, which is neither cloned nor dropped.
pub(super) struct Handle(ManuallyDrop<Waker>);

impl Handle {
    pub(super) fn new(task: u8) -> Self {
        // SAFETY: the functions follow no pointer, and may be called anywhere.
        Self(ManuallyDrop::new(unsafe { Waker::from_raw(raw(task)) }))
    }

    pub(super) fn waker(&self) -> &Waker {
        &self.0
    }
}

/// The data of a waker that identifies a task is not null.
fn raw(task: u8) -> RawWaker {
    RawWaker::new(ptr::without_provenance(usize::from(task) + 1), &VTABLE)
}

fn task(data: *const ()) -> u8 {
    (data.addr() - 1) as u8
}

fn clone(data: *const ()) -> RawWaker {
    run(Event::Cloned(task(data)));
    raw(task(data))
}

fn wake(data: *const ()) {
    run(Event::Woken(task(data)));
}

fn wake_by_ref(data: *const ()) {
    run(Event::WokenByRef(task(data)));
}

fn drop(data: *const ()) {
    run(Event::WakerDropped(task(data)));
}
