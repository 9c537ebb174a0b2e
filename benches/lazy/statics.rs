//! A static that has its value. It is computed once in a process, so only access can be measured.

use std::future::ready;
use std::hint::black_box;
use std::pin::pin;

use crate::common::meter::Cost;
use crate::common::scenarios::{look, poll, poll_ready};
use crate::common::tasks::VALUE;

oncelot::lazy! {
    static COMPUTED: u64 = ready(VALUE);
}

pub(crate) fn bytes_of_static_get() -> f64 {
    size_of_val(&COMPUTED.get()) as f64
}

pub(crate) fn try_get_static(calls: usize) -> Cost {
    assert!(poll(pin!(COMPUTED.get())).is_ready());
    let computed = black_box(&COMPUTED);
    look(calls, || computed.try_get())
}

pub(crate) fn get_static(calls: usize) -> Cost {
    assert!(poll(pin!(COMPUTED.get())).is_ready());
    let computed = black_box(&COMPUTED);
    poll_ready(calls, || computed.get())
}
