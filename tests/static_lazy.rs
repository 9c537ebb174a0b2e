//! Tests of the documented behavior of `lazy!` and `StaticLazy`.

#[path = "util/counting.rs"]
mod counting;
mod util;

use std::{
    future::{poll_fn, ready},
    pin::{Pin, pin},
    sync::{
        Barrier, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Context, Poll},
    thread,
};

use counting::ALLOCATIONS;
use futures_lite::future::{block_on, yield_now};
use oncelot::{
    __private::{FutureStorage, size_of_future},
    StaticLazy, lazy,
};
use util::{Event, Op, Task, is_same, now, panic_of, poll, poll_with};

const POISONED: &str = "static is poisoned";

// The macro.

mod declared {
    oncelot::lazy! {
        /// Public, and documented.
        pub static PUBLIC: u32 = async { 1 };
        #[allow(dead_code, reason = "to see that attributes are the static's")]
        static UNUSED: String = async { String::new() };
        pub(crate) static INNER: Vec<&'static str> = async {
            let first = super::word().await;
            vec![first, "b"]
        };
        pub(super) static BY_A_FUNCTION: &'static str = super::word();
    }

    oncelot::lazy! {}
}

async fn word() -> &'static str {
    yield_now().await;
    "a"
}

#[test]
fn one_invocation_declares_several() {
    assert_eq!(now(declared::PUBLIC.get()), &1);
    assert_eq!(block_on(declared::INNER.get()), &["a", "b"]);
    assert_eq!(block_on(declared::BY_A_FUNCTION.get()), &"a");
}

/// The unsafe block of the macro belongs to this crate.
#[test]
fn crates_that_forbid_unsafe_code_can_declare_statics() {
    #![forbid(unsafe_code)]
    lazy! {
        static VALUE: u32 = ready(1);
    }
    assert_eq!(now(VALUE.get()), &1);
}

#[test]
fn a_static_in_a_function_will_do() {
    lazy! {
        static LOCAL: u32 = ready(1);
    }
    assert_eq!(now(LOCAL.get()), &1);
}

#[test]
fn the_value_is_computed_on_the_first_call_and_lives_forever() {
    static CALLS: AtomicUsize = AtomicUsize::new(0);
    lazy! {
        static VALUE: Vec<u32> = async { vec![7; 1 + CALLS.fetch_add(1, Ordering::SeqCst)] };
    }
    assert_eq!(VALUE.try_get(), None);
    drop(VALUE.get());
    assert_eq!(format!("{VALUE:?}"), "StaticLazy(<uninit>)");
    assert_eq!(CALLS.load(Ordering::SeqCst), 0);
    let value: &'static Vec<u32> = now(VALUE.get());
    assert!(is_same(value, now(VALUE.get())));
    assert!(is_same(value, VALUE.try_get().unwrap()));
    assert_eq!((value, CALLS.load(Ordering::SeqCst)), (&vec![7], 1));
    assert_eq!(format!("{VALUE:?}"), "StaticLazy([7])");
    assert_eq!(format!("{:?}", VALUE.get()), "GetStatic { .. }");
}

/// A byte with an alignment.
#[repr(align(64))]
struct Aligned(u8);

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

#[test]
fn the_future_is_dropped_as_soon_as_the_value_is_there() {
    static DROPS: AtomicUsize = AtomicUsize::new(0);
    static WAKES: AtomicUsize = AtomicUsize::new(0);
    static EVENT: Event = Event::new();
    struct OnDrop;
    impl Drop for OnDrop {
        fn drop(&mut self) {
            DROPS.fetch_add(1, Ordering::SeqCst);
        }
    }
    struct Future(#[allow(dead_code, reason = "for its drop")] OnDrop);
    impl std::future::Future for Future {
        type Output = u32;
        fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<u32> {
            EVENT.poll(cx).map(|()| 1)
        }
    }
    lazy! {
        static VALUE: u32 = Future(OnDrop);
    }
    let task = Task::on(Op::Wake, || {
        WAKES.store(1 + DROPS.load(Ordering::SeqCst), Ordering::SeqCst);
    });
    let (mut get, mut other) = (Box::pin(VALUE.get()), Box::pin(VALUE.get()));
    assert!(poll(&mut get).is_pending());
    EVENT.waker().wake();
    assert!(poll(&mut get).is_pending());
    assert!(poll_with(&mut other, &task.waker()).is_pending());
    assert_eq!(DROPS.load(Ordering::SeqCst), 0);
    EVENT.set_and_wake();
    assert_eq!(WAKES.load(Ordering::SeqCst), 1, "woken by the future");
    assert_eq!(poll(&mut get), Poll::Ready(&1));
    assert_eq!(DROPS.load(Ordering::SeqCst), 1);
}

#[test]
fn a_reference_to_a_static_is_awaited() {
    lazy! {
        static FIRST: u32 = async {
            yield_now().await;
            1
        };
        // A future whose output is a reference to the first value.
        static SECOND: &u32 = &FIRST;
    }

    async fn get<T: 'static>(value: impl IntoFuture<Output = &'static T>) -> &'static T {
        value.await
    }

    let second = block_on(async { *(&SECOND).await });
    assert_eq!(second, &1);
    assert!(is_same(second, block_on(get(&FIRST))));
    assert!(is_same(second, FIRST.try_get().unwrap()));
}

// Whose turn it is. `src/raw/phases.rs` decides it for a `BoxLazy` too: `tests/box_lazy.rs` has the other tests.

/// A program that deadlocks with a `OnceCell` or a `Lazy`.
#[test]
fn a_driver_that_is_held_and_no_longer_polled_blocks_no_waiter() {
    static EVENT: Event = Event::new();
    lazy! {
        static VALUE: u32 = async {
            EVENT.wait().await;
            1
        };
    }
    let mut held = Box::pin(VALUE.get());
    assert!(poll(&mut held).is_pending());
    let other = thread::spawn(|| block_on(VALUE.get()));
    EVENT.set_and_wake();
    assert_eq!(other.join().unwrap(), &1);
    assert_eq!(EVENT.polls(), 2);
    drop(held);
}

#[test]
fn wakers_may_be_kept_and_woken_later() {
    static EVENT: Event = Event::new();
    lazy! {
        static VALUE: u32 = async {
            EVENT.wait().await;
            1
        };
    }
    assert!(poll(&mut Box::pin(VALUE.get())).is_pending());
    let wakers = [EVENT.waker(), EVENT.waker().clone()];
    assert!(wakers[0].will_wake(&wakers[1]));
    for waker in &wakers {
        waker.wake_by_ref();
    }
    EVENT.set_and_wake();
    assert_eq!(now(VALUE.get()), &1);
    for waker in wakers {
        let clone = waker.clone();
        waker.wake_by_ref();
        waker.wake();
        clone.wake_by_ref();
    }
    assert_eq!(now(VALUE.get()), &1);
    assert_eq!(EVENT.polls(), 2);
}

#[test]
fn other_threads_may_wake() {
    static TICKS: AtomicUsize = AtomicUsize::new(0);
    const NEEDED: usize = if cfg!(miri) { 5 } else { 500 };
    lazy! {
        static VALUE: usize = poll_fn(|cx| {
            let ticks = TICKS.fetch_add(1, Ordering::SeqCst);
            if ticks == NEEDED {
                return Poll::Ready(ticks);
            }
            let waker = cx.waker().clone();
            thread::spawn(move || waker.wake());
            Poll::Pending
        });
    }
    let others = [(); 2].map(|()| thread::spawn(|| block_on(VALUE.get())));
    assert_eq!(block_on(VALUE.get()), &NEEDED);
    for other in others {
        assert_eq!(other.join().unwrap(), &NEEDED);
    }
}

#[test]
fn many_threads_compute_it_once() {
    static CALLS: AtomicUsize = AtomicUsize::new(0);
    lazy! {
        static VALUE: usize = async {
            for _ in 0..10 {
                yield_now().await;
            }
            CALLS.fetch_add(1, Ordering::SeqCst)
        };
    }
    let barrier = Barrier::new(8);
    thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                barrier.wait();
                let _ = poll(&mut Box::pin(VALUE.get()));
                assert_eq!(block_on(VALUE.get()), &0);
            });
        }
    });
    assert_eq!(CALLS.load(Ordering::SeqCst), 1);
}

// Panics.

#[test]
fn a_panic_in_a_poll_poisons() {
    static EVENT: Event = Event::new();
    lazy! {
        static VALUE: u32 = async {
            EVENT.wait().await;
            panic!("in the poll")
        };
    }
    let task = Task::new();
    let [mut get, mut other] = [Box::pin(VALUE.get()), Box::pin(VALUE.get())];
    assert!(poll(&mut get).is_pending());
    assert!(poll_with(&mut other, &task.waker()).is_pending());
    EVENT.set_and_wake();
    assert_eq!(task.wakes(), 1);
    assert_eq!(panic_of(|| poll(&mut get).is_ready()), "in the poll");
    assert!(panic_of(|| poll(&mut other).is_ready()).contains(POISONED));
    assert!(panic_of(|| now(VALUE.get())).contains(POISONED));
    assert_eq!(VALUE.try_get(), None);
    assert!(panic_of(|| poll(&mut get).is_ready()).contains("polled after"));
    EVENT.waker().wake();
    assert!(panic_of(|| now(VALUE.get())).contains(POISONED));
}

#[test]
fn a_panic_where_the_future_is_made_or_dropped_poisons() {
    static DROPS: AtomicUsize = AtomicUsize::new(0);
    struct ExplosiveDrop;
    impl Future for ExplosiveDrop {
        type Output = u32;
        fn poll(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<u32> {
            Poll::Ready(1)
        }
    }
    impl Drop for ExplosiveDrop {
        fn drop(&mut self) {
            DROPS.fetch_add(1, Ordering::SeqCst);
            panic!("in the destructor");
        }
    }
    fn unmakeable() -> std::future::Ready<u32> {
        panic!("in the making")
    }
    lazy! {
        static DROPPED: u32 = ExplosiveDrop;
        static MADE: u32 = unmakeable();
    }
    assert_eq!(panic_of(|| now(MADE.get())), "in the making");
    assert!(panic_of(|| now(MADE.get())).contains(POISONED));
    assert_eq!(panic_of(|| now(DROPPED.get())), "in the destructor");
    assert!(panic_of(|| now(DROPPED.get())).contains(POISONED));
    assert_eq!((DROPPED.try_get(), DROPS.load(Ordering::SeqCst)), (None, 1));
}

#[test]
fn a_poll_after_completion_panics() {
    lazy! {
        static VALUE: u32 = async { 1 };
    }
    for _ in 0..2 {
        let mut get = Box::pin(VALUE.get());
        assert!(poll(&mut get).is_ready());
        assert!(panic_of(|| poll(&mut get).is_ready()).contains("polled after completion"));
    }
}

#[test]
#[cfg(all(feature = "std", any(debug_assertions, feature = "deadlock-detection")))]
fn a_future_that_awaits_its_own_static_is_found() {
    fn own() -> util::BoxFuture<'static, u32> {
        Box::pin(async { *OWN.get().await })
    }
    lazy! {
        static OWN: u32 = own();
    }
    assert!(panic_of(|| now(OWN.get())).contains("deadlock"));
    lazy! {
        static BY_NAME: u32 = async { *BY_NAME.get().await };
    }
    assert!(panic_of(|| now(BY_NAME.get())).contains("deadlock"));
}

/// Not through the macro, with a place that is too small.
#[test]
fn a_place_that_is_too_small_is_refused() {
    static PLACE: FutureStorage<0, 1> = FutureStorage::new();
    // SAFETY: nothing else uses the place.
    let message = panic_of(|| unsafe { StaticLazy::<u64>::__new(&PLACE, || ready(1)) });
    assert!(message.contains("lazy!"), "{message}");
}

// Costs.

#[test]
fn nothing_allocates() {
    static EVENT: Event = Event::new();
    lazy! {
        static VALUE: [u64; 100] = async {
            yield_now().await;
            EVENT.wait().await;
            [7; 100]
        };
    }
    let task = Task::new();
    let waker = task.waker();
    let cx = &mut Context::from_waker(&waker);

    let before = ALLOCATIONS.get();
    drop(std::hint::black_box(Box::new(1)));
    assert_eq!(ALLOCATIONS.get() - before, 1, "the allocator counts");

    let before = ALLOCATIONS.get();
    {
        let [mut first, mut second] = [pin!(VALUE.get()), pin!(VALUE.get())];
        for _ in 0..2 {
            assert!(first.as_mut().poll(cx).is_pending());
            assert!(second.as_mut().poll(cx).is_pending());
        }
        EVENT.set_and_wake();
        assert!(second.as_mut().poll(cx).is_ready());
        assert!(first.as_mut().poll(cx).is_ready());
    }
    assert_eq!(ALLOCATIONS.get() - before, 0);
}
