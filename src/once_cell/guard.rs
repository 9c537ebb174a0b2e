//! [`InitGuard`]: the claim of a cell, for code outside this crate.

use core::fmt;

use crate::{
    backend::{Backend, Intrusive},
    raw::{Attempt, Claim, RawCell},
};

/// The right to initialize a [`OnceCell`](crate::OnceCell), and an attempt to do so.
///
/// [`OnceCell::try_claim`](crate::OnceCell::try_claim) and [`OnceCell::get_or_claim`](crate::OnceCell::get_or_claim) return
/// it. It is for an initialization that no single closure contains: a callback, an interrupt handler, a value that arrives
/// over a channel, a retry policy.
///
/// While a guard exists, the state of the cell is [`State::Initializing`](crate::State::Initializing), and the other tasks
/// wait. [`set`](Self::set) stores the value. Dropping the guard without a value ends the attempt as a failed initializer
/// does: the cell is empty again, and every waiter that can initialize is woken.
///
/// A guard can be sent to another thread, and completed there, if the cell can be shared between threads.
///
/// # Hazards
///
/// - **A task that holds a guard must not await the guard's cell**: the wait never completes. The task must not await
///   another task that awaits the cell, either.
/// - The waiters wait as long as the guard exists. A guard that is kept without being used blocks them.
/// - A guard that is forgotten, for example by [`mem::forget`](core::mem::forget), leaves the cell initializing.
///   [`OnceCell::take`](crate::OnceCell::take) recovers the cell.
///
/// # Interrupt handlers
///
/// With the default backend and the feature `critical-section`, an interrupt handler can claim a cell, and complete or drop
/// a guard. Without that feature, it must not: see [`Intrusive`](crate::Intrusive#interrupts-and-priorities).
///
/// # Costs
///
/// A guard is one pointer. Claiming the cell and setting the value cost what [`OnceCell::set`](crate::OnceCell::set) costs:
/// two compare-and-swaps with the default backend, and the wakes of the waiters. With the feature `tracing`, a guard is
/// larger, and the span of the attempt exists as long as the guard.
///
/// # Examples
///
/// A callback completes the cell:
///
/// ```
/// use oncelot::OnceCell;
///
/// # fn on_connected(callback: impl FnOnce(Result<u32, ()>) + Send + 'static) {
/// #     std::thread::spawn(|| callback(Ok(7)));
/// # }
/// static ADDRESS: OnceCell<u32> = OnceCell::new();
///
/// if let Ok(guard) = ADDRESS.try_claim() {
///     on_connected(|result| match result {
///         Ok(address) => {
///             guard.set(address);
///         }
///         // Another task can try again.
///         Err(()) => drop(guard),
///     });
/// }
/// # futures_lite::future::block_on(async {
/// assert_eq!(ADDRESS.wait().await, &7);
/// # });
/// ```
#[must_use = "dropping the guard releases the claim of the cell"]
pub struct InitGuard<'a, T, B: Backend = Intrusive> {
    attempt: Attempt<&'a RawCell<T, B>>,
}

impl<'a, T, B: Backend> InitGuard<'a, T, B> {
    pub(crate) fn new(claim: Claim<&'a RawCell<T, B>>) -> Self {
        Self {
            attempt: claim.begin(),
        }
    }

    /// Stores `value` in the cell, wakes every waiter, and returns a reference to the value.
    ///
    /// # Panics
    ///
    /// Panics if waking a waiter panics. The value is stored nevertheless, and every waiter is woken.
    ///
    /// # Examples
    ///
    /// ```
    /// let cell = oncelot::OnceCell::new();
    /// let guard = cell.try_claim().unwrap();
    /// assert_eq!(guard.set(1), &1);
    /// assert_eq!(cell.get(), Some(&1));
    /// ```
    pub fn set(self, value: T) -> &'a T {
        self.attempt.publish(value)
    }
}

impl<T, B: Backend> fmt::Debug for InitGuard<'_, T, B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("InitGuard").finish_non_exhaustive()
    }
}
