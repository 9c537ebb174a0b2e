# Models of the concurrent code.

ordinary loom
long nightly-loom

# A part of the models, each of which ends within a minute. `nightly-loom` runs all models.
stage_loom() {
    .ci/loom \
        box_lazy:: \
        blocking::a_thread_and_a_task_wait_for_one_value \
        publish::two_waiters_register_against_a_publication \
        lazy::a_wake_that_polls_against_a_driver \
        lazy::two_drivers_of_a_future_that_sleeps \
        lazy::a_wake_against_a_newcomer \
        blocking::a_thread_whose_time_runs_out_against_a_failure \
        publish::wait_gets_what_is_set \
        wake::the_newest_waker_is_woken_by_a_failure \
        spawned::the_caller_learns_that_the_task_is_lost_and_a_waiter_takes_over \
        spawned::the_caller_gets_the_panic_and_a_waiter_takes_over \
        spawned::the_caller_gets_the_error_of_blocking_work_and_a_waiter_takes_over \
        spawned::the_caller_gets_the_error_and_a_waiter_takes_over \
        wake::the_newest_waker_of_a_passive_waiter_is_woken \
        drain::a_drain_inside_a_drain_takes_its_marker \
        publish::who_sees_ready_sees_the_value_around_waiters \
        wake::the_newest_waker_is_woken_by_a_value \
        wake::a_spurious_poll_against_failure \
        guard:: \
        attempt:: \
        atomic_waker::a_shared_call_does_not_wait_for_the_next_attempt \
        event_listener::a_late_notification_does_not_end_the_next_attempt
}

# All models. Also fails if `docs/loom.md` does not list exactly these models.
stage_nightly-loom() { .ci/loom; }
