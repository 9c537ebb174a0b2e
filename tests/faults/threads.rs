//! Threads as actors. A thread runs when the cast polls it, until it parks or ends, while the cast waits. So one actor
//! runs at a time, and each run is deterministic.

use std::{
    cell::RefCell,
    mem,
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
    bed::{Bed, Exception, SharedDeed},
    cast::Deed,
    cells::shared_deed,
    world::{self, Panics, Who},
};

/// A deed on a thread of its own, which may park in a cell whose backend is `Watched`.
pub(crate) fn deed(f: impl FnOnce() + Send + 'static) -> Deed<'static> {
    world::is_thread();
    Box::pin(Thread(Stage::Unborn(Box::new(f))))
}

struct Thread(Stage);

enum Stage {
    Unborn(Box<dyn FnOnce() + Send>),
    Parked(Waker, Running),
    Ended,
}

struct Running {
    /// What unparks it, each time that it is about to park.
    parks: Receiver<Waker>,
    handle: JoinHandle<()>,
}

impl Future for Thread {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<()> {
        let running = match mem::replace(&mut self.0, Stage::Ended) {
            Stage::Unborn(f) => Running::begin(f),
            Stage::Parked(unpark, running) => {
                unpark.wake();
                running
            }
            Stage::Ended => unreachable!("an actor that has ended is not polled"),
        };
        match running.parks.recv() {
            Ok(unpark) => {
                self.0 = Stage::Parked(unpark, running);
                Poll::Pending
            }
            Err(_) => match running.handle.join() {
                Ok(()) => Poll::Ready(()),
                Err(payload) => resume_unwind(payload),
            },
        }
    }
}

/// The thread cannot be dropped. It can be unparked, and then it continues if there is a value.
impl Drop for Thread {
    fn drop(&mut self) {
        if matches!(self.0, Stage::Parked(..)) {
            let _ = Pin::new(self).poll(&mut Context::from_waker(Waker::noop()));
        }
    }
}

impl Running {
    fn begin(f: Box<dyn FnOnce() + Send>) -> Self {
        let (parking, parks) = mpsc::channel();
        let waker = Waker::from(Arc::new(Schedules(world::who())));
        let take_part = world::invite();
        let handle = thread::spawn(move || {
            take_part();
            ITSELF.set(Some(Itself { waker, parking }));
            f();
        });
        Self { parks, handle }
    }
}

thread_local! {
    static ITSELF: RefCell<Option<Itself>> = const { RefCell::new(None) };
}

/// The state of a thread that is an actor.
struct Itself {
    /// Has it polled by the cast. What would unpark it waits until then.
    waker: Waker,
    parking: Sender<Waker>,
}

struct Schedules(Who);

impl Wake for Schedules {
    fn wake(self: Arc<Self>) {
        world::schedule(self.0);
    }
}

/// Polls a waiter. If this thread is an actor and has to wait, its waker is passed to the cast.
fn watch(cx: &mut Context<'_>, poll: impl FnOnce(&mut Context<'_>) -> Poll<()>) -> Poll<()> {
    ITSELF.with_borrow(|itself| {
        let Some(Itself { waker, parking }) = itself else {
            return poll(cx);
        };
        let polled = poll(&mut Context::from_waker(waker));
        if polled.is_pending() {
            parking.send(cx.waker().clone()).expect("the cast waits for it");
        }
        polled
    })
}

/// A backend that notifies the cast before a thread parks, and lets the cast decide when the thread resumes.
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

    fn is_ready(&self) -> bool {
        self.0.is_ready()
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
        watch(cx, |cx| unsafe { self.0.poll_wait(waiter, cx) })
    }

    unsafe fn poll_attempt(&self, waiter: Pin<&mut B::Waiter>, cx: &mut Context<'_>) -> Poll<()> {
        // SAFETY: the caller's promise.
        watch(cx, |cx| unsafe { self.0.poll_attempt(waiter, cx) })
    }

    unsafe fn cancel(&self, waiter: Pin<&mut B::Waiter>) {
        // SAFETY: the caller's promise.
        unsafe { self.0.cancel(waiter) }
    }
}

impl<B: Bed<Waiter: Send> + Send + Sync> Bed for Watched<B> {
    const NAME: &'static str = B::NAME;
    const SHARED: Option<SharedDeed<Self>> = Some(shared_deed::<Self>);
    const PANICS: Panics = B::PANICS;
    const SOURCE: &'static str = B::SOURCE;
    const EXCEPTIONS: &'static [Exception] = B::EXCEPTIONS;
}
