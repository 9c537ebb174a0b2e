//! Backends that wait through a crate that loom does not instrument.

use std::{
    future::pending,
    mem::ManuallyDrop,
    pin::{Pin, pin},
    sync::{Arc, OnceLock},
    task::{Context, Poll, RawWaker, RawWakerVTable, Waker},
};

use loom::sync::atomic::{AtomicU8, Ordering::AcqRel};

use super::support::{Claimed, Failed, Harness, ModelBackend, unwoken};
use crate::{
    OnceCell,
    backend::{Backend, State, WaiterKind},
};

/// A backend with a loom object next to `B`, accessed wherever `B` calls a crate that loom does not instrument.
///
/// loom switches threads only before its own operations, and tries two of them in both orders only if they access the
/// same object. A call of a foreign crate is one step with the operation before it: without the shadow, no thread
/// would run between a load of the state and the registration that follows. loom would also not know that a task
/// which registers after a wakeup sees what was done before it, which those crates guarantee. The shadow provides
/// both: it is accessed before a registration, and after a wakeup, in the same step.
///
/// If `WAKERS_SWITCH`, the shadow is also accessed when a waker is cloned, in the middle of a registration, and
/// threads may be switched before a waker is woken.
pub(crate) struct Shadowed<B, const WAKERS_SWITCH: bool> {
    backend: B,
    shadow: OnceLock<Arc<Shadow>>,
}

pub(crate) struct ShadowedWaiter<W> {
    waiter: W,
    /// The waker that it has, seen through.
    seen: Option<Arc<SeenWaker>>,
}

struct Shadow(AtomicU8);

impl Shadow {
    fn touch(&self) {
        self.0.fetch_add(1, AcqRel);
    }

    /// Does the same without a thread switch before it.
    fn touch_at_once(&self) {
        loom::stop_exploring();
        self.touch();
        loom::explore();
    }
}

impl<B, const WAKERS_SWITCH: bool> Shadowed<B, WAKERS_SWITCH> {
    const fn over(backend: B) -> Self {
        Self {
            backend,
            shadow: OnceLock::new(),
        }
    }

    fn shadow(&self) -> &Arc<Shadow> {
        self.shadow.get_or_init(|| Arc::new(Shadow(AtomicU8::new(0))))
    }

    /// Returns the backend's waiter, and a waker for it that loom sees.
    fn see<'a, W: Unpin>(
        &self,
        waiter: Pin<&'a mut ShadowedWaiter<W>>,
        cx: &Context<'_>,
    ) -> (Pin<&'a mut W>, Waker) {
        let ShadowedWaiter { waiter, seen } = waiter.get_mut();
        self.shadow().touch();
        if !(seen.as_ref()).is_some_and(|seen| seen.waker.will_wake(cx.waker())) {
            *seen = Some(Arc::new(SeenWaker {
                waker: cx.waker().clone(),
                shadow: self.shadow().clone(),
                switches: WAKERS_SWITCH,
            }));
        }
        let waker = seen.clone().expect("just made").into_waker();
        (Pin::new(waiter), waker)
    }
}

// SAFETY: it does what `B` does.
unsafe impl<B: Backend<Waiter: Unpin>, const WAKERS_SWITCH: bool> Backend for Shadowed<B, WAKERS_SWITCH> {
    const UNINIT: Self = Self::over(B::UNINIT);
    const READY: Self = Self::over(B::READY);

    type Waiter = ShadowedWaiter<B::Waiter>;

    fn waiter(kind: WaiterKind) -> Self::Waiter {
        ShadowedWaiter {
            waiter: B::waiter(kind),
            seen: None,
        }
    }

    fn state(&self) -> State {
        self.backend.state()
    }

    fn is_ready(&self) -> bool {
        self.backend.is_ready()
    }

    fn try_claim(&self) -> Result<(), State> {
        self.backend.try_claim()
    }

    unsafe fn publish(&self) {
        // SAFETY: the caller's promise.
        unsafe { self.backend.publish() };
        self.shadow().touch_at_once();
    }

    unsafe fn release(&self) {
        // SAFETY: the caller's promise.
        unsafe { self.backend.release() };
        self.shadow().touch_at_once();
    }

    unsafe fn poll_wait(&self, waiter: Pin<&mut Self::Waiter>, cx: &mut Context<'_>) -> Poll<()> {
        let (waiter, waker) = self.see(waiter, cx);
        // SAFETY: the caller's promise.
        unsafe { self.backend.poll_wait(waiter, &mut Context::from_waker(&waker)) }
    }

    unsafe fn poll_attempt(&self, waiter: Pin<&mut Self::Waiter>, cx: &mut Context<'_>) -> Poll<()> {
        let (waiter, waker) = self.see(waiter, cx);
        // SAFETY: the caller's promise.
        unsafe {
            self.backend
                .poll_attempt(waiter, &mut Context::from_waker(&waker))
        }
    }

    unsafe fn cancel(&self, waiter: Pin<&mut Self::Waiter>) {
        self.shadow().touch();
        // SAFETY: the caller's promise.
        unsafe { self.backend.cancel(Pin::new(&mut waiter.get_mut().waiter)) };
    }
}

impl<B, const WAKERS_SWITCH: bool> ModelBackend for Shadowed<B, WAKERS_SWITCH>
where
    B: Backend<Waiter: Unpin + Send> + Send + Sync + 'static,
{
    const WAKERS_SWITCH: bool = WAKERS_SWITCH;

    /// A passive waiter registers and cancels, and an initializer starts and ends.
    fn create_atomics(cell: &OnceCell<u32, Self>) {
        let mut initializing = pin!(cell.get_or_try_init(pending::<Result<u32, Failed>>));
        assert!(initializing.as_mut().poll(&mut unwoken()).is_pending());
        let mut waiting = pin!(cell.wait());
        assert!(waiting.as_mut().poll(&mut unwoken()).is_pending());
    }
}

/// A waker that accesses the shadow when it is cloned and woken.
struct SeenWaker {
    waker: Waker,
    shadow: Arc<Shadow>,
    switches: bool,
}

impl SeenWaker {
    fn wake(&self) {
        self.shadow.touch_at_once();
        if self.switches {
            self.waker.wake_by_ref();
        } else {
            loom::stop_exploring();
            self.waker.wake_by_ref();
            loom::explore();
        }
    }

    fn into_waker(self: Arc<Self>) -> Waker {
        // SAFETY: `VTABLE` keeps the contract: each waker is one count of the `Arc`.
        unsafe { Waker::from_raw(RawWaker::new(Arc::into_raw(self).cast(), &VTABLE)) }
    }

    /// # Safety
    ///
    /// `data` is that of a waker of this type, and is borrowed.
    unsafe fn borrow(data: *const ()) -> ManuallyDrop<Arc<Self>> {
        // SAFETY: it comes from `into_raw`, and the count stays with the waker.
        ManuallyDrop::new(unsafe { Arc::from_raw(data.cast()) })
    }
}

// One for all, so that clones are equal.
static VTABLE: RawWakerVTable = RawWakerVTable::new(
    |data| {
        // SAFETY: this is our table.
        let seen = unsafe { SeenWaker::borrow(data) };
        if seen.switches {
            seen.shadow.touch();
        }
        let clone = ManuallyDrop::new(Arc::clone(&seen).into_waker());
        RawWaker::new(clone.data(), clone.vtable())
    },
    |data| {
        // SAFETY: this is our table, and the waker is used up.
        let seen = ManuallyDrop::into_inner(unsafe { SeenWaker::borrow(data) });
        seen.wake();
    },
    |data| {
        // SAFETY: this is our table.
        let seen = unsafe { SeenWaker::borrow(data) };
        seen.wake();
    },
    |data| {
        // SAFETY: this is our table, and the waker is used up.
        drop(ManuallyDrop::into_inner(unsafe { SeenWaker::borrow(data) }));
    },
);

// Models of each of these backends.

impl<B: ModelBackend> Harness<B> {
    /// The attempt of `claim` fails; the next attempt may begin meanwhile, and a shared call that waits for it.
    pub(super) fn model_the_end_of_an_attempt_against_the_next(&'static self, claim: Claimed) {
        let later = claim.end_beside(Err(Failed), || {
            let next = self.try_claim()?;
            Some((next, self.waiting(self.get_or_init_shared(4))))
        });
        if let Some((next, mut late)) = later {
            assert!(late.poll().is_pending());
            next.end(Ok(1));
            assert_eq!(late.end(), Ok(1));
        }
    }

    /// The value is published while the time of a thread runs out, beside a task that waits.
    #[cfg(feature = "blocking")]
    pub(super) fn model_a_time_out_beside_a_task(&'static self) {
        let claim = self.claim();
        let task = self.waiting(self.cell.wait());
        let found = claim.end_beside(Ok(1), || self.wait_a_while());
        assert!(matches!(found, None | Some(1)));
        assert_eq!(*task.end(), 1);
    }
}
