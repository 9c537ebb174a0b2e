//! Four embassy tasks share `lazy!` statics, and the task that drives one is cancelled.

#![no_std]
#![no_main]

use core::{
    pin::pin,
    ptr,
    sync::atomic::{AtomicU32, Ordering},
};

use embassy_executor::Spawner;
use embassy_futures::select::{Either, select};
use oncelot::OnceCell;
use oncelot_firmware_example::{
    report,
    steps::{Flag, ROLES, add_one, meet, turns},
    succeed,
    tracked::{Tracked, alive},
};

#[embassy_executor::main]
async fn main(spawner: Spawner) {
    for role in 0..ROLES {
        spawner.spawn(run_round(role).unwrap());
    }
}

#[embassy_executor::task(pool_size = 4)]
async fn run_round(role: u32) {
    let is_narrator = role == 0;

    shared().await;
    meet().await;
    if is_narrator {
        report!("  four tasks asked for a static; it was computed once, and all see the same value");
    }
    cancelled_driver(role).await;
    meet().await;
    if is_narrator {
        report!("  the task that drove a static was cancelled; the others went on from there");
    }
    abandoned_driver(role).await;
    meet().await;
    if is_narrator {
        report!("  the task that drove a static was not polled any more; the others did not wait for it");
        // One for each scene. What the futures held is gone.
        assert_eq!(alive(), 3);
        succeed();
    }
}

async fn shared() {
    static STARTS: AtomicU32 = AtomicU32::new(0);
    oncelot::lazy! {
        static VALUE: Tracked = async {
            add_one(&STARTS);
            turns(5).await;
            Tracked::new(42)
        };
    }
    let value: &'static Tracked = VALUE.get().await;
    assert_eq!(value.value(), 42);
    assert!(ptr::eq(value, VALUE.try_get().expect("computed")));
    assert_eq!(STARTS.load(Ordering::Relaxed), 1);
}

/// Waits for a value of another task, while the static's future holds a local variable.
async fn brought(reading: &OnceCell<u32>) -> Tracked {
    let _held = Tracked::new(0);
    turns(3).await;
    let reading = *reading.wait().await;
    turns(3).await;
    Tracked::new(reading)
}

async fn cancelled_driver(role: u32) {
    static STARTED: Flag = Flag::new();
    static READING: OnceCell<u32> = OnceCell::new();
    static CANCELLED: Flag = Flag::new();
    oncelot::lazy! {
        static VALUE: Tracked = async {
            STARTED.raise();
            brought(&READING).await
        };
    }
    match role {
        0 => {
            let before = alive();
            let first = select(VALUE.get(), turns(9)).await;
            assert!(matches!(first, Either::Second(())), "cancelled");
            assert_eq!(alive(), before + 1, "the future lives, with what it holds");
            CANCELLED.raise();
            return;
        }
        1 => {
            CANCELLED.raised().await;
            READING.set(43).expect("this task alone sets it");
        }
        _ => STARTED.raised().await,
    }
    assert_eq!(VALUE.get().await.value(), 43);
}

async fn abandoned_driver(role: u32) {
    static ABANDONED: Flag = Flag::new();
    static READING: OnceCell<u32> = OnceCell::new();
    static SEEN: [Flag; 3] = [const { Flag::new() }; 3];
    oncelot::lazy! {
        static VALUE: Tracked = brought(&READING);
    }
    if let Some(other) = role.checked_sub(1) {
        ABANDONED.raised().await;
        if other == 0 {
            turns(3).await;
            READING.set(44).expect("this task alone sets it");
        }
        assert_eq!(VALUE.get().await.value(), 44);
        SEEN[other as usize].raise();
    } else {
        let mut driver = pin!(VALUE.get());
        let first = select(driver.as_mut(), turns(9)).await;
        assert!(matches!(first, Either::Second(())), "the static's future sleeps");
        ABANDONED.raise();
        // The driver is alive, and not polled while the others get the value.
        for seen in &SEEN {
            seen.raised().await;
        }
        assert_eq!(driver.await.value(), 44);
    }
}
