//! Rules 6 to 8 of [`Backend`](crate::Backend), and what its methods promise beside the rules. A backend may
//! be excepted from these, one by one, if its documentation says so.

pub use self::{order::*, panics::*, quiet::*, reentrancy::*, tidy::*};

mod order;
mod panics;
mod quiet;
mod reentrancy;
mod tidy;
