//! Calls that make or wait for one attempt: `get_or_try_init_shared` and `wait_attempt`.

use std::{error::Error, io, num::ParseIntError, task::Poll};

use oncelot::{OnceCell, SharedInitError};

use crate::util::{Op, Task, panic_of, poll, poll_with};

/// The panic leaves the waiter as it was: unregistered, or registered for the attempt.
#[test]
fn a_call_whose_waker_panics_when_cloned_waits_for_its_attempt() {
    for (polls_before, polls_after) in [(0, 1), (1, 0), (1, 1)] {
        let cell = OnceCell::new();
        let guard = cell.try_claim();
        let mut shared = Box::pin(cell.get_or_try_init_shared(async || Ok::<_, ()>(2)));
        let mut wait = Box::pin(cell.wait_attempt());
        for _ in 0..polls_before {
            assert!(poll(&mut shared).is_pending() && poll(&mut wait).is_pending());
        }
        let task = Task::panicking_on(Op::Clone, "when cloned");
        let polled = panic_of(|| poll_with(&mut shared, &task.waker()).is_ready());
        assert_eq!(polled, "when cloned");
        let polled = panic_of(|| poll_with(&mut wait, &task.waker()).is_ready());
        assert_eq!(polled, "when cloned");
        for _ in 0..polls_after {
            assert!(poll(&mut shared).is_pending() && poll(&mut wait).is_pending());
        }
        drop(guard);
        let _next = cell.try_claim();
        assert_eq!(poll(&mut shared), Poll::Ready(Err(SharedInitError::OtherFailed)));
        assert_eq!(poll(&mut wait), Poll::Ready(None));
    }
}

#[test]
fn a_shared_error_has_the_error_of_the_initializer_as_its_source() {
    let failed = SharedInitError::from(io::Error::other("no route"));
    assert_eq!(
        failed.source().map(ToString::to_string),
        Some("no route".to_owned())
    );
    assert_eq!(failed.to_string(), "the initializer failed");
    let other = SharedInitError::<io::Error>::OtherFailed;
    assert!(other.source().is_none());
    assert_eq!(
        other.to_string(),
        "the initializer of another caller ended without a value; call the method again to retry"
    );
}

#[test]
fn the_question_mark_converts_errors_of_the_caller() {
    fn parse(text: &str) -> Result<u32, SharedInitError<ParseIntError>> {
        Ok(text.parse()?)
    }
    assert_eq!(parse("1"), Ok(1));
    assert!(matches!(parse("one"), Err(SharedInitError::Failed(_))));
}
