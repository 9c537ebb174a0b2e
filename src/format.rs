//! `defmt::Format` (feature `defmt`), with the output of `Debug`.
//!
//! The errors and the enums derive it where they are declared.

use defmt::{Format, Formatter, write};

use crate::{
    backend::{Backend, State},
    lazy::Lazy,
    once_cell::OnceCell,
    raw::wait::HasRawCell,
    static_lazy::StaticLazy,
};

/// A value, or the state of its cell if there is none.
struct Content<'a, T> {
    value: Option<&'a T>,
    state: State,
}

impl<T: Format> Format for Content<'_, T> {
    fn format(&self, f: Formatter<'_>) {
        match self.value {
            Some(value) => value.format(f),
            None if self.state == State::Uninit => write!(f, "<uninit>"),
            // If the state is READY, the cell became ready after the caller looked for the value.
            None => write!(f, "<initializing>"),
        }
    }
}

/// Shows the value, or `<uninit>` or `<initializing>` if there is none.
impl<T: Format, B: Backend> Format for OnceCell<T, B> {
    fn format(&self, f: Formatter<'_>) {
        let value = self.get();
        let state = self.state();
        write!(f, "OnceCell({})", Content { value, state });
    }
}

/// Shows the value. If there is none, shows `<initializing>` while a task drives the future, and `<uninit>` otherwise.
impl<T: Format, F, B: Backend> Format for Lazy<T, F, B> {
    fn format(&self, f: Formatter<'_>) {
        let value = self.try_get();
        let state = self.raw().backend().state();
        write!(f, "Lazy({})", Content { value, state });
    }
}

/// Shows the value. If there is none, shows `<initializing>` while the future is polled or pending, and `<uninit>` otherwise.
impl<T: Format> Format for StaticLazy<T> {
    fn format(&self, f: Formatter<'_>) {
        let value = self.try_get();
        let state = self.raw().backend().state();
        write!(f, "StaticLazy({})", Content { value, state });
    }
}
