//! A model in which shuttle chooses what is done too.

use std::pin::pin;

use futures_lite::future::poll_once;
use shuttle::future::block_on;

use super::support::{Failed, Modelled, Stage, cast, choose, in_many_orders, poll_times};

/// Five tasks do up to three things each that may come to nothing, and then get the value.
pub(super) fn whatever_they_do_all_get_the_value<B: Modelled>() {
    in_many_orders::<B>(|stage| {
        let on_stage = stage.clone();
        let seen = cast(5, move |player| {
            for _ in 0..choose(4) {
                disturb(&on_stage, player);
            }
            // The first one does not rely on the others.
            match choose(3) {
                0 if player > 0 => *block_on(on_stage.cell.wait()),
                1 => block_on(on_stage.insert(player)),
                _ => block_on(on_stage.get_or_try(choose(3), Ok(player))).unwrap(),
            }
        });
        stage.assert_agreed(seen);
    });
}

fn disturb<B: Modelled>(stage: &Stage<B>, player: usize) {
    let (times, pauses) = (1 + choose(3), choose(4));
    match choose(8) {
        0 | 1 => drop(block_on(stage.get_or_try(pauses, Err(Failed)))),
        2 | 3 => drop(poll_times(stage.get_or_try(pauses, Err(Failed)), times)),
        4 => drop(poll_times(stage.cell.wait(), times)),
        5 => drop(poll_times(stage.insert(player), times)),
        6 => block_on(hold(stage, player)),
        _ => stage.set(player),
    }
}

/// Starts to wait, does something else with the same cell, and goes on or gives up.
async fn hold<B: Modelled>(stage: &Stage<B>, player: usize) {
    let mut insertion = pin!(stage.insert(player));
    if poll_once(insertion.as_mut()).await.is_some() {
        return;
    }
    let _ = stage.get_or_try(choose(3), Err(Failed)).await;
    if choose(2) == 0 {
        insertion.await;
    }
}
