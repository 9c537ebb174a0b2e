//! Four tasks run four scenarios, each with a `static` cell, on any executor.

use core::{
    future::pending,
    ptr,
    sync::atomic::{AtomicU32, Ordering},
};

use embassy_futures::select::{Either, select};
use oncelot::OnceCell;

use crate::{
    report,
    steps::{Flag, add_one, meet, turns},
    tracked::{Tracked, alive},
};

/// Plays one role in all scenes. The first one prints what they have checked.
pub async fn run(role: u32) {
    let is_narrator = role == 0;

    waiting(role).await;
    meet().await;
    if is_narrator {
        report!("  three tasks waited for a cell that a fourth one filled; all see the same value");
    }
    cancelled_waiters(role).await;
    meet().await;
    if is_narrator {
        report!("  two waiting tasks were cancelled; the third one was woken");
    }
    cancelled_initializer(role).await;
    meet().await;
    if is_narrator {
        report!("  an initializer was cancelled, and what it held was dropped; one waiter took over");
    }
    failed_initializer(role).await;
    meet().await;
    if is_narrator {
        report!("  an initializer failed; one waiter took over, and the other one got its value back");
        dropped_cell().await;
        report!("  a cell on the stack was filled, emptied and dropped; every value was dropped once");
    }
    meet().await;
}

async fn waiting(role: u32) {
    static CELL: OnceCell<Tracked> = OnceCell::new();
    static STARTED: Flag = Flag::new();
    let value = match role {
        0 => {
            let init = async || {
                STARTED.raise();
                turns(5).await;
                Tracked::new(42)
            };
            CELL.get_or_init(init).await
        }
        1 => {
            STARTED.raised().await;
            CELL.get_or_init(async || unreachable!("another initializer is running"))
                .await
        }
        _ => CELL.wait().await,
    };
    assert_eq!(value.value(), 42);
    assert!(ptr::eq(value, CELL.get().expect("filled")));
}

async fn cancelled_waiters(role: u32) {
    static CELL: OnceCell<Tracked> = OnceCell::new();
    static STARTED: Flag = Flag::new();
    match role {
        0 => {
            let init = async || {
                STARTED.raise();
                turns(9).await;
                Tracked::new(43)
            };
            CELL.get_or_init(init).await;
        }
        1 => {
            STARTED.raised().await;
            let init = async || unreachable!("another initializer is running");
            let first = select(CELL.get_or_init(init), turns(3)).await;
            assert!(matches!(first, Either::Second(())), "cancelled");
        }
        2 => {
            let first = select(CELL.wait(), turns(4)).await;
            assert!(matches!(first, Either::Second(())), "cancelled");
        }
        _ => assert_eq!(CELL.wait().await.value(), 43),
    }
}

async fn cancelled_initializer(role: u32) {
    static CELL: OnceCell<Tracked> = OnceCell::new();
    static STARTED: Flag = Flag::new();
    static STARTS: AtomicU32 = AtomicU32::new(0);
    match role {
        0 => {
            let before = alive();
            let init = async || {
                STARTED.raise();
                let _held = Tracked::new(0);
                pending::<Tracked>().await
            };
            let first = select(CELL.get_or_init(init), turns(5)).await;
            assert!(matches!(first, Either::Second(())), "cancelled");
            assert_eq!(alive(), before, "the initializer is gone with what it held");
        }
        1 | 2 => {
            STARTED.raised().await;
            let init = async || {
                add_one(&STARTS);
                turns(2).await;
                Tracked::new(44)
            };
            assert_eq!(CELL.get_or_init(init).await.value(), 44);
            assert_eq!(STARTS.load(Ordering::Relaxed), 1);
        }
        _ => assert_eq!(CELL.wait().await.value(), 44),
    }
}

async fn failed_initializer(role: u32) {
    static CELL: OnceCell<Tracked> = OnceCell::new();
    static STARTED: Flag = Flag::new();
    let (value, spare) = match role {
        0 => {
            let init = async || {
                STARTED.raise();
                turns(4).await;
                assert!(CELL.set(Tracked::new(0)).is_err(), "the initializer is running");
                Err("no link")
            };
            assert_eq!(CELL.get_or_try_init(init).await.unwrap_err(), "no link");
            (CELL.wait().await, None)
        }
        1 | 2 => {
            STARTED.raised().await;
            match CELL.insert(Tracked::new(44 + role)).await {
                Ok(value) => (value, None),
                Err((value, spare)) => (value, Some(spare)),
            }
        }
        _ => (CELL.wait().await, None),
    };
    assert!(ptr::eq(value, CELL.get().expect("filled")));
    if let Some(spare) = spare {
        assert_eq!(
            spare.value() + value.value(),
            45 + 46,
            "one was put in, the other one came back"
        );
    }
}

async fn dropped_cell() {
    // One for each scene before this.
    assert_eq!(alive(), 4);
    let mut cell = OnceCell::new();
    assert!(cell.set(Tracked::new(1)).is_ok());
    assert!(cell.try_insert(Tracked::new(2)).is_err());
    assert_eq!(alive(), 5);
    drop(cell.take());
    assert_eq!(alive(), 4);
    cell.get_or_init(async || Tracked::new(3)).await;
    drop(cell);
    assert_eq!(alive(), 4);
}
