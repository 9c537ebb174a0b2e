//! The one switch between the primitives of `core`, `portable-atomic` and `loom`.
//!
//! Everything else in the crate is written against the names below, so that loom explores the code that
//! ships and not a copy of it.

#[cfg(not(oncelot_loom))]
pub(crate) use self::plain::*;

#[cfg(oncelot_loom)]
pub(crate) use self::modelled::*;

#[cfg(not(oncelot_loom))]
mod plain {
    pub(crate) use core::sync::atomic::Ordering;

    #[cfg(not(feature = "portable-atomic"))]
    pub(crate) use core::sync::atomic::{AtomicBool, AtomicPtr};

    #[cfg(feature = "portable-atomic")]
    pub(crate) use portable_atomic::{AtomicBool, AtomicPtr};

    #[cfg(all(feature = "std", not(feature = "critical-section")))]
    pub(crate) use std::thread::yield_now;

    #[cfg(not(any(feature = "std", feature = "critical-section")))]
    pub(crate) use core::hint::spin_loop as yield_now;

    /// `core`'s `UnsafeCell`, reached through closures as loom's is.
    #[derive(Debug)]
    #[repr(transparent)]
    pub(crate) struct UnsafeCell<T>(core::cell::UnsafeCell<T>);

    impl<T> UnsafeCell<T> {
        pub(crate) const fn new(value: T) -> Self {
            Self(core::cell::UnsafeCell::new(value))
        }

        #[inline(always)]
        pub(crate) fn with<R>(&self, look: impl FnOnce(*const T) -> R) -> R {
            look(self.0.get())
        }

        #[inline(always)]
        pub(crate) fn with_mut<R>(&self, change: impl FnOnce(*mut T) -> R) -> R {
            change(self.0.get())
        }

        #[inline(always)]
        pub(crate) fn get_mut(&mut self) -> &mut T {
            self.0.get_mut()
        }
    }
}

/// loom's primitives, made when they are first touched: loom's own constructors are not `const`, ours are.
#[cfg(oncelot_loom)]
mod modelled {
    use std::sync::OnceLock;

    pub(crate) use loom::{sync::atomic::Ordering, thread::yield_now};

    #[derive(Debug)]
    pub(crate) struct AtomicPtr<T> {
        initial: *mut T,
        modelled: OnceLock<loom::sync::atomic::AtomicPtr<T>>,
    }

    // SAFETY: the same as for `core`'s `AtomicPtr`: the pointer is only stored, never followed.
    unsafe impl<T> Send for AtomicPtr<T> {}
    // SAFETY: as above.
    unsafe impl<T> Sync for AtomicPtr<T> {}

    impl<T> AtomicPtr<T> {
        pub(crate) const fn new(initial: *mut T) -> Self {
            Self {
                initial,
                modelled: OnceLock::new(),
            }
        }

        fn modelled(&self) -> &loom::sync::atomic::AtomicPtr<T> {
            self.modelled
                .get_or_init(|| loom::sync::atomic::AtomicPtr::new(self.initial))
        }

        pub(crate) fn load(&self, order: Ordering) -> *mut T {
            self.modelled().load(order)
        }

        pub(crate) fn store(&self, value: *mut T, order: Ordering) {
            self.modelled().store(value, order);
        }

        pub(crate) fn compare_exchange(
            &self,
            current: *mut T,
            new: *mut T,
            success: Ordering,
            failure: Ordering,
        ) -> Result<*mut T, *mut T> {
            self.modelled().compare_exchange(current, new, success, failure)
        }
    }

    #[derive(Debug)]
    pub(crate) struct AtomicBool {
        initial: bool,
        modelled: OnceLock<loom::sync::atomic::AtomicBool>,
    }

    impl AtomicBool {
        pub(crate) const fn new(initial: bool) -> Self {
            Self {
                initial,
                modelled: OnceLock::new(),
            }
        }

        fn modelled(&self) -> &loom::sync::atomic::AtomicBool {
            self.modelled
                .get_or_init(|| loom::sync::atomic::AtomicBool::new(self.initial))
        }

        pub(crate) fn load(&self, order: Ordering) -> bool {
            self.modelled().load(order)
        }

        pub(crate) fn store(&self, value: bool, order: Ordering) {
            self.modelled().store(value, order);
        }
    }

    /// The value stands in `core`'s cell; loom watches a shadow of it for races.
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
}
