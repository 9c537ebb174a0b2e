//! The atomic types, of `core` or of `portable-atomic`. A target that lacks what the crate needs gets one error message.
//!
//! | features | what the crate needs |
//! |---|---|
//! | neither of the two below | compare-and-swap in `core` |
//! | `critical-section` | atomic loads and stores in `core` |
//! | `portable-atomic` | compare-and-swap in that crate |
//! | both | atomic loads and stores in that crate |
//!
//! Where a type is missing, the rest of the crate is compiled with a stand-in, and so adds no errors to the
//! message.

#[cfg(all(
    not(feature = "portable-atomic"),
    target_has_atomic = "8",
    target_has_atomic = "ptr"
))]
pub(crate) use core::sync::atomic::{AtomicBool, AtomicPtr, AtomicU8};

#[cfg(all(
    not(feature = "portable-atomic"),
    not(all(target_has_atomic = "8", target_has_atomic = "ptr"))
))]
pub(crate) use self::without_compare_and_swap::*;

#[cfg(feature = "portable-atomic")]
pub(crate) use self::portable::*;

#[cfg(all(
    not(feature = "portable-atomic"),
    not(feature = "critical-section"),
    not(all(target_has_atomic = "8", target_has_atomic = "ptr"))
))]
mod without_compare_and_swap {
    compile_error!(
        "oncelot: this target has no compare-and-swap; enable the feature `critical-section` (and link an \
         implementation), or the feature `portable-atomic` (and one of its fallbacks)"
    );

    pub(crate) use super::stand_ins::{AtomicBool, AtomicPtr, AtomicU8};
}

/// Detects by name resolution whether the target has atomic loads and stores, because `cfg(target_has_atomic_load_store)` is
/// unstable. In a block, a glob import shadows the names of the module around the block. There, `AtomicPtr` is the type of
/// `core` if the target has one, and otherwise the stand-in.
#[cfg(all(
    not(feature = "portable-atomic"),
    feature = "critical-section",
    not(all(target_has_atomic = "8", target_has_atomic = "ptr"))
))]
mod without_compare_and_swap {
    pub(crate) type AtomicPtr<T> = <Target as Atomics>::Ptr<T>;
    pub(crate) type AtomicBool = <Target as Atomics>::Bool;
    pub(crate) type AtomicU8 = <Target as Atomics>::U8;

    pub(crate) trait Atomics {
        type Ptr<T>;
        type Bool;
        type U8;
    }

    pub(crate) struct Target;

    const _: () = assert!(
        size_of::<AtomicPtr<()>>() * size_of::<AtomicBool>() * size_of::<AtomicU8>() != 0,
        "oncelot: this target has no atomic loads and stores, which the feature `critical-section` needs; enable the \
         feature `portable-atomic` (and one of its fallbacks)"
    );

    mod lookup {
        #[allow(unused_imports, reason = "shadowed where the target has the type")]
        use super::super::stand_ins::{AtomicBool, AtomicPtr, AtomicU8};
        use super::{Atomics, Target};

        const _: () = {
            #[allow(unused_imports, reason = "a target may have none of the names")]
            use core::sync::atomic::*;

            impl Atomics for Target {
                type Ptr<T> = AtomicPtr<T>;
                type Bool = AtomicBool;
                type U8 = AtomicU8;
            }
        };
    }
}

#[cfg(feature = "portable-atomic")]
mod portable {
    portable_atomic::cfg_has_atomic_8! {
        #[cfg(feature = "critical-section")]
        pub(crate) use portable_atomic::{AtomicBool, AtomicPtr, AtomicU8};

        #[cfg(not(feature = "critical-section"))]
        portable_atomic::cfg_has_atomic_cas! {
            pub(crate) use portable_atomic::{AtomicBool, AtomicPtr, AtomicU8};
        }

        #[cfg(not(feature = "critical-section"))]
        portable_atomic::cfg_no_atomic_cas! {
            pub(crate) use super::stand_ins::{AtomicBool, AtomicPtr, AtomicU8};

            compile_error!(
                "oncelot: this target has no compare-and-swap, and no fallback of `portable-atomic` is enabled; enable \
                 one of that crate's own features (`critical-section`, `unsafe-assume-single-core`), or oncelot's \
                 feature `critical-section`"
            );
        }
    }

    portable_atomic::cfg_no_atomic_8! {
        pub(crate) use super::stand_ins::{AtomicBool, AtomicPtr, AtomicU8};

        compile_error!(
            "oncelot: this target has no atomic loads and stores, and no fallback of `portable-atomic` is enabled; enable \
             one of that crate's own features (`critical-section`, `unsafe-assume-single-core`)"
        );
    }
}

#[cfg(all(
    not(feature = "portable-atomic"),
    not(all(target_has_atomic = "8", target_has_atomic = "ptr"))
))]
#[path = "stand_ins.rs"]
mod stand_ins;

#[cfg(feature = "portable-atomic")]
portable_atomic::cfg_no_atomic_cas! {
    #[path = "stand_ins.rs"]
    mod stand_ins;
}
