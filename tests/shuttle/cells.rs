//! Models of `OnceCell` on any backend.

use std::pin::Pin;

use shuttle::{future::block_on, thread};

use super::support::{Failed, Modelled, cast, in_many_orders, poll_times};

/// Five tasks fail twice each, and then want a value: each gets the same.
///
/// Worrying: a failure finds some registered, some about to be, and some woken by the failure before.
pub(super) fn a_value_comes_after_failures<B: Modelled>() {
    in_many_orders::<B>(|stage| {
        let on_stage = stage.clone();
        let seen = cast(5, move |player| {
            block_on(async {
                for _ in 0..2 {
                    if let Ok(value) = on_stage.get_or_try(1, Err(Failed)).await {
                        return value;
                    }
                }
                on_stage.get_or_try(1, Ok(player)).await.unwrap()
            })
        });
        stage.assert_agreed(seen);
        assert!(stage.runs() <= 2 * 5 + 1);
    });
}

/// Six tasks give up after a poll or two, as initializers or as waiters, and come back.
///
/// Worrying: a cancelled waiter was just detached by a drain; a cancelled initializer drains while others cancel.
pub(super) fn who_gives_up_disturbs_nobody<B: Modelled>() {
    in_many_orders::<B>(|stage| {
        let on_stage = stage.clone();
        let seen = cast(6, move |player| {
            for times in [1, 2] {
                match player % 3 {
                    0 => drop(poll_times(on_stage.cell.wait(), times)),
                    _ => drop(poll_times(on_stage.get_or_try(3, Err(Failed)), times)),
                }
            }
            match player {
                // A passive waiter, which relies on the others.
                5 => *block_on(on_stage.cell.wait()),
                _ => block_on(on_stage.get_or_try(1, Ok(player))).unwrap(),
            }
        });
        stage.assert_agreed(seen);
    });
}

/// Two set, two insert, and two wait: one value wins, and all see it.
pub(super) fn of_those_who_fill_one_wins<B: Modelled>() {
    in_many_orders::<B>(|stage| {
        let on_stage = stage.clone();
        let seen = cast(6, move |player| {
            match player % 3 {
                0 => on_stage.set(player),
                1 => return block_on(on_stage.insert(player)),
                _ => (),
            }
            *block_on(on_stage.cell.wait())
        });
        stage.assert_agreed(seen);
    });
}

/// Four tasks start to wait, hand the wait over to another one each, and that one is woken.
///
/// Worrying: the value is published while the newest waker takes the place of the older, whose task is gone.
pub(super) fn who_takes_over_a_wait_is_woken<B: Modelled>() {
    in_many_orders::<B>(|stage| {
        let initializing = stage.clone();
        let initializer = thread::spawn(move || {
            let _ = block_on(initializing.get_or_try(2, Err(Failed)));
            block_on(initializing.get_or_try(2, Ok(1))).unwrap()
        });
        let handed_over = stage.clone();
        let seen = cast(2, move |player| {
            let stage = handed_over.clone();
            let mut wait: Pin<Box<dyn Future<Output = usize> + Send>> = Box::pin(async move {
                match player {
                    0 => *stage.cell.wait().await,
                    _ => stage.insert(2).await,
                }
            });
            match poll_times(wait.as_mut(), 1) {
                Some(value) => value,
                None => thread::spawn(|| block_on(wait)).join().unwrap(),
            }
        });
        let made = initializer.join().unwrap();
        stage.assert_agreed(seen.into_iter().chain([made]));
    });
}
