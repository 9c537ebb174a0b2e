//! The stages of a future that waits for a value or for the claim.

use core::{
    hint,
    pin::Pin,
    task::{Context, Poll, ready},
};

use pin_project_lite::pin_project;

use crate::{
    backend::WaiterKind,
    raw::wait::{HasRawCell, WaitFuture, polled_after_completion},
    raw::{Acquired, Claim, RawCell},
};

pin_project! {
    /// The stage of a future.
    ///
    /// `I` is what the future needs once it has the claim, and `W` is what it then works on.
    ///
    /// The stages are nested for the size of the future: the reference in `waiting` is never null, so that a null there
    /// is the tag of `NotWaiting`, which has room for a tag of its own.
    #[project = StageProj]
    #[project_replace = StageReplaced]
    pub(crate) enum Stage<'a, A: HasRawCell, I, W> {
        // A poll has found an initializer running, and has registered the waiter.
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
    /// The stages in which no waiter is registered.
    #[project = StepProj]
    #[project_replace = StepReplaced]
    pub(crate) enum Step<'a, A, I, W> {
        Unpolled {
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

pub(crate) enum Turn<'a, A: HasRawCell> {
    Value(&'a A::Value),
    Claim(Claim<&'a RawCell<A::Value, A::Backend>>),
    Work,
}

impl<'a, A: HasRawCell, I, W> Stage<'a, A, I, W> {
    const COMPLETED: () = ();

    #[inline(always)]
    pub(crate) fn unpolled(awaited: &'a A, input: I) -> Self {
        Self::NotWaiting {
            step: Step::Unpolled { awaited, input },
        }
    }

    #[inline(always)]
    pub(crate) fn completed() -> Self {
        Self::NotWaiting { step: Step::Completed }
    }

    #[inline(always)]
    fn is_unpolled(&self) -> bool {
        matches!(
            self,
            Self::NotWaiting {
                step: Step::Unpolled { .. },
            }
        )
    }

    #[inline(always)]
    pub(crate) fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Turn<'a, A>> {
        match &*self {
            Self::NotWaiting {
                step: Step::Unpolled { awaited, .. },
            } => {
                let awaited = *awaited;
                let raw = awaited.raw();
                let found = raw.get().map_or_else(|| Err(raw.try_claim()), Ok);
                // SAFETY: the stage was `Unpolled` above, and is borrowed exclusively since.
                unsafe { hint::assert_unchecked(self.is_unpolled()) };
                match found {
                    Ok(value) => {
                        self.step().set(Step::Completed);
                        Poll::Ready(Turn::Value(value))
                    }
                    Err(Ok(claim)) => Poll::Ready(Turn::Claim(claim)),
                    Err(Err(_)) => {
                        let input = self.as_mut().take_input();
                        self.set(Self::Waiting {
                            waiting: WaitFuture::new(awaited, WaiterKind::Claimant),
                            input,
                        });
                        if let StageProj::Waiting { waiting, .. } = self.as_mut().project() {
                            ready!(waiting.poll_wait(cx));
                        }
                        self.poll_again(cx)
                    }
                }
            }
            Self::Waiting { waiting, .. } => {
                if let Some(value) = waiting.awaited().raw().get() {
                    self.set(Self::completed());
                    return Poll::Ready(Turn::Value(value));
                }
                self.poll_again(cx)
            }
            Self::NotWaiting { .. } => Poll::Ready(Turn::Work),
        }
    }

    #[cold]
    #[inline(never)]
    fn poll_again(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Turn<'a, A>> {
        let StageProj::Waiting { waiting, .. } = self.as_mut().project() else { unreachable!() };
        let awaited = waiting.awaited();
        let acquired = ready!(waiting.poll_acquire(cx));
        let StageReplaced::Waiting { input, .. } = self.as_mut().project_replace(Self::completed()) else {
            unreachable!("the stage is `Waiting`")
        };
        Poll::Ready(match acquired {
            Acquired::Ready(value) => Turn::Value(value),
            Acquired::Claimed(claim) => {
                self.set(Self::unpolled(awaited, input));
                Turn::Claim(claim)
            }
        })
    }

    /// Completes the stage `Unpolled` and returns its closure.
    #[inline(always)]
    pub(crate) fn take_input(self: Pin<&mut Self>) -> I {
        match self.step().project_replace(Step::Completed) {
            StepReplaced::Unpolled { input, .. } => input,
            _ => unreachable!("the stage is `Unpolled`"),
        }
    }

    #[inline(always)]
    fn step(self: Pin<&mut Self>) -> Pin<&mut Step<'a, A, I, W>> {
        match self.project() {
            StageProj::NotWaiting { step } => step,
            StageProj::Waiting { .. } => unreachable!("no waiter is registered"),
        }
    }

    #[inline(always)]
    pub(crate) fn set_work(self: Pin<&mut Self>, work: W) -> Pin<&mut W> {
        let mut step = self.step();
        step.set(Step::Working { work });
        match step.project() {
            StepProj::Working { work } => work,
            _ => unreachable!("the closure was taken"),
        }
    }
    #[inline(always)]
    pub(crate) fn work(self: Pin<&mut Self>) -> Pin<&mut W> {
        match self.step().project() {
            StepProj::Working { work } => work,
            _ => polled_after_completion(),
        }
    }
}
