//! Sizes and allocations.

use std::{hint::black_box, pin::pin, task::Context};

use oncelot::Lazy;

use crate::{
    counting::ALLOCATIONS,
    util::{Event, Task},
};

#[test]
#[cfg(all(
    target_pointer_width = "64",
    not(any(feature = "deadlock-detection", feature = "tracing"))
))]
fn a_lazy_adds_one_or_two_words_to_the_larger_of_value_and_future() {
    assert_eq!(size_of::<Lazy<u64, [u64; 7]>>(), 56 + 2 * 8);
    assert_eq!(size_of::<Lazy<[u64; 7], u64>>(), 56 + 2 * 8);
    assert_eq!(size_of::<Lazy<u64, Box<u64>>>(), 8 + 2 * 8);
    // A `u32` leaves padding, and an `Option` has a niche.
    assert_eq!(size_of::<Lazy<u32, [u32; 1]>>(), 8 + 8);
    assert_eq!(size_of::<Lazy<u64, std::future::Ready<u64>>>(), 16 + 8);
}

#[test]
#[cfg(all(
    target_pointer_width = "64",
    feature = "alloc",
    not(any(feature = "deadlock-detection", feature = "tracing"))
))]
fn a_box_lazy_adds_one_or_two_words_to_the_larger_of_value_and_box() {
    use oncelot::BoxLazy;

    assert_eq!(size_of::<BoxLazy<'_, u64>>(), 2 * 8 + 2 * 8);
    // A `bool` has values to spare.
    assert_eq!(size_of::<BoxLazy<'_, ([u64; 3], bool)>>(), 4 * 8 + 8);
    assert_eq!(size_of::<BoxLazy<'_, [u64; 7]>>(), 56 + 2 * 8);
    assert_eq!(size_of_val(&BoxLazy::<u64>::with_value(1).get()), 5 * 8);
}

fn allocations_of(call: impl FnOnce()) -> usize {
    let before = ALLOCATIONS.get();
    call();
    ALLOCATIONS.get() - before
}

/// Gets the value with three waiters: one that is dropped after it has polled the future, one that then waits for the event, and
/// one that finds the value.
fn get_with_three_waiters<F: Future>(get: impl Fn() -> F, event: &Event, cx: &mut Context<'_>) {
    let mut waiter = pin!(get());
    {
        let mut driver = pin!(get());
        assert!(driver.as_mut().poll(cx).is_pending());
        assert!(waiter.as_mut().poll(cx).is_pending());
    }
    assert!(waiter.as_mut().poll(cx).is_pending());
    event.set_and_wake();
    assert!(waiter.as_mut().poll(cx).is_ready());
    assert!(pin!(get()).poll(cx).is_ready());
}

async fn large(event: &Event) -> [u64; 100] {
    event.wait().await;
    [7; 100]
}

#[test]
fn a_lazy_and_a_static_allocate_nothing() {
    static EVENT: Event = Event::new();
    oncelot::lazy! {
        static STATIC: [u64; 100] = large(&EVENT);
    }
    let (event, waker) = (Event::new(), Task::new().waker());
    let cx = &mut Context::from_waker(&waker);
    assert_eq!(
        allocations_of(|| drop(black_box(Box::new(1)))),
        1,
        "the allocator counts allocations"
    );

    let allocations = allocations_of(|| {
        let unfinished = pin!(Lazy::new(large(&event)));
        assert!(pin!(unfinished.as_ref().get()).poll(cx).is_pending());
        let lazy = pin!(Lazy::new(large(&event)));
        get_with_three_waiters(|| lazy.as_ref().get(), &event, cx);
        get_with_three_waiters(|| STATIC.get(), &EVENT, cx);
    });
    assert_eq!(allocations, 0);
}

#[test]
#[cfg(feature = "alloc")]
fn a_box_lazy_allocates_twice_and_its_waiters_nothing() {
    let (event, waker) = (Event::new(), Task::new().waker());
    let cx = &mut Context::from_waker(&waker);
    let allocations = allocations_of(|| {
        let lazy = oncelot::BoxLazy::boxed(large(&event));
        get_with_three_waiters(|| lazy.get(), &event, cx);
    });
    assert_eq!(allocations, 2);
}
