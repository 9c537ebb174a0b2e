//! The sizes that the documentation speaks of: a change is meant to be noticed.

// With `tracing`, a cell counts its attempts, and its futures keep their spans.
#![cfg(all(target_pointer_width = "64", not(feature = "tracing")))]

use std::{
    future::ready,
    mem::{size_of, size_of_val},
    pin::Pin,
    task::{Context, Poll},
};

use oncelot::{
    Insert, LocalOnceCell, OnceCell, Wait,
    backend::{Backend, Intrusive, IntrusiveWaiter, Local, LocalWaiter},
};

const WORD: usize = size_of::<usize>();

#[test]
fn a_cell_is_one_word_larger_than_its_value() {
    assert_eq!(size_of::<OnceCell<()>>(), WORD);
    assert_eq!(size_of::<OnceCell<u64>>(), WORD + 8);
    assert_eq!(size_of::<OnceCell<String>>(), WORD + size_of::<String>());
    assert_eq!(size_of::<OnceCell<[u64; 100]>>(), WORD + 800);
}

#[test]
fn a_cell_is_padded_to_its_alignment() {
    assert_eq!(size_of::<OnceCell<u8>>(), 2 * WORD);
    assert_eq!(size_of::<OnceCell<u128>>(), 32);
}

#[test]
fn a_backend_is_one_word() {
    assert_eq!(size_of::<Intrusive>(), WORD);
}

#[test]
fn a_waiter_is_four_words() {
    assert_eq!(size_of::<IntrusiveWaiter>(), 4 * WORD);
    assert_eq!(size_of::<<Intrusive as Backend>::Waiter>(), 4 * WORD);
}

#[test]
fn a_local_cell_and_its_waiters_are_as_large_as_those_of_threads() {
    assert_eq!(size_of::<Local>(), WORD);
    assert_eq!(size_of::<LocalOnceCell<u64>>(), WORD + 8);
    assert_eq!(size_of::<LocalWaiter>(), 4 * WORD);
    assert_eq!(size_of::<Wait<'_, u64, Local>>(), 5 * WORD);
}

#[test]
fn waiting_takes_the_waiter_and_a_reference() {
    assert_eq!(size_of::<Wait<'_, u64>>(), 5 * WORD);
}

#[test]
fn inserting_takes_the_value_beside() {
    assert_eq!(size_of::<Insert<'_, u64>>(), 5 * WORD + size_of::<Option<u64>>());
}

#[test]
fn an_initialization_takes_its_closure_beside() {
    let cell = OnceCell::new();
    let number = std::hint::black_box(1_u64);
    let init = move || ready(number);
    assert_eq!(size_of_val(&init), WORD);
    assert_eq!(size_of_val(&cell.get_or_init(init)), 7 * WORD);

    let cell = OnceCell::new();
    let try_init = move || ready(Ok::<_, u64>(number));
    assert_eq!(size_of_val(&try_init), WORD);
    assert_eq!(size_of_val(&cell.get_or_try_init(try_init)), 7 * WORD);
}

#[test]
fn an_initialization_keeps_its_future_where_it_waited() {
    let cell = OnceCell::<u64>::new();
    let future_of_five_words = || With::<5>::default();
    assert_eq!(size_of_val(&cell.get_or_init(future_of_five_words)), 7 * WORD);
}

#[test]
fn an_exclusive_initialization_has_nobody_to_wait_for() {
    let mut cell = OnceCell::<u64>::new();
    let future_of_one_word = || With::<1>::default();
    assert_eq!(size_of_val(&cell.get_mut_or_init(future_of_one_word)), 3 * WORD);
}

/// A future of so many words.
struct With<const WORDS: usize>([u64; WORDS]);

impl<const WORDS: usize> Default for With<WORDS> {
    fn default() -> Self {
        Self([0; WORDS])
    }
}

impl<const WORDS: usize> Future for With<WORDS> {
    type Output = u64;

    fn poll(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<u64> {
        Poll::Ready(self.0[0])
    }
}
