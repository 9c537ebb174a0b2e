//! A minimal executor, which polls woken tasks on the stack of its caller.

use core::{
    future::Future,
    pin::Pin,
    sync::atomic::{AtomicBool, Ordering},
    task::{Context, RawWaker, RawWakerVTable, Waker},
};

use crate::tracked::Count;

/// As many tasks as one call of [`run`] takes.
const CAPACITY: usize = 4;

/// While one is true, the task of this number wants to be polled.
static WOKEN: [AtomicBool; CAPACITY] = [const { AtomicBool::new(false) }; CAPACITY];

/// How many wakers there are. It is zero when no task is left.
pub static WAKERS: Count = Count::new();

static VTABLE: RawWakerVTable = RawWakerVTable::new(clone, wake, wake_by_ref, drop);

fn clone(flag: *const ()) -> RawWaker {
    WAKERS.add(1);
    RawWaker::new(flag, &VTABLE)
}

fn wake(flag: *const ()) {
    wake_by_ref(flag);
    drop(flag);
}

fn wake_by_ref(flag: *const ()) {
    // SAFETY: it points into `WOKEN`.
    unsafe { &*flag.cast::<AtomicBool>() }.store(true, Ordering::Release);
}

fn drop(_flag: *const ()) {
    WAKERS.add(-1);
}

/// Polls the tasks until all are done. `rest` is called when no task is awake, and returns when a task may have been
/// woken. It panics if none can be woken any more.
pub fn run<F: Future<Output = ()>>(tasks: &mut [Pin<&mut F>], mut rest: impl FnMut()) {
    let mut is_done = [false; CAPACITY];
    WOKEN.iter().for_each(|flag| flag.store(true, Ordering::Relaxed));
    while is_done[..tasks.len()].contains(&false) {
        let mut has_polled = false;
        for (i, task) in tasks.iter_mut().enumerate() {
            if !is_done[i] && WOKEN[i].load(Ordering::Acquire) {
                WOKEN[i].store(false, Ordering::Relaxed);
                has_polled = true;
                // SAFETY: the functions keep a waker's contract: they may be called anywhere and at any time.
                let waker = unsafe { Waker::from_raw(clone((&raw const WOKEN[i]).cast())) };
                is_done[i] = task.as_mut().poll(&mut Context::from_waker(&waker)).is_ready();
            }
        }
        if !has_polled {
            rest();
        }
    }
}
