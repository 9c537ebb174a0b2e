//! The conformance suite on each backend of the crate. `examples/custom_backend` runs it on a backend from outside.

mod intrusive {
    oncelot::conformance_tests!(oncelot::backend::Intrusive);
}

mod local {
    oncelot::conformance_tests!(oncelot::backend::Local: !Sync);
}

/// That crate clones, wakes and replaces wakers under its own lock, and has a queue for each kind.
#[cfg(feature = "event-listener")]
mod event_listener {
    oncelot::conformance_tests!(
        oncelot::backend::EventListener,
        except [
            wakers_may_reenter_when_woken,
            wakers_may_reenter_when_cloned,
            wakers_may_settle_the_state_when_cloned,
            wakers_may_reenter_when_dropped,
            wakers_may_panic_when_woken,
            wakers_may_panic_when_cloned,
        ]
    );
}

/// The backend has one slot: a waiter that registers or cancels wakes the waiter in it.
#[cfg(feature = "atomic-waker")]
mod atomic_waker {
    oncelot::conformance_tests!(
        oncelot::backend::AtomicWaker,
        except [
            each_kind_is_woken_oldest_first,
            a_cancelled_waiter_leaves_the_others_in_order,
            registering_wakes_no_waiter,
            cancelling_wakes_no_waiter,
            failures_do_not_touch_passive_waiters,
        ]
    );
}

#[cfg(all(
    feature = "atomic-waker",
    feature = "event-listener",
    target_pointer_width = "64"
))]
#[cfg(not(any(
    feature = "critical-section",
    feature = "deadlock-detection",
    feature = "portable-atomic",
    feature = "tracing"
)))]
#[test]
fn cells_and_waiting_futures_have_the_sizes_in_the_guide() {
    use oncelot::{
        OnceCell, Wait,
        backend::{AtomicWaker, EventListener},
    };

    assert_eq!(size_of::<OnceCell<u64, EventListener>>(), 32);
    assert_eq!(size_of::<Wait<'_, u64, EventListener>>(), 24);
    assert_eq!(size_of::<OnceCell<u64, AtomicWaker>>(), 40);
    assert_eq!(size_of::<Wait<'_, u64, AtomicWaker>>(), 16);
}
