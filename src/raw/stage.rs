//! The stages of a future that waits for the value or for the claim.

use core::{
    hint,
    pin::Pin,
    task::{Context, Poll, ready},
};

use pin_project_lite::pin_project;

use crate::{
    backend::WaiterKind,
    raw::wait::{Acquired, ClaimOf, HasRawCell, WaitFuture, polled_after_completion},
};

pin_project! {
    /// The stage of a future that waits for the value of `A`, or works with its claim.
    ///
    /// `I` is the input of the work, such as a closure. `W` is the work, such as the future that the closure returns.
    ///
    /// A future has no waiter until it waits. Most futures find a value in their first poll, and creating a waiter for
    /// each of them would cost more than moving `input` in the other futures.
    ///
    /// The stages are nested because `Waiting` is the largest and has no room for a tag. The compiler marks `NotWaiting` by a
    /// value that a field of `waiting` cannot have, such as null in place of the reference. `NotWaiting` has a tag of its own.
    #[project = StageProj]
    #[project_replace = StageReplaced]
    pub(crate) enum Stage<'a, A: HasRawCell, I, W> {
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
    /// The stage of a future that has no waiter.
    #[project = StepProj]
    #[project_replace = StepReplaced]
    pub(crate) enum Step<'a, A, I, W> {
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

/// The stage of a future that completes with the value or the claim of `A`.
pub(crate) type AcquireStage<'a, A> = Stage<'a, A, (), ()>;

impl<'a, A: HasRawCell> AcquireStage<'a, A> {
    pub(crate) fn poll_acquire(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Acquired<'a, A>> {
        self.poll(
            cx,
            Acquired::Ready,
            |stage, claim, _| {
                stage.start();
                Poll::Ready(Acquired::Claimed(claim))
            },
            |_, _| polled_after_completion(),
        )
    }
}

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
    /// If there is a value, the future completes with `ready`. If the claim is free, `start` gets it, with the stage
    /// `Unstarted`, which [`start`](Self::start) ends. Later polls are those of `resume`.
    ///
    /// The common path of the first poll is inlined. Each closure creates a distinct type, so most futures are polled in one
    /// place.
    #[inline(always)]
    pub(crate) fn poll<R>(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        ready: impl FnOnce(&'a A::Output) -> R,
        start: impl FnOnce(Pin<&mut Self>, ClaimOf<'a, A>, &mut Context<'_>) -> Poll<R>,
        resume: impl FnOnce(Pin<&mut Self>, &mut Context<'_>) -> Poll<R>,
    ) -> Poll<R> {
        let claim = 'claim: {
            match &*self {
                Self::NotWaiting {
                    step: Step::Unstarted { awaited, .. },
                } => {
                    let awaited = *awaited;
                    let acquired = awaited.acquire();
                    // The compiler assumes that the atomic operations above may have changed any memory. Without this hint, it
                    // would check the stage again for each use of it below, including the drop of the future.
                    // SAFETY: the stage was `Unstarted` above. `self` is borrowed exclusively, and what other threads write in the
                    // waiter is no place for the tag (rule 4 of `Backend`).
                    unsafe { hint::assert_unchecked(self.is_unstarted()) };
                    match acquired {
                        Some(Acquired::Ready(value)) => {
                            self.complete();
                            return Poll::Ready(ready(value));
                        }
                        Some(Acquired::Claimed(claim)) => break 'claim claim,
                        None => ready!(self.as_mut().wait(cx)),
                    }
                }
                Self::Waiting { waiting, .. } => {
                    let found = waiting.awaited().get();
                    // SAFETY: the stage was `Waiting` above, for the reason above.
                    unsafe { hint::assert_unchecked(self.is_waiting()) };
                    if let Some(value) = found {
                        self.complete();
                        return Poll::Ready(ready(value));
                    }
                }
                Self::NotWaiting { .. } => {}
            }
            match ready!(self.as_mut().poll_again(cx, ready, resume)) {
                Ok(result) => return Poll::Ready(result),
                Err(claim) => claim,
            }
        };
        start(self, claim, cx)
    }

    /// Polls a future that was polled before. The error is the claim that it has waited for.
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
        Poll::Ready(match ready!(waiting.poll_acquire(cx)) {
            Acquired::Ready(value) => {
                self.complete();
                Ok(ready(value))
            }
            Acquired::Claimed(claim) => {
                // If the drop of the waiter panics, the claim is released.
                self.stop_waiting();
                Err(claim)
            }
        })
    }

    /// Polls a future that waits for one attempt at most. `poll` looks for a value or the claim, until it leaves the waiter
    /// registered in an attempt. Later polls complete the future when that attempt has ended, and `ended` converts the value, or
    /// `None` if there is none.
    ///
    /// `is_registered` is a field of the future, and is `false` before the first poll.
    #[inline(always)]
    pub(crate) fn poll_within_attempt<R>(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        is_registered: &mut bool,
        poll: impl FnOnce(Pin<&mut Self>, &mut Context<'_>) -> Poll<R>,
        ended: impl FnOnce(Option<&'a A::Output>) -> R,
    ) -> Poll<R> {
        // If the subscriber panics when the event is emitted, the poll has registered the waiter, and does not return.
        if *is_registered || self.is_event_emitted() {
            return self.poll_attempt(cx).map(ended);
        }
        let polled = poll(self.as_mut(), cx);
        *is_registered = polled.is_pending() && self.is_waiting();
        polled
    }

    /// Polls a future whose waiter is registered. Completes it when the attempt has ended in which the waiter was registered,
    /// with the value or `None`.
    fn poll_attempt(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<&'a A::Output>> {
        let StageProj::Waiting { waiting, .. } = self.as_mut().project() else {
            polled_after_completion()
        };
        let value = ready!(waiting.poll_attempt(cx));
        self.complete();
        Poll::Ready(value)
    }

    #[inline]
    fn is_waiting(&self) -> bool {
        matches!(self, Self::Waiting { .. })
    }

    /// Returns whether the future waits, and has emitted its event: see [`WaitFuture::is_event_emitted`].
    #[inline(always)]
    fn is_event_emitted(&self) -> bool {
        matches!(self, Self::Waiting { waiting, .. } if waiting.is_event_emitted())
    }

    /// Changes the stage from `Unstarted` to `Working`.
    #[inline]
    pub(crate) fn start(mut self: Pin<&mut Self>) -> (&'a A, I, Pin<&mut W>)
    where
        W: Default,
    {
        let (awaited, input) = self.as_mut().take_input();
        self.as_mut().step().set(Step::Working { work: W::default() });
        (awaited, input, self.work())
    }

    /// Returns the work.
    ///
    /// # Panics
    ///
    /// Panics if the stage is not `Working`.
    #[inline]
    pub(crate) fn work(self: Pin<&mut Self>) -> Pin<&mut W> {
        match self.step().project() {
            StepProj::Working { work } => work,
            _ => polled_after_completion(),
        }
    }

    /// Drops what is left, and changes the stage to `Completed`.
    #[inline]
    fn complete(mut self: Pin<&mut Self>) {
        self.set(Self::NotWaiting {
            step: Step::Completed,
        });
    }

    /// Changes the stage from `Unstarted` to `Waiting`, and registers the waiter, or returns `Ready` if the state may have
    /// changed.
    // Not inlined in builds without optimizations, where each variable of an inlined function enlarges the caller's frame.
    #[cfg_attr(not(debug_assertions), inline(always))]
    fn wait(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let (awaited, input) = self.as_mut().take_input();
        self.set(Self::Waiting {
            waiting: WaitFuture::new(awaited, WaiterKind::Claimant),
            input,
        });
        match self.project() {
            StageProj::Waiting { waiting, .. } => waiting.poll_wait(cx),
            StageProj::NotWaiting { .. } => unreachable!("the stage was set above"),
        }
    }

    /// Drops the waiter, and changes the stage from `Waiting` to `Unstarted`.
    #[inline]
    fn stop_waiting(mut self: Pin<&mut Self>) {
        if let StageProj::Waiting { waiting, .. } = self.as_mut().project() {
            let awaited = waiting.awaited();
            let completed = Self::NotWaiting {
                step: Step::Completed,
            };
            if let StageReplaced::Waiting { input, .. } = self.as_mut().project_replace(completed) {
                self.set(Self::new(awaited, input));
            }
        }
    }

    /// Changes the stage from `Unstarted` to `Completed`, and returns what the former had.
    #[inline]
    fn take_input(self: Pin<&mut Self>) -> (&'a A, I) {
        match self.step().project_replace(Step::Completed) {
            StepReplaced::Unstarted { awaited, input } => (awaited, input),
            _ => unreachable!("a future starts once"),
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
