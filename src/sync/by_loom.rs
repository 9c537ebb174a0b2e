//! loom's primitives, created on first use: loom's own constructors are not `const`, and those here are.

use std::sync::OnceLock;

#[cfg(feature = "alloc")]
pub(crate) use loom::sync::Arc;
pub(crate) use loom::sync::atomic::Ordering;
#[cfg(feature = "blocking")]
pub(super) use loom::{sync::Notify, thread};

/// Lets the holder of the list lock continue.
///
/// Waiting for the lock has no side effects, so every continuation is also reached by an execution in which this thread
/// arrives later. Exploring the wait as well would never end: two threads that wait can yield to each other forever.
pub(crate) fn back_off(_turn: u32) {
    loom::skip_branch();
    loom::thread::yield_now();
}

macro_rules! modelled_atomic {
    ($name:ident $(<$T:ident>)?, $value:ty) => {
        #[derive(Debug)]
        pub(crate) struct $name $(<$T>)? {
            initial: $value,
            modelled: OnceLock<loom::sync::atomic::$name $(<$T>)?>,
        }

        // SAFETY: the same as for `core`'s atomics: a pointer is only stored, never followed.
        unsafe impl $(<$T>)? Send for $name $(<$T>)? {}
        // SAFETY: as above.
        unsafe impl $(<$T>)? Sync for $name $(<$T>)? {}

        impl $(<$T>)? $name $(<$T>)? {
            pub(crate) const fn new(initial: $value) -> Self {
                Self {
                    initial,
                    modelled: OnceLock::new(),
                }
            }

            fn modelled(&self) -> &loom::sync::atomic::$name $(<$T>)? {
                (self.modelled).get_or_init(|| loom::sync::atomic::$name::new(self.initial))
            }

            pub(crate) fn load(&self, order: Ordering) -> $value {
                self.modelled().load(order)
            }

            #[allow(dead_code, reason = "not every type is stored")]
            pub(crate) fn store(&self, value: $value, order: Ordering) {
                self.modelled().store(value, order);
            }

            #[allow(dead_code, reason = "not every type is exchanged")]
            pub(crate) fn compare_exchange(
                &self,
                current: $value,
                new: $value,
                success: Ordering,
                failure: Ordering,
            ) -> Result<$value, $value> {
                (self.modelled()).compare_exchange(current, new, success, failure)
            }

            #[allow(dead_code, reason = "not every type is swapped")]
            pub(crate) fn swap(&self, value: $value, order: Ordering) -> $value {
                self.modelled().swap(value, order)
            }
        }

        impl $(<$T>)? Drop for $name $(<$T>)? {
            fn drop(&mut self) {
                if let Some(modelled) = self.modelled.get_mut() {
                    give_up(|| modelled.with_mut(|_| ()));
                }
            }
        }
    };
}

modelled_atomic!(AtomicPtr<T>, *mut T);

/// Loads a pointer that no other thread stores at the same time, which loom checks.
///
/// # Safety
///
/// Every store to the pointer happens before this load, or after it.
pub(crate) unsafe fn unsync_load<T>(pointer: &AtomicPtr<T>) -> *mut T {
    // SAFETY: as the caller guarantees.
    unsafe { pointer.modelled().unsync_load() }
}
modelled_atomic!(AtomicU8, u8);

/// A byte underneath, as loom's own `AtomicBool` cannot be borrowed exclusively.
#[cfg(feature = "atomic-waker")]
#[derive(Debug)]
pub(crate) struct AtomicBool(AtomicU8);

#[cfg(feature = "atomic-waker")]
impl AtomicBool {
    pub(crate) const fn new(initial: bool) -> Self {
        Self(AtomicU8::new(initial as u8))
    }

    pub(crate) fn store(&self, value: bool, order: Ordering) {
        self.0.store(value.into(), order);
    }

    pub(crate) fn swap(&self, value: bool, order: Ordering) -> bool {
        self.0.swap(value.into(), order) != 0
    }
}

/// The value is in `core`'s cell. loom checks accesses to a shadow of it for races.
#[derive(Debug)]
pub(crate) struct UnsafeCell<T> {
    value: core::cell::UnsafeCell<T>,
    shadow: OnceLock<loom::cell::UnsafeCell<()>>,
}

impl<T> UnsafeCell<T> {
    pub(crate) const fn new(value: T) -> Self {
        Self {
            value: core::cell::UnsafeCell::new(value),
            shadow: OnceLock::new(),
        }
    }

    fn shadow(&self) -> &loom::cell::UnsafeCell<()> {
        self.shadow.get_or_init(|| loom::cell::UnsafeCell::new(()))
    }

    #[track_caller]
    pub(crate) fn with<R>(&self, look: impl FnOnce(*const T) -> R) -> R {
        self.shadow().with(|_| look(self.value.get()))
    }

    #[track_caller]
    pub(crate) fn with_mut<R>(&self, change: impl FnOnce(*mut T) -> R) -> R {
        self.shadow().with_mut(|_| change(self.value.get()))
    }

    #[track_caller]
    pub(crate) fn get_mut(&mut self) -> &mut T {
        self.shadow().with_mut(|_| ());
        self.value.get_mut()
    }
}

impl<T> Drop for UnsafeCell<T> {
    fn drop(&mut self) {
        if let Some(shadow) = self.shadow.get() {
            give_up(|| shadow.with_mut(|_| ()));
        }
    }
}

/// The next owner of freed memory writes to it, so every access of another thread must happen before the free. The write to the
/// shadow makes loom check that, unless the model has failed already.
fn give_up(write: impl FnOnce()) {
    if !std::thread::panicking() {
        write();
    }
}
