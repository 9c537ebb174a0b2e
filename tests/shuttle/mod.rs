//! Models of the cell that are too large for loom: four to six threads that do more than one thing each, in orders that
//! shuttle chooses at random.
//!
//! ```text
//! RUSTFLAGS="--cfg oncelot_shuttle" cargo test --release --lib
//! ```
//!
//! With the features `atomic-waker` and `event-listener`, so are the backends of these names, where each call of their
//! own crates is one step; with `blocking`, threads that wait beside tasks. `SHUTTLE_SCHEDULES` says how many orders
//! are tried, and `SHUTTLE_RANDOM_SEED` has the same ones tried again.
//!
//! What shuttle notices in every model: two initializers at once, two values, a task that sleeps for ever. It knows of
//! no weak orderings: those are for loom and for thread sanitizer. Nobody panics here, as shuttle must not change
//! threads while one unwinds.

mod support;

#[cfg(feature = "blocking")]
mod blocking;
mod cells;
mod chance;
mod lazy;
mod spawned;

macro_rules! tests {
    ($($file:ident: $($model:ident)*;)*) => {
        $($(
            #[test]
            fn $model() {
                super::$file::$model::<Backend>();
            }
        )*)*
    };
}

macro_rules! models_on {
    ($module:ident: $backend:ident) => {
        mod $module {
            use crate::backend::$backend as Backend;

            tests! {
                cells:
                    a_value_comes_after_failures
                    who_gives_up_disturbs_nobody
                    of_those_who_fill_one_wins
                    who_takes_over_a_wait_is_woken;
                chance:
                    whatever_they_do_all_get_the_value;
                lazy:
                    whoever_is_left_drives_on;
                spawned:
                    callers_may_go_while_their_tasks_initialize;
            }
            #[cfg(feature = "blocking")]
            tests! {
                blocking:
                    threads_and_tasks_get_the_same_value;
            }
        }
    };
}

models_on!(intrusive: Intrusive);
#[cfg(feature = "event-listener")]
models_on!(event_listener: EventListener);
#[cfg(feature = "atomic-waker")]
models_on!(atomic_waker: AtomicWaker);
