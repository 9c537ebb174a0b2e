//! The counts of the whole run.

use std::{
    fmt,
    sync::atomic::{AtomicU64, Ordering::Relaxed},
};

macro_rules! totals {
    ($($name:ident)*) => {
        /// What is counted for the whole run.
        #[derive(Debug)]
        pub(crate) struct Totals {
            $(pub(crate) $name: Total,)*
        }

        pub(crate) static TOTALS: Totals = Totals {
            $($name: Total(AtomicU64::new(0)),)*
        };

        impl fmt::Display for Totals {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                let columns = [$((stringify!($name), &self.$name),)*];
                for (at, (name, total)) in columns.into_iter().enumerate() {
                    if at > 0 {
                        writeln!(f)?;
                    }
                    write!(f, "{:>12} {}", total.0.load(Relaxed), name.replace('_', " "))?;
                }
                Ok(())
            }
        }
    };
}

totals! {
    generations
    generations_with_a_static
    clients
    initializations
    values_made_by_initializers
    values_set
    values_inserted
    failures
    panics
    cancellations
    timeouts
    waits
    waits_abandoned
    blocking_waits
    blocking_waits_out_of_time
    initializers_as_tasks
    initializers_on_a_pool
    moves_to_another_executor
    wakes_by_the_clock
    looks_at_values
}

#[derive(Debug)]
pub(crate) struct Total(AtomicU64);

impl Total {
    pub(crate) fn add(&self) {
        self.0.fetch_add(1, Relaxed);
    }
}
