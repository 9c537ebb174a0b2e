//! Calls in destructors of thread-locals, before and after the thread-locals of the runtimes are destroyed.

use std::{
    cell::RefCell,
    panic::{AssertUnwindSafe, catch_unwind},
    pin::pin,
    sync::mpsc,
    task::Poll,
    thread,
    time::Duration,
};

use ::tokio::runtime::Handle;
use oncelot::{
    Lazy, OnceCell,
    runtime::{OnceCellExt, Tokio},
};

use crate::{
    TOKIO,
    tokio::assert_unlimited_budget,
    util::{Gate, message, now, poll, static_cell},
};

/// When a destructor runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Order {
    BeforeThoseOfTheRuntimes,
    AfterThoseOfTheRuntimes,
    /// No runtime has touched its thread-locals on the thread.
    WithoutThem,
}

const ORDERS: [Order; 3] = [
    Order::BeforeThoseOfTheRuntimes,
    Order::AfterThoseOfTheRuntimes,
    Order::WithoutThem,
];

/// Calls a closure when it is dropped.
struct AtExit(Option<Box<dyn FnOnce()>>);

impl Drop for AtExit {
    fn drop(&mut self) {
        if let Some(call) = self.0.take() {
            call();
        }
    }
}

thread_local! {
    static AT_EXIT: RefCell<AtExit> = const { RefCell::new(AtExit(None)) };
}

fn touch_the_thread_locals_of_the_runtimes() {
    assert!(Handle::try_current().is_err());
    assert!(async_std::task::try_current().is_none());
    smol::block_on(async {});
    // The thread-local of the deadlock detection.
    now(OnceCell::new().get_or_init(async || 1));
}

/// Calls `call` in a destructor on a thread of its own, and returns its result, or the message of its panic.
///
/// std runs the destructors of a thread's thread-locals in the reverse order of their first uses.
fn in_a_destructor<R: Send + 'static>(
    order: Order,
    call: impl FnOnce() -> R + Send + 'static,
) -> Result<R, String> {
    let (sender, receiver) = mpsc::channel();
    let at_exit = move || {
        // A panic that leaves a destructor of a thread-local ends the process.
        let result = catch_unwind(AssertUnwindSafe(call)).map_err(|payload| message(&*payload));
        let are_gone = Handle::try_current().is_err_and(|error| error.is_thread_local_destroyed());
        sender.send((result, are_gone)).unwrap();
    };
    let thread = thread::spawn(move || {
        if order == Order::BeforeThoseOfTheRuntimes {
            touch_the_thread_locals_of_the_runtimes();
        }
        AT_EXIT.set(AtExit(Some(Box::new(at_exit))));
        if order == Order::AfterThoseOfTheRuntimes {
            touch_the_thread_locals_of_the_runtimes();
        }
    });
    thread.join().unwrap();
    let (result, are_gone) = receiver.recv().unwrap();
    assert_eq!(are_gone, order == Order::AfterThoseOfTheRuntimes, "{order:?}");
    result
}

#[test]
fn each_call_waits_in_a_destructor_for_an_initializer() {
    let calls: [fn(&'static OnceCell<u32>, Order) -> u32; 7] = [
        |cell, _| *cell.wait_blocking(),
        |cell, _| *cell.wait_timeout(Duration::MAX).unwrap(),
        |cell, _| *cell.get_or_init_blocking(|| 2),
        |cell, _| *cell.get_or_try_init_blocking(|| Err(2)).unwrap(),
        |cell, _| *cell.insert_blocking(2).unwrap_err().0,
        |cell, _| **pin!(Lazy::new(cell.wait())).as_ref().get_blocking(),
        |cell, order| {
            static CELLS: [OnceCell<&OnceCell<u32>>; 3] = [const { OnceCell::new() }; 3];
            oncelot::lazy! {
                static BEFORE: u32 = async { *CELLS[0].wait().await.wait().await };
                static AFTER: u32 = async { *CELLS[1].wait().await.wait().await };
                static WITHOUT: u32 = async { *CELLS[2].wait().await.wait().await };
            }
            CELLS[order as usize].set(cell).unwrap();
            *[&BEFORE, &AFTER, &WITHOUT][order as usize].get_blocking()
        },
    ];
    for order in ORDERS {
        for (number, call) in calls.into_iter().enumerate() {
            let (cell, gate) = (static_cell(), Gate::new());
            let mut init = Box::pin(cell.get_or_init(|| gate.clone()));
            assert!(poll(&mut init).is_pending());
            let (begin, begun) = mpsc::channel();
            let thread = thread::spawn(move || {
                in_a_destructor(order, move || {
                    begin.send(()).unwrap();
                    call(cell, order)
                })
            });
            begun.recv().unwrap();
            // By then, the call probably waits.
            thread::sleep(Duration::from_millis(20));
            gate.open(1);
            assert_eq!(poll(&mut init), Poll::Ready(&1));
            assert_eq!(thread.join().unwrap(), Ok(1), "call {number}, {order:?}");
        }
    }
}

#[test]
fn calls_that_run_an_initializer_or_none_work_in_a_destructor() {
    for order in ORDERS {
        let works = in_a_destructor(order, || {
            assert_eq!(static_cell().get_or_init_blocking(|| 1), &1);
            assert_eq!(static_cell().wait_timeout(Duration::from_millis(1)), None);
            assert_unlimited_budget(&Tokio);
            assert_unlimited_budget(TOKIO.handle());
            let cell = static_cell();
            // The initializer may have ended by now.
            _ = poll(&mut Box::pin(
                cell.get_or_init_spawned(TOKIO.handle(), async || 1),
            ));
            assert_eq!(cell.wait_blocking(), &1);
        });
        assert_eq!(works, Ok(()), "{order:?}");
    }
}

#[test]
#[cfg(any(debug_assertions, feature = "deadlock-detection"))]
fn an_initializer_that_waits_for_its_own_cell_is_reported_in_a_destructor() {
    for order in ORDERS {
        let cell = static_cell();
        let waited = in_a_destructor(order, || {
            let wait = || cell.wait_timeout(Duration::from_secs(60)).copied();
            *cell.get_or_init_blocking(|| wait().expect("it waits for itself"))
        });
        let message = waited.unwrap_err();
        assert!(message.contains("awaits its own cell"), "{order:?}: {message}");
    }
}
