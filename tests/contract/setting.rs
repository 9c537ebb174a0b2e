//! `set` and `try_insert` never wait, and lose no value.

use oncelot::{OnceCell, SetError};

use crate::util::{Drops, start};

#[test]
fn set_while_initializing_hands_the_value_back() {
    let cell = OnceCell::new();
    let (_gate, _running) = start(&cell);
    assert_eq!(cell.set(2), Err(SetError::InitializingError(2)));
}

#[test]
fn try_insert_while_initializing_hands_the_value_back() {
    let cell = OnceCell::new();
    let (_gate, _running) = start(&cell);
    assert_eq!(cell.try_insert(2), Err(SetError::InitializingError(2)));
}

#[test]
fn set_of_a_ready_cell_hands_the_value_back() {
    let cell = OnceCell::from(1);
    assert_eq!(cell.set(2), Err(SetError::AlreadyInitializedError(2)));
    assert_eq!(cell.get(), Some(&1));
}

#[test]
fn try_insert_of_a_ready_cell_hands_the_value_back() {
    let cell = OnceCell::from(1);
    assert_eq!(cell.try_insert(2), Err(SetError::AlreadyInitializedError(2)));
    assert_eq!(cell.get(), Some(&1));
}

#[test]
fn a_value_that_is_returned_is_not_dropped() {
    let cell = OnceCell::new();
    let drops = Drops::new();
    let (_gate, _running) = start(&cell);
    let error = cell.set(drops.counted()).unwrap_err();
    assert_eq!(drops.count(), 0);
    assert_eq!(error.into_inner().look(), 7);
    assert_eq!(drops.count(), 1);
}
