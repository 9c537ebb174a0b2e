//! Promises of JavaScript, awaited.

use std::{
    cell::RefCell,
    collections::HashMap,
    future::Future,
    pin::Pin,
    task::{Context, Poll, Waker},
};

use crate::host;

/// The promise was rejected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Rejected;

/// Waits for a promise. It may be dropped before the promise is settled.
#[derive(Debug)]
pub(crate) struct Promise(u32);

enum Stage {
    Pending(Option<Waker>),
    Settled(Result<u32, Rejected>),
}

#[derive(Default)]
struct Promises {
    next: u32,
    /// Those for which a `Promise` exists.
    awaited: HashMap<u32, Stage>,
}

thread_local! {
    static PROMISES: RefCell<Promises> = RefCell::default();
}

/// A promise that JavaScript keeps after so many milliseconds, or rejects if there are none.
pub(crate) fn timer(milliseconds: u32) -> Promise {
    let id = PROMISES.with_borrow_mut(|promises| {
        promises.next += 1;
        promises.awaited.insert(promises.next, Stage::Pending(None));
        promises.next
    });
    host::timer(id, milliseconds);
    Promise(id)
}

/// What JavaScript calls when the promise is settled.
#[unsafe(no_mangle)]
pub(crate) extern "C" fn settle(id: u32, value: u32, is_kept: bool) {
    let settled = Stage::Settled(if is_kept { Ok(value) } else { Err(Rejected) });
    let before = PROMISES.with_borrow_mut(|promises| {
        let stage = promises.awaited.get_mut(&id)?;
        Some(std::mem::replace(stage, settled))
    });
    if let Some(Stage::Pending(Some(waker))) = before {
        waker.wake();
    }
}

impl Future for Promise {
    type Output = Result<u32, Rejected>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        PROMISES.with_borrow_mut(|promises| {
            let stage = promises.awaited.get_mut(&self.0).expect("there until the drop");
            match stage {
                Stage::Settled(result) => Poll::Ready(*result),
                Stage::Pending(waker) => {
                    *waker = Some(cx.waker().clone());
                    Poll::Pending
                }
            }
        })
    }
}

impl Drop for Promise {
    fn drop(&mut self) {
        // The waker is dropped when the promises are free again.
        let _gone = PROMISES.with_borrow_mut(|promises| promises.awaited.remove(&self.0));
    }
}
