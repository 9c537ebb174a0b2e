//! What only the statics of `lazy!` have: a storage for the future, and a function that creates the future.

use std::{
    future::ready,
    ptr,
    sync::atomic::{AtomicUsize, Ordering::SeqCst},
};

use futures_lite::future::{block_on, yield_now};
use oncelot::{
    __private::{FutureStorage, size_of_future},
    StaticLazy, lazy,
};

use crate::util::{now, panic_of};

#[test]
fn a_big_and_aligned_future_that_refers_to_itself_is_stored_in_place() {
    #[repr(align(64))]
    struct Aligned([u8; 10_000]);

    /// Returns the sum of the bytes, and their address before and after the future was suspended.
    async fn big() -> [usize; 3] {
        let mut bytes = Aligned([1; 10_000]);
        let before = ptr::from_ref(&bytes).addr();
        let half = &mut bytes.0[..5_000];
        yield_now().await;
        half.fill(2);
        yield_now().await;
        let sum = bytes.0.iter().map(|byte| usize::from(*byte)).sum();
        [sum, before, ptr::from_ref(&bytes).addr()]
    }

    lazy! {
        static FIRST: [usize; 3] = big();
        static SECOND: [usize; 3] = big();
    }
    for lazy in [&FIRST, &SECOND] {
        let [sum, before, after] = *block_on(lazy.get());
        assert_eq!((sum, before), (15_000, after));
        assert_eq!(before % 64, 0);
        #[cfg(all(target_os = "linux", target_env = "gnu", not(miri)))]
        assert!(bss().contains(&before));
    }
    // The words besides the value. The features `tracing` and `deadlock-detection` add to them.
    let words = match (cfg!(feature = "tracing"), cfg!(feature = "deadlock-detection")) {
        (false, false) => 7,
        (false, true) => 9,
        (true, false) => 20,
        (true, true) => 21,
    };
    assert_eq!(size_of_val(&FIRST), (words + 3) * size_of::<usize>());
}

/// Returns the addresses of `.bss`, whose zeros add nothing to the size of the program's file.
#[cfg(all(target_os = "linux", target_env = "gnu", not(miri)))]
fn bss() -> std::ops::Range<usize> {
    unsafe extern "C" {
        #[link_name = "__bss_start"]
        static FIRST: u8;
        #[link_name = "_end"]
        static END: u8;
    }
    (&raw const FIRST).addr()..(&raw const END).addr()
}

/// `__oncelot_lazy_init` is the function of the macro that returns the future. The expressions can name it.
#[test]
fn the_macro_adds_nothing_to_the_size_of_the_future() {
    lazy! {
        static CALL: usize = ready(size_of_future(__oncelot_lazy_init));
        static BLOCK: usize = async {
            let words = [0_usize; 100];
            yield_now().await;
            size_of_future(__oncelot_lazy_init) + words[0]
        };
    }
    async fn by_hand() -> usize {
        let words = [0_usize; 100];
        yield_now().await;
        words[0]
    }
    assert_eq!(now(CALL.get()), &size_of_future(|| ready(0_usize)));
    assert_eq!(block_on(BLOCK.get()), &size_of_future(by_hand));
}

/// The macro always declares a storage of the right size.
#[test]
fn a_storage_that_is_too_small_is_rejected() {
    static STORAGE: FutureStorage<0, 1> = FutureStorage::new();
    // SAFETY: no other code uses the storage.
    let message = panic_of(|| unsafe { StaticLazy::<u64>::__new(&STORAGE, || ready(1)) });
    assert!(message.contains("lazy!"), "{message}");
}

#[test]
fn a_panic_of_the_function_that_creates_the_future_poisons() {
    static CALLS: AtomicUsize = AtomicUsize::new(0);
    fn unmakeable() -> std::future::Ready<u32> {
        CALLS.fetch_add(1, SeqCst);
        panic!("in the function")
    }
    lazy! {
        static MADE: u32 = unmakeable();
    }
    assert_eq!(panic_of(|| now(MADE.get())), "in the function");
    assert!(panic_of(|| now(MADE.get())).contains("static is poisoned"));
    assert_eq!((MADE.try_get(), CALLS.load(SeqCst)), (None, 1));
}
