//! A model of threads that wait beside tasks.

use std::time::Duration;

use shuttle::future::block_on;

use super::support::{Failed, Modelled, cast, in_many_orders, poll_times};

/// Three threads that block and two tasks: some fail, some give up, one only waits. All get the one value.
pub(super) fn threads_and_tasks_get_the_same_value<B: Modelled>() {
    in_many_orders::<B>(|stage| {
        let on_stage = stage.clone();
        let seen = cast(5, move |player| match player {
            0 => {
                let _ = on_stage.get_or_try_blocking(Err(Failed));
                on_stage.get_or_try_blocking(Ok(player)).unwrap()
            }
            1 => *on_stage.cell.wait_blocking(),
            2 => {
                let in_time = on_stage.cell.wait_timeout(Duration::from_secs(1)).copied();
                in_time.unwrap_or_else(|| on_stage.inserted(on_stage.cell.insert_blocking(player)))
            }
            3 => {
                let _ = block_on(on_stage.get_or_try(2, Err(Failed)));
                block_on(on_stage.get_or_try(1, Ok(player))).unwrap()
            }
            _ => {
                poll_times(on_stage.get_or_try(3, Err(Failed)), 2);
                *block_on(on_stage.cell.wait())
            }
        });
        stage.assert_agreed(seen);
    });
}
