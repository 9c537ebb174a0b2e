//! What is special to the statics of `lazy!`: where their futures are stored.

use std::{
    future::ready,
    sync::{
        Mutex,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
};

use futures_lite::future::{block_on, yield_now};
use oncelot::{
    __private::{FutureStorage, size_of_future},
    StaticLazy, lazy,
};

use crate::util::{now, panic_of};

#[test]
fn big_futures_that_refer_to_themselves_are_stored_in_place() {
    async fn big() -> usize {
        let mut bytes = [1_u8; 10_000];
        let half = &mut bytes[..5_000];
        yield_now().await;
        half.fill(2);
        yield_now().await;
        bytes.iter().map(|byte| usize::from(*byte)).sum()
    }
    lazy! {
        static BIG: usize = big();
    }
    assert_eq!(block_on(BIG.get()), &15_000);
    // Beside the value. With `tracing`, a span and a count as well; with `deadlock-detection`, where it was declared.
    let words = match (cfg!(feature = "tracing"), cfg!(feature = "deadlock-detection")) {
        (false, false) => 7,
        (false, true) => 9,
        (true, false) => 20,
        (true, true) => 21,
    };
    assert_eq!(size_of_val(&BIG), (words + 1) * size_of::<usize>());
}

/// The expression sees the function of the macro that returns the future.
#[test]
fn the_future_is_stored_as_it_is() {
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

/// The future is where the program has nothing but zeros when it begins.
#[test]
#[cfg(all(target_os = "linux", target_env = "gnu", not(miri)))]
fn the_future_adds_nothing_to_the_stored_program() {
    unsafe extern "C" {
        #[link_name = "__bss_start"]
        static FIRST: u8;
        #[link_name = "_end"]
        static END: u8;
    }
    lazy! {
        static ADDRESS: usize = async {
            let here = [0_u8; 10_000];
            yield_now().await;
            here.as_ptr().addr()
        };
    }
    let zeros = (&raw const FIRST).addr()..(&raw const END).addr();
    assert!(zeros.contains(block_on(ADDRESS.get())));
}

#[test]
fn over_aligned_futures_are_stored_aligned() {
    static SEEN: Mutex<Vec<usize>> = Mutex::new(Vec::new());
    #[repr(align(64))]
    struct Aligned(u8);
    async fn aligned() -> u8 {
        let value = Aligned(7);
        let look = |value: &Aligned| SEEN.lock().unwrap().push(std::ptr::from_ref(value).addr());
        look(&value);
        yield_now().await;
        look(&value);
        value.0
    }
    lazy! {
        static ALIGNED: u8 = aligned();
        static OTHER: u8 = aligned();
    }
    assert_eq!((block_on(ALIGNED.get()), block_on(OTHER.get())), (&7, &7));
    let seen = SEEN.lock().unwrap();
    assert_eq!((seen[0], seen[2]), (seen[1], seen[3]), "it does not move");
    assert!(seen.iter().all(|address| address % 64 == 0));
}

/// Not through the macro, with a place that is too small.
#[test]
fn a_place_that_is_too_small_is_refused() {
    static PLACE: FutureStorage<0, 1> = FutureStorage::new();
    // SAFETY: nothing else uses the place.
    let message = panic_of(|| unsafe { StaticLazy::<u64>::__new(&PLACE, || ready(1)) });
    assert!(message.contains("lazy!"), "{message}");
}

#[test]
fn a_panic_where_the_future_is_made_poisons() {
    static CALLS: AtomicUsize = AtomicUsize::new(0);
    fn unmakeable() -> std::future::Ready<u32> {
        CALLS.fetch_add(1, SeqCst);
        panic!("in the making")
    }
    lazy! {
        static MADE: u32 = unmakeable();
    }
    assert_eq!(panic_of(|| now(MADE.get())), "in the making");
    assert!(panic_of(|| now(MADE.get())).contains("static is poisoned"));
    assert_eq!((MADE.try_get(), CALLS.load(SeqCst)), (None, 1));
}
