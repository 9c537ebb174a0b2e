//! The sizes that the documentation names.

// With `tracing`, a cell counts its attempts, and its futures keep their spans. With `deadlock-detection`, futures keep where
// their initializers began.
#![cfg(all(
    target_pointer_width = "64",
    not(any(feature = "deadlock-detection", feature = "tracing"))
))]

use std::{
    future::{Ready, poll_fn, ready},
    mem::{size_of, size_of_val},
    task::Poll,
};

use oncelot::{
    GetLazy, GetOrClaim, GetStatic, InitGuard, Insert, LocalOnceCell, OnceCell, Wait, WaitAttempt,
    backend::{Backend, Intrusive, IntrusiveWaiter, Local, LocalWaiter},
};

const WORD: usize = size_of::<usize>();

#[test]
fn a_cell_is_one_word_larger_than_its_value_and_padded_to_its_alignment() {
    assert_eq!(size_of::<Intrusive>(), WORD);
    assert_eq!(size_of::<OnceCell<()>>(), WORD);
    assert_eq!(size_of::<OnceCell<u64>>(), WORD + 8);
    assert_eq!(size_of::<OnceCell<String>>(), WORD + size_of::<String>());
    assert_eq!(size_of::<OnceCell<[u64; 100]>>(), WORD + 800);
    assert_eq!(size_of::<OnceCell<u8>>(), 2 * WORD);
    assert_eq!(size_of::<OnceCell<u128>>(), 32);
}

#[test]
fn waiting_takes_a_waiter_of_four_words_and_a_reference() {
    assert_eq!(size_of::<IntrusiveWaiter>(), 4 * WORD);
    assert_eq!(size_of::<<Intrusive as Backend>::Waiter>(), 4 * WORD);
    assert_eq!(size_of::<Wait<'_, u64>>(), 5 * WORD);
    assert_eq!(size_of::<GetLazy<'_, u64, Ready<u64>>>(), 5 * WORD);
    assert_eq!(size_of::<GetStatic<u64>>(), 5 * WORD);
    assert_eq!(size_of::<Insert<'_, u64>>(), 5 * WORD + size_of::<Option<u64>>());
}

#[test]
fn a_local_cell_and_its_waiters_have_the_default_sizes() {
    assert_eq!(size_of::<Local>(), WORD);
    assert_eq!(size_of::<LocalOnceCell<u64>>(), WORD + 8);
    assert_eq!(size_of::<LocalWaiter>(), 4 * WORD);
    assert_eq!(size_of::<Wait<'_, u64, Local>>(), 5 * WORD);
}

/// A reference is never null, and a number has no value to spare: the future must not depend on either.
#[test]
fn an_initialization_future_adds_its_closure() {
    let cell = OnceCell::new();
    let number = std::hint::black_box(1_u64);
    let init = move || ready(number);
    assert_eq!(size_of_val(&init), WORD);
    assert_eq!(size_of_val(&cell.get_or_init(init)), 6 * WORD);

    let cell = OnceCell::new();
    let init_by_reference = || ready(number);
    assert_eq!(size_of_val(&init_by_reference), WORD);
    assert_eq!(size_of_val(&cell.get_or_init(init_by_reference)), 6 * WORD);

    let cell = OnceCell::new();
    let try_init = move || ready(Ok::<_, u64>(number));
    assert_eq!(size_of_val(&try_init), WORD);
    assert_eq!(size_of_val(&cell.get_or_try_init(try_init)), 6 * WORD);

    let cell = OnceCell::new();
    assert_eq!(size_of_val(&cell.get_or_init(|| ready(1_u64))), 5 * WORD);
}

/// A future of so many words, each of which can have any value.
fn future_of<const WORDS: usize>() -> impl Future<Output = u64> {
    let words = [0; WORDS];
    poll_fn(move |_| Poll::Ready(words[0]))
}

#[test]
fn an_initialization_keeps_its_future_where_it_waited() {
    let cell = OnceCell::new();
    assert_eq!(size_of_val(&cell.get_or_init(future_of::<3>)), 6 * WORD);
    let cell = OnceCell::new();
    assert_eq!(size_of_val(&cell.get_or_init(future_of::<9>)), 11 * WORD);
}

#[test]
fn an_exclusive_initialization_waits_for_no_task() {
    let mut cell = OnceCell::new();
    assert_eq!(size_of_val(&cell.get_mut_or_init(future_of::<1>)), 3 * WORD);
}

#[test]
fn a_guard_is_a_reference_and_a_claiming_future_adds_the_waiter() {
    assert_eq!(size_of::<InitGuard<'_, u64>>(), WORD);
    assert_eq!(size_of::<Option<InitGuard<'_, u64>>>(), WORD);
    assert_eq!(size_of::<GetOrClaim<'_, u64>>(), 5 * WORD);
}

#[test]
fn a_call_of_one_attempt_takes_a_word_more() {
    assert_eq!(size_of::<WaitAttempt<'_, u64>>(), 6 * WORD);
    assert_eq!(size_of::<WaitAttempt<'_, u64, Local>>(), 6 * WORD);
    let cell = OnceCell::new();
    let number = std::hint::black_box(1_u64);
    let init = move || ready(Ok::<_, u64>(number));
    let retried = size_of_val(&cell.get_or_try_init(init));
    assert_eq!(size_of_val(&cell.get_or_try_init_shared(init)), retried + WORD);
}
