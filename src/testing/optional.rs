//! Rules 6 to 8 of [`Backend`](crate::Backend), and further guarantees of its methods. A backend may be excepted from single
//! properties if its documentation describes the exceptions.

pub use self::{order::*, panics::*, reentrancy::*, spurious_wakes::*, waker_leaks::*};

mod order;
mod panics;
mod reentrancy;
mod spurious_wakes;
mod waker_leaks;
