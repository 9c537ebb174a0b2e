//! Operations that block their thread. The thread of a task runs while the executor polls the task, until the thread parks or
//! ends. So one thread runs at a time, and each run is deterministic.

use std::{
    cell::RefCell,
    panic::resume_unwind,
    pin::Pin,
    sync::{
        Arc,
        mpsc::{self, Receiver, Sender},
    },
    task::{Context, Poll, Wake, Waker},
    thread::{self, JoinHandle},
};

use oncelot::{
    Backend,
    backend::{State, WaiterKind},
};

use crate::{
    cells::{Cell, Operation, Role, check_inserted, check_result, watch_claim},
    run::{self, TaskId, current, record},
    tasks::Job,
    user::{ERROR, Init, VALUE, Value},
};

/// Returns the operations. The backend must be [`Watched`].
pub(crate) fn operations<B: Backend<Waiter: Send> + Send + Sync + 'static>() -> Vec<Operation<B>> {
    let mut operations = vec![
        Operation::new("wait_blocking", Role::Other, |cell| {
            record(|task| task.waits_for_value = true);
            on_thread(cell, |cell| cell.wait_blocking().see())
        }),
        Operation::new("get_or_init_blocking", Role::Other, |cell| {
            let init = Init::blocking_value();
            on_thread(cell, |cell| cell.get_or_init_blocking(init).see())
        }),
        Operation::new("insert_blocking", Role::InCrowd, |cell| {
            let value = Value::value();
            on_thread(cell, |cell| {
                let id = value.id();
                check_inserted(cell.insert_blocking(value), id);
            })
        }),
    ];
    for init in [VALUE, ERROR] {
        operations.push(Operation::with(init, "get_or_try_init_blocking", |cell, init| {
            let init = init.blocking();
            on_thread(cell, |cell| check_result(cell.get_or_try_init_blocking(init)))
        }));
    }
    operations
}

fn on_thread<B>(cell: &Arc<Cell<B>>, work: impl FnOnce(&Cell<B>) + Send + 'static) -> Job<'static>
where
    B: Backend<Waiter: Send> + Send + Sync + 'static,
{
    record(|task| task.is_thread = true);
    let cell = Arc::clone(cell);
    let work = Box::new(move || {
        watch_claim(&cell);
        work(&cell);
    });
    Box::pin(Thread {
        work: Some(work),
        running: None,
    })
}

/// A job on a thread of its own.
struct Thread {
    /// Until it starts.
    work: Option<Box<dyn FnOnce() + Send>>,
    running: Option<Running>,
}

struct Running {
    handle: JoinHandle<()>,
    parked: Receiver<Waker>,
    /// Unparks it, while it is parked.
    unpark: Option<Waker>,
}

impl Future for Thread {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<()> {
        if let Some(work) = self.work.take() {
            self.running = Some(start(work));
        }
        let mut running = self.running.take().expect("a task that has ended is not polled");
        if let Some(unpark) = running.unpark.take() {
            unpark.wake();
        }
        if let Ok(unpark) = running.parked.recv() {
            running.unpark = Some(unpark);
            self.running = Some(running);
            return Poll::Pending;
        }
        if let Err(payload) = running.handle.join() {
            resume_unwind(payload);
        }
        Poll::Ready(())
    }
}

/// A thread cannot be dropped. It can be unparked, and then it continues if there is a value.
impl Drop for Thread {
    fn drop(&mut self) {
        if self.running.is_some() {
            let _ = Pin::new(self).poll(&mut Context::from_waker(Waker::noop()));
        }
    }
}

fn start(work: Box<dyn FnOnce() + Send>) -> Running {
    let (sender, parked) = mpsc::channel();
    let waker = Waker::from(Arc::new(WakeTask(current())));
    let run = run::get();
    let handle = thread::spawn(move || {
        run::join(run);
        PARKING.set(Some((waker, sender)));
        work();
    });
    Running {
        handle,
        parked,
        unpark: None,
    }
}

thread_local! {
    /// In the thread of a task: what wakes the task, and where the thread sends its own waker before it parks.
    static PARKING: RefCell<Option<(Waker, Sender<Waker>)>> = const { RefCell::new(None) };
}

struct WakeTask(TaskId);

impl Wake for WakeTask {
    fn wake(self: Arc<Self>) {
        run::wake(self.0);
    }
}

/// Polls a waiter. If this thread must park, a wake first wakes its task, and the executor unparks the thread.
fn poll_waiter(cx: &mut Context<'_>, poll: impl FnOnce(&mut Context<'_>) -> Poll<()>) -> Poll<()> {
    PARKING.with_borrow(|parking| {
        let Some((waker, sender)) = parking else {
            return poll(cx);
        };
        let polled = poll(&mut Context::from_waker(waker));
        if polled.is_pending() {
            sender
                .send(cx.waker().clone())
                .expect("the executor waits for it");
        }
        polled
    })
}

/// A backend whose threads run only when the executor polls their tasks.
pub(crate) struct Watched<B>(B);

// SAFETY: it does what the backend does, with another waker, which wakes as surely.
unsafe impl<B: Backend> Backend for Watched<B> {
    const UNINIT: Self = Self(B::UNINIT);
    const READY: Self = Self(B::READY);

    type Waiter = B::Waiter;

    fn waiter(kind: WaiterKind) -> B::Waiter {
        B::waiter(kind)
    }

    fn state(&self) -> State {
        self.0.state()
    }

    fn try_claim(&self) -> Result<(), State> {
        self.0.try_claim()
    }

    unsafe fn publish(&self) {
        // SAFETY: the caller's promise.
        unsafe { self.0.publish() }
    }

    unsafe fn release(&self) {
        // SAFETY: the caller's promise.
        unsafe { self.0.release() }
    }

    unsafe fn poll_wait(&self, waiter: Pin<&mut B::Waiter>, cx: &mut Context<'_>) -> Poll<()> {
        // SAFETY: the caller's promise.
        poll_waiter(cx, |cx| unsafe { self.0.poll_wait(waiter, cx) })
    }

    unsafe fn poll_attempt(&self, waiter: Pin<&mut B::Waiter>, cx: &mut Context<'_>) -> Poll<()> {
        // SAFETY: the caller's promise.
        poll_waiter(cx, |cx| unsafe { self.0.poll_attempt(waiter, cx) })
    }

    unsafe fn cancel(&self, waiter: Pin<&mut B::Waiter>) {
        // SAFETY: the caller's promise.
        unsafe { self.0.cancel(waiter) }
    }
}
