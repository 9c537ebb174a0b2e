//! The stages of a future that waits for the value or for the claim.

use core::{
    hint,
    pin::Pin,
    task::{Context, Poll, ready},
};

use pin_project_lite::pin_project;

use crate::{
    backend::WaiterKind,
    raw::wait::{HasRawCell, WaitFuture, polled_after_completion},
    raw::{Claim, RawCell},
};

pin_project! {
    /// The stage of a future that waits for `A`, from its first poll to its completion.
    ///
    /// `I` is what the future needs to start its work once it has the claim, such as a closure. `W` is that work.
    ///
    /// A new future holds no waiter: most futures find a value in their first poll, and making a waiter for each of them
    /// costs more than moving `input` when a future really waits.
    ///
    /// The stages are nested because `Waiting` is the largest and has no room for a tag. The reference in `waiting` is
    /// never null, so null in its place stands for `NotWaiting`, which has a tag of its own inside.
    #[project = StageProj]
    #[project_replace = StageReplaced]
    pub(crate) enum Stage<'a, A: HasRawCell, I, W> {
        // A poll has registered the waiter.
        Waiting {
            #[pin]
            waiting: WaitFuture<'a, A>,
            input: I,
        },
        NotWaiting {
            #[pin]
            step: Step<'a, A, I, W>,
        },
    }
}

pin_project! {
    /// The stages of a future that has no waiter.
    #[project = StepProj]
    #[project_replace = StepReplaced]
    pub(crate) enum Step<'a, A, I, W> {
        // The future was not polled yet, or a poll has returned the claim.
        Unstarted {
            awaited: &'a A,
            input: I,
        },
        Working {
            #[pin]
            work: W,
        },
        Completed,
    }
}

/// The claim of what a future waits for.
pub(crate) type ClaimOf<'a, A> = Claim<&'a RawCell<<A as HasRawCell>::Value, <A as HasRawCell>::Backend>>;

impl<'a, A: HasRawCell, I, W> Stage<'a, A, I, W> {
    #[inline(always)]
    pub(crate) fn new(awaited: &'a A, input: I) -> Self {
        Self::NotWaiting {
            step: Step::Unstarted { awaited, input },
        }
    }

    #[inline(always)]
    fn is_unstarted(&self) -> bool {
        matches!(
            self,
            Self::NotWaiting {
                step: Step::Unstarted { .. },
            }
        )
    }

    /// Polls the future.
    ///
    /// If there is a value, the future completes with `ready`. If the claim is free, `start` gets it, and calls
    /// [`start`](Self::start) before anything else. Later polls are those of `resume`.
    ///
    /// Everything that a first poll does is inlined: each closure makes a type of its own, so most futures are polled in
    /// one place. The first thing that it does is to look for a value.
    #[inline(always)]
    pub(crate) fn poll<R>(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        ready: impl FnOnce(&'a A::Output) -> R,
        start: impl FnOnce(Pin<&mut Self>, ClaimOf<'a, A>, &mut Context<'_>) -> Poll<R>,
        resume: impl FnOnce(Pin<&mut Self>, &mut Context<'_>) -> Poll<R>,
    ) -> Poll<R> {
        let claim = match &*self {
            Self::NotWaiting {
                step: Step::Unstarted { awaited, .. },
            } => {
                let awaited = *awaited;
                let found = match awaited.get() {
                    Some(value) => Ok(value),
                    None => Err(awaited.raw().try_claim()),
                };
                // Compilers assume that an atomic operation changes any memory, and would look at the stage again for each
                // of its uses below, the drop of the future among them.
                // SAFETY: the stage was `Unstarted` above, and `self` is borrowed exclusively.
                unsafe { hint::assert_unchecked(self.is_unstarted()) };
                match found {
                    Ok(value) => {
                        self.complete();
                        return Poll::Ready(ready(value));
                    }
                    Err(Ok(claim)) => claim,
                    Err(Err(_)) => {
                        ready!(self.as_mut().wait(cx));
                        match ready!(self.as_mut().poll_again(cx, ready, resume)) {
                            Ok(result) => return Poll::Ready(result),
                            Err(claim) => claim,
                        }
                    }
                }
            }
            Self::Waiting { waiting, .. } => {
                if let Some(value) = waiting.awaited().get() {
                    self.complete();
                    return Poll::Ready(ready(value));
                }
                match ready!(self.as_mut().poll_again(cx, ready, resume)) {
                    Ok(result) => return Poll::Ready(result),
                    Err(claim) => claim,
                }
            }
            Self::NotWaiting { .. } => match ready!(self.as_mut().poll_again(cx, ready, resume)) {
                Ok(result) => return Poll::Ready(result),
                Err(claim) => claim,
            },
        };
        start(self, claim, cx)
    }

    #[cold]
    #[inline(never)]
    fn poll_again<R>(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        ready: impl FnOnce(&'a A::Output) -> R,
        resume: impl FnOnce(Pin<&mut Self>, &mut Context<'_>) -> Poll<R>,
    ) -> Poll<Result<R, ClaimOf<'a, A>>> {
        let StageProj::Waiting { waiting, .. } = self.as_mut().project() else {
            return resume(self, cx).map(Ok);
        };
        let found = ready!(waiting.poll_until(cx, |awaited| match awaited.get() {
            Some(value) => Some(Ok(value)),
            None => awaited.raw().try_claim().ok().map(Err),
        }));
        Poll::Ready(match found {
            Ok(value) => {
                self.complete();
                Ok(ready(value))
            }
            Err(claim) => {
                // If the drop of the waiter panics, the claim is released.
                self.stop_waiting();
                Err(claim)
            }
        })
    }

    /// Starts the work of a future that has the claim.
    #[inline]
    pub(crate) fn start(mut self: Pin<&mut Self>) -> (&'a A, I, Pin<&mut W>)
    where
        W: Default,
    {
        let (awaited, input) = self.as_mut().leave_unstarted();
        self.as_mut().step().set(Step::Working { work: W::default() });
        (awaited, input, self.work())
    }

    /// Returns the work.
    ///
    /// # Panics
    ///
    /// Panics if the future has completed.
    #[inline]
    pub(crate) fn work(self: Pin<&mut Self>) -> Pin<&mut W> {
        match self.step().project() {
            StepProj::Working { work } => work,
            _ => polled_after_completion(),
        }
    }

    #[inline]
    fn complete(mut self: Pin<&mut Self>) {
        self.set(Self::NotWaiting { step: Step::Completed });
    }

    /// Registers a waiter, or returns `Ready` if the state may have changed. The stage is `Waiting`.
    #[cfg_attr(not(debug_assertions), inline(always))]
    fn wait(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let (awaited, input) = self.as_mut().leave_unstarted();
        self.set(Self::Waiting {
            waiting: WaitFuture::new(awaited, WaiterKind::Claimant),
            input,
        });
        match self.project() {
            StageProj::Waiting { waiting, .. } => waiting.poll_wait(cx),
            StageProj::NotWaiting { .. } => unreachable!("the stage was set above"),
        }
    }

    /// Drops the waiter. The stage is `Unstarted`.
    #[inline]
    fn stop_waiting(mut self: Pin<&mut Self>) {
        if let StageProj::Waiting { waiting, .. } = self.as_mut().project() {
            let awaited = waiting.awaited();
            let completed = Self::NotWaiting { step: Step::Completed };
            if let StageReplaced::Waiting { input, .. } = self.as_mut().project_replace(completed) {
                self.set(Self::new(awaited, input));
            }
        }
    }

    #[inline]
    fn leave_unstarted(self: Pin<&mut Self>) -> (&'a A, I) {
        match self.step().project_replace(Step::Completed) {
            StepReplaced::Unstarted { awaited, input } => (awaited, input),
            _ => polled_after_completion(),
        }
    }

    #[inline]
    fn step(self: Pin<&mut Self>) -> Pin<&mut Step<'a, A, I, W>> {
        match self.project() {
            StageProj::NotWaiting { step } => step,
            StageProj::Waiting { .. } => unreachable!("the waiter was dropped"),
        }
    }
}
