//! Initializers that run as tasks of their own, or on a runtime's pool for blocking work.

use alloc::sync::Arc;
use core::{convert::Infallible, future::poll_fn, ops::Deref, pin::pin, task::Poll};
use std::{
    any::Any,
    boxed::Box,
    panic::{AssertUnwindSafe, catch_unwind, resume_unwind},
    sync::{Mutex, PoisonError},
};

use crate::{
    acquire::Waiting,
    backend::{Backend, Interest, Intrusive},
    futures::unwrap_infallible,
    once_cell::OnceCell,
    panics::swallow_panic,
    running::{Running, run_here},
    runtime::Runtime,
    slot::{Acquired, Claim, Hold, Slot},
    sync,
};

/// What makes a value in a task of its own: an `async fn`, a closure that returns a future, or an async closure,
/// which can be sent to another thread, as its future can.
pub trait Initializer: Send + 'static {
    /// What the future yields.
    type Output;
    /// The future.
    type Future: Future<Output = Self::Output> + Send + 'static;

    /// Makes the future.
    fn call(self) -> Self::Future;
}

impl<F, Fut> Initializer for F
where
    F: FnOnce() -> Fut + Send + 'static,
    Fut: Future + Send + 'static,
{
    type Output = Fut::Output;
    type Future = Fut;

    fn call(self) -> Fut {
        self()
    }
}

/// A cell that a task of its own can hold on to: one in a `static`, or in an [`Arc`].
///
/// Where [`OnceCell::get_or_init`] runs the initializer inside the future of its caller, these methods start a task
/// for it on a [`Runtime`]. It goes on while the caller is not polled, and when the caller is cancelled. There is never
/// more than one at a time: the others wait for it, as they wait for any initializer.
///
/// # Panics
///
/// A panic of the initializer reaches the caller that started it. If that has been cancelled, it reaches nobody but
/// the panic hook. The cell is empty again, and another waiter takes its turn.
///
/// Panics with the runtime's own advice if it cannot start a task where the caller is; and if the runtime drops the
/// task before it has ended, because it shuts down. The cell stays usable.
///
/// # Cancel safety
///
/// If the future is dropped while it waits for somebody else's initializer, it leaves nothing behind. If it is dropped
/// after it has started its own, that goes on, and the value is there for the next; an error of it is dropped.
///
/// # Costs
///
/// A ready cell is one load (Acquire). Starting an initializer is what starting a task is, and one allocation.
///
/// # Examples
///
/// ```
/// use std::sync::Arc;
///
/// use oncelot::{OnceCell, runtime::{Runtime, SharedCell}};
///
/// async fn connect() -> Result<u32, std::io::Error> {
///     Ok(1)
/// }
///
/// static POOL: OnceCell<u32> = OnceCell::new();
///
/// async fn pool<R: Runtime>() -> Result<&'static u32, std::io::Error> {
///     POOL.get_or_try_init_spawned::<R, _>(connect).await
/// }
///
/// async fn length<R: Runtime>(file: &Arc<OnceCell<String>>) -> usize {
///     let text = file.get_or_init_unblock::<R>(|| std::fs::read_to_string("Cargo.toml").unwrap());
///     text.await.len()
/// }
/// ```
pub trait SharedCell<'a>: Sized + Send + sealed::Sealed {
    /// The cell's value.
    type Value: Send + Sync + 'static;

    /// The value; if there is none, the one that `init` makes in a task of its own.
    fn get_or_init_spawned<R: Runtime>(
        self,
        init: impl Initializer<Output = Self::Value>,
    ) -> impl Future<Output = &'a Self::Value> + Send;

    /// The same as [`get_or_init_spawned`](Self::get_or_init_spawned), for an initializer that can fail.
    ///
    /// # Errors
    ///
    /// The error of `init`'s future, if this call started it and it failed. The cell is empty again, and another
    /// waiter takes its turn.
    fn get_or_try_init_spawned<R: Runtime, E: Send + 'static>(
        self,
        init: impl Initializer<Output = Result<Self::Value, E>>,
    ) -> impl Future<Output = Result<&'a Self::Value, E>> + Send;

    /// The value; if there is none, the one that `init` makes on the runtime's pool for blocking work.
    fn get_or_init_unblock<R: Runtime>(
        self,
        init: impl FnOnce() -> Self::Value + Send + 'static,
    ) -> impl Future<Output = &'a Self::Value> + Send;

    /// The same as [`get_or_init_unblock`](Self::get_or_init_unblock), for an initializer that can fail.
    ///
    /// # Errors
    ///
    /// The error of `init`, if this call started it and it failed. The cell is empty again, and another waiter takes
    /// its turn.
    fn get_or_try_init_unblock<R: Runtime, E: Send + 'static>(
        self,
        init: impl FnOnce() -> Result<Self::Value, E> + Send + 'static,
    ) -> impl Future<Output = Result<&'a Self::Value, E>> + Send;
}

mod sealed {
    pub trait Sealed {}
}

impl<T, B: Backend> sealed::Sealed for &'static OnceCell<T, B> {}

impl<T, B> SharedCell<'static> for &'static OnceCell<T, B>
where
    T: Send + Sync + 'static,
    B: Backend<Waiter: Send> + Send + Sync + 'static,
{
    type Value = T;

    fn get_or_init_spawned<R: Runtime>(
        self,
        init: impl Initializer<Output = T>,
    ) -> impl Future<Output = &'static T> + Send {
        let value = get_or_spawn::<R, _, _, _, Infallible, _>(self.slot(), || self.slot(), init, Ok);
        async { unwrap_infallible(value.await) }
    }

    fn get_or_init_unblock<R: Runtime>(
        self,
        init: impl FnOnce() -> T + Send + 'static,
    ) -> impl Future<Output = &'static T> + Send {
        let value = self.get_or_try_init_unblock::<R, Infallible>(|| Ok(init()));
        async { unwrap_infallible(value.await) }
    }

    fn get_or_try_init_spawned<R: Runtime, E: Send + 'static>(
        self,
        init: impl Initializer<Output = Result<T, E>>,
    ) -> impl Future<Output = Result<&'static T, E>> + Send {
        get_or_spawn::<R, _, _, _, _, _>(self.slot(), || self.slot(), init, |result| result)
    }

    fn get_or_try_init_unblock<R: Runtime, E: Send + 'static>(
        self,
        init: impl FnOnce() -> Result<T, E> + Send + 'static,
    ) -> impl Future<Output = Result<&'static T, E>> + Send {
        get_or_unblock::<R, _, _, _, _>(self.slot(), || self.slot(), init)
    }
}

impl<T, B: Backend> sealed::Sealed for &Arc<OnceCell<T, B>> {}

impl<'a, T, B> SharedCell<'a> for &'a Arc<OnceCell<T, B>>
where
    T: Send + Sync + 'static,
    B: Backend<Waiter: Send> + Send + Sync + 'static,
{
    type Value = T;

    fn get_or_init_spawned<R: Runtime>(
        self,
        init: impl Initializer<Output = T>,
    ) -> impl Future<Output = &'a T> + Send {
        let hold = || InArc(Arc::clone(self));
        let value = get_or_spawn::<R, _, _, _, Infallible, _>(self.slot(), hold, init, Ok);
        async { unwrap_infallible(value.await) }
    }

    fn get_or_init_unblock<R: Runtime>(
        self,
        init: impl FnOnce() -> T + Send + 'static,
    ) -> impl Future<Output = &'a T> + Send {
        let value = self.get_or_try_init_unblock::<R, Infallible>(|| Ok(init()));
        async { unwrap_infallible(value.await) }
    }

    fn get_or_try_init_spawned<R: Runtime, E: Send + 'static>(
        self,
        init: impl Initializer<Output = Result<T, E>>,
    ) -> impl Future<Output = Result<&'a T, E>> + Send {
        get_or_spawn::<R, _, _, _, _, _>(self.slot(), || InArc(Arc::clone(self)), init, |result| result)
    }

    fn get_or_try_init_unblock<R: Runtime, E: Send + 'static>(
        self,
        init: impl FnOnce() -> Result<T, E> + Send + 'static,
    ) -> impl Future<Output = Result<&'a T, E>> + Send {
        get_or_unblock::<R, _, _, _, _>(self.slot(), || InArc(Arc::clone(self)), init)
    }
}

/// Holds the slot of a cell in an `Arc`.
struct InArc<T, B: Backend>(Arc<OnceCell<T, B>>);

impl<T, B: Backend> Deref for InArc<T, B> {
    type Target = Slot<T, B>;

    fn deref(&self) -> &Slot<T, B> {
        self.0.slot()
    }
}

// SAFETY: what is in an `Arc` stays in its place as long as there is one.
unsafe impl<T, B: Backend> Hold for InArc<T, B> {
    type Value = T;
    type Backend = B;
    type Published = ();

    unsafe fn published(self) {}
}

/// The value, or the one that `init` makes in a task, which holds the slot by what `hold` gives.
async fn get_or_spawn<R: Runtime, T, B: Backend, H, E, I: Initializer>(
    slot: &Slot<T, B>,
    hold: impl FnOnce() -> H,
    init: I,
    into_result: fn(I::Output) -> Result<T, E>,
) -> Result<&T, E>
where
    H: Hold<Value = T, Backend = B> + Send + 'static,
    E: Send + 'static,
{
    get_or_start::<R, _, _, _>(slot, |claim, reporter| {
        R::spawn(run_as_task(claim.hand_over(hold()), init, into_result, reporter));
    })
    .await
}

/// The value, or the one that `init` makes on the pool for blocking work, where `hold` gives what holds the slot.
async fn get_or_unblock<R: Runtime, T, B: Backend, H, E>(
    slot: &Slot<T, B>,
    hold: impl FnOnce() -> H,
    init: impl FnOnce() -> Result<T, E> + Send + 'static,
) -> Result<&T, E>
where
    H: Hold<Value = T, Backend = B> + Send + 'static,
    E: Send + 'static,
{
    get_or_start::<R, _, _, _>(slot, |claim, reporter| {
        let claim = claim.hand_over(hold());
        R::spawn_blocking(move || {
            let ended = catch_unwind(AssertUnwindSafe(|| run_here(claim, init).map(drop)));
            reporter.report(ended.map_or_else(Outcome::Panicked, Outcome::Ended));
        });
    })
    .await
}

/// Waits for the value or the claim, and with the claim for the report of what `start` starts.
async fn get_or_start<'a, R: Runtime, T, B: Backend, E>(
    slot: &'a Slot<T, B>,
    start: impl FnOnce(Claim<&'a Slot<T, B>>, Reporter<E>),
) -> Result<&'a T, E> {
    if let Some(value) = slot.get() {
        return Ok(value);
    }
    let mut waiting = pin!(Some(Waiting::new(slot, Interest::Claim)));
    let acquired = poll_fn(|cx| {
        let waiting = waiting.as_mut().as_pin_mut().expect("kept until it has ended");
        R::poll_within_budget(cx, |cx| waiting.poll_acquire(cx))
    })
    .await;
    // Its destructor may panic, by a waker: what would be on its way past that, a claim or a report, would be leaked.
    waiting.set(None);
    let report = match acquired {
        Acquired::Ready(value) => return Ok(value),
        Acquired::Claimed(claim) => {
            let report = sync::Arc::new(Report::new());
            start(claim, Reporter(report.clone()));
            report
        }
    };
    match report.taken::<R>().await {
        Outcome::Ended(result) => result.map(|()| slot.get().expect("the initializer has succeeded")),
        Outcome::Panicked(panic) => resume_unwind(panic),
        Outcome::Lost => panic!(
            "the runtime has dropped an initializer before it had ended; keep the runtime running while its tasks are \
             awaited"
        ),
    }
}

/// Runs an initializer to its end, and reports that.
///
/// What it yields becomes a result by `into_result`, and not by an `async` block around it: that would leak the value if
/// the destructor of the initializer's future panicked.
async fn run_as_task<H: Hold, E, I: Initializer>(
    claim: Claim<H>,
    init: I,
    into_result: fn(I::Output) -> Result<H::Value, E>,
    reporter: Reporter<E>,
) {
    let mut unstarted = Some((claim, init));
    let mut running = pin!(None);
    let outcome = poll_fn(|cx| {
        let polled = catch_unwind(AssertUnwindSafe(|| match unstarted.take() {
            Some((claim, init)) => Running::start(running.as_mut(), claim, || init.call(), cx, into_result),
            None => Running::poll(running.as_mut(), cx, into_result),
        }));
        match polled {
            Ok(polled) => polled.map(|result| Outcome::Ended(result.map(drop))),
            Err(panic) => {
                // Gone before anybody hears of it; a second panic has nobody to go to.
                swallow_panic(|| running.set(None));
                Poll::Ready(Outcome::Panicked(panic))
            }
        }
    });
    reporter.report(outcome.await);
}

/// How an initializer has ended.
enum Outcome<E> {
    /// The value is published, or it failed.
    Ended(Result<(), E>),
    Panicked(Box<dyn Any + Send>),
    /// It was dropped unfinished.
    Lost,
}

/// What an initializer tells the one that has started it. The mutex is for sharing what is only `Send`.
struct Report<E>(Slot<Mutex<Option<Outcome<E>>>, Intrusive>);

impl<E> Report<E> {
    fn new() -> Self {
        let report = Self(Slot::empty());
        // Has loom's atomic made before other threads see it.
        #[cfg(oncelot_loom)]
        assert!(!report.0.is_ready());
        report
    }

    /// Waits until it is made, and takes it.
    async fn taken<R: Runtime>(&self) -> Outcome<E> {
        let mut waiting = pin!(Waiting::untraced(&self.0, Interest::Value));
        let made = poll_fn(|cx| R::poll_within_budget(cx, |cx| waiting.as_mut().poll_value(cx))).await;
        let outcome = made.lock().unwrap_or_else(PoisonError::into_inner).take();
        outcome.expect("one has started it, and asks once")
    }
}

/// Makes the report, at the latest when it is dropped.
struct Reporter<E>(sync::Arc<Report<E>>);

impl<E> Reporter<E> {
    fn report(&self, outcome: Outcome<E>) {
        if let Ok(claim) = self.0.0.try_claim() {
            claim.publish(Mutex::new(Some(outcome)));
        }
    }
}

impl<E> Drop for Reporter<E> {
    fn drop(&mut self) {
        self.report(Outcome::Lost);
    }
}
