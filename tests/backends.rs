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
