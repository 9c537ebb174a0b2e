//! Four embassy tasks share cells and `lazy!` statics: some are cancelled, some fail, others take over.

#![no_std]
#![no_main]

use core::{
    future::{Future, pending},
    pin::pin,
    ptr,
    sync::atomic::{AtomicU32, Ordering},
};

use embassy_executor::Spawner;
use embassy_futures::{
    select::{Either, select},
    yield_now,
};
use oncelot::{InitializingError, LocalOnceCell, OnceCell, lazy};
use oncelot_firmware_example::{
    report, succeed,
    tracked::{Tracked, alive},
    turns,
};

const ROLES: u32 = 4;

#[embassy_executor::main]
async fn main(spawner: Spawner) {
    assert_eq!(init_clock(), Ok(12_000_000));
    assert_eq!(init_clock(), Ok(12_000_000));
    report!("  a function that is no task initialized a cell");
    for role in 0..ROLES {
        spawner.spawn(play(role).unwrap());
    }
}

/// Returns how many ticks of the clock are a second. Configures the clock, unless that was done before.
fn init_clock() -> Result<u32, InitializingError> {
    static TICKS: OnceCell<u32> = OnceCell::new();
    let configure = || {
        assert_eq!(
            init_clock(),
            Err(InitializingError),
            "the clock is being configured"
        );
        12_000_000
    };
    TICKS.try_get_or_init(configure).copied()
}

/// Plays one role in all scenes.
#[embassy_executor::task(pool_size = 4)]
async fn play(role: u32) {
    waiting(role).await;
    end(
        role,
        "three tasks waited for a cell that a fourth one filled; all see the same value",
    )
    .await;
    cancelled_waiters(role).await;
    end(role, "two waiting tasks were cancelled; the third one was woken").await;
    cancelled_initializer(role).await;
    end(
        role,
        "an initializer was cancelled, and what it held was dropped; one waiter took over",
    )
    .await;
    failed_initializer(role).await;
    end(
        role,
        "an initializer failed; one waiter took over, and the other one got its value back",
    )
    .await;
    dropped_cell(role).await;
    end(
        role,
        "a cell on the stack was filled, emptied and dropped; every value was dropped once",
    )
    .await;
    local_cell(role).await;
    end(
        role,
        "without atomics, an initializer failed; a waiter took over, and woke one that had waited before",
    )
    .await;
    shared_static().await;
    end(
        role,
        "four tasks asked for a static; it was computed once, and all see the same value",
    )
    .await;
    cancelled_driver(role).await;
    end(
        role,
        "the task that drove a static was cancelled; the others went on from there",
    )
    .await;
    abandoned_driver(role).await;
    end(
        role,
        "the task that drove a static was not polled any more; the others did not wait for it",
    )
    .await;
    if role == 0 {
        // One for each cell and static. What the futures held is gone.
        assert_eq!(alive(), 8);
        succeed();
    }
}

/// Wakes the tasks that wait for a flag. Panics if the flag is raised again.
fn raise(flag: &OnceCell<()>) {
    flag.set(()).expect("it is raised once");
}

/// Raises a flag for the other tasks, takes some turns, and makes a value.
async fn make(started: &OnceCell<()>, steps: u32, value: u32) -> Tracked {
    raise(started);
    turns(steps).await;
    Tracked::new(value)
}

/// Polls a future for some turns, in which it does not complete.
async fn cancel<F: Future>(future: F, steps: u32) {
    let first = select(future, turns(steps)).await;
    assert!(matches!(first, Either::Second(())), "cancelled");
}

/// Ends a scene: all tasks come here, and one prints what they have checked.
async fn end(role: u32, checked: &str) {
    static ARRIVED: AtomicU32 = AtomicU32::new(0);
    let arrived = ARRIVED.load(Ordering::Relaxed) + 1;
    ARRIVED.store(arrived, Ordering::Relaxed);
    while ARRIVED.load(Ordering::Relaxed) < arrived.next_multiple_of(ROLES) {
        yield_now().await;
    }
    if role == 0 {
        report!("  {checked}");
    }
}

async fn waiting(role: u32) {
    static CELL: OnceCell<Tracked> = OnceCell::new();
    static STARTED: OnceCell<()> = OnceCell::new();
    let value = match role {
        0 => CELL.get_or_init(|| make(&STARTED, 5, 42)).await,
        1 => {
            STARTED.wait().await;
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
    static STARTED: OnceCell<()> = OnceCell::new();
    match role {
        0 => _ = CELL.get_or_init(|| make(&STARTED, 9, 43)).await,
        1 => {
            STARTED.wait().await;
            let init = async || unreachable!("another initializer is running");
            cancel(CELL.get_or_init(init), 3).await;
        }
        2 => cancel(CELL.wait(), 4).await,
        _ => assert_eq!(CELL.wait().await.value(), 43),
    }
}

async fn cancelled_initializer(role: u32) {
    static CELL: OnceCell<Tracked> = OnceCell::new();
    static STARTED: OnceCell<()> = OnceCell::new();
    static STARTED_ONCE: OnceCell<()> = OnceCell::new();
    match role {
        0 => {
            let before = alive();
            let init = async || {
                raise(&STARTED);
                let _held = Tracked::new(0);
                pending::<Tracked>().await
            };
            cancel(CELL.get_or_init(init), 5).await;
            assert_eq!(alive(), before, "the initializer is gone with what it held");
        }
        1 | 2 => {
            STARTED.wait().await;
            let init = async || {
                raise(&STARTED_ONCE);
                turns(2).await;
                Tracked::new(44)
            };
            assert_eq!(CELL.get_or_init(init).await.value(), 44);
        }
        _ => assert_eq!(CELL.wait().await.value(), 44),
    }
}

async fn failed_initializer(role: u32) {
    static CELL: OnceCell<Tracked> = OnceCell::new();
    static STARTED: OnceCell<()> = OnceCell::new();
    let (value, spare) = match role {
        0 => {
            let init = async || {
                raise(&STARTED);
                turns(4).await;
                assert!(CELL.set(Tracked::new(0)).is_err(), "the initializer is running");
                Err("no link")
            };
            assert_eq!(CELL.get_or_try_init(init).await.unwrap_err(), "no link");
            (CELL.wait().await, None)
        }
        1 | 2 => {
            STARTED.wait().await;
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

async fn dropped_cell(role: u32) {
    if role != 0 {
        return;
    }
    let before = alive();
    let mut cell = OnceCell::new();
    assert!(cell.set(Tracked::new(1)).is_ok());
    assert!(cell.try_insert(Tracked::new(2)).is_err());
    assert_eq!(alive(), before + 1);
    drop(cell.take());
    assert_eq!(alive(), before);
    cell.get_or_init(async || Tracked::new(3)).await;
    drop(cell);
    assert_eq!(alive(), before);
}

async fn local_cell(role: u32) {
    /// A cell in a static, for tasks of one executor.
    struct OneExecutor(LocalOnceCell<Tracked>);

    // SAFETY: only the tasks in this file use the cell. Their executor runs them one at a time, in thread mode.
    unsafe impl Sync for OneExecutor {}

    static CELL: OneExecutor = OneExecutor(LocalOnceCell::with_backend());
    static STARTED: OnceCell<()> = OnceCell::new();
    static FAILED: OnceCell<()> = OnceCell::new();
    match role {
        0 => {
            let init = async || {
                raise(&STARTED);
                turns(5).await;
                Err("no answer")
            };
            let failed = CELL.0.get_or_try_init(init).await;
            assert_eq!(failed.err(), Some("no answer"));
            raise(&FAILED);
        }
        // Waits for that initializer, and is woken by its failure.
        1 => {
            STARTED.wait().await;
            let init = async || {
                assert!(FAILED.initialized());
                turns(5).await;
                Tracked::new(46)
            };
            assert_eq!(CELL.0.get_or_init(init).await.value(), 46);
        }
        // Gives up waiting once, and then waits for the value.
        2 => {
            cancel(CELL.0.wait(), 2).await;
            assert_eq!(CELL.0.wait().await.value(), 46);
        }
        _ => (),
    }
}

async fn shared_static() {
    static STARTED_ONCE: OnceCell<()> = OnceCell::new();
    lazy! {
        static VALUE: Tracked = async {
            raise(&STARTED_ONCE);
            turns(5).await;
            Tracked::new(42)
        };
    }
    let value: &'static Tracked = VALUE.get().await;
    assert_eq!(value.value(), 42);
    assert!(ptr::eq(value, VALUE.try_get().expect("computed")));
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
    static STARTED: OnceCell<()> = OnceCell::new();
    static READING: OnceCell<u32> = OnceCell::new();
    static CANCELLED: OnceCell<()> = OnceCell::new();
    lazy! {
        static VALUE: Tracked = async {
            raise(&STARTED);
            brought(&READING).await
        };
    }
    match role {
        0 => {
            let before = alive();
            cancel(VALUE.get(), 9).await;
            assert_eq!(alive(), before + 1, "the future lives, with what it holds");
            raise(&CANCELLED);
            return;
        }
        1 => {
            CANCELLED.wait().await;
            READING.set(43).expect("this task alone sets it");
        }
        _ => _ = STARTED.wait().await,
    }
    assert_eq!(VALUE.get().await.value(), 43);
}

async fn abandoned_driver(role: u32) {
    static ABANDONED: OnceCell<()> = OnceCell::new();
    static READING: OnceCell<u32> = OnceCell::new();
    static SEEN: [OnceCell<()>; 3] = [const { OnceCell::new() }; 3];
    lazy! {
        static VALUE: Tracked = brought(&READING);
    }
    if let Some(other) = role.checked_sub(1) {
        ABANDONED.wait().await;
        if other == 0 {
            turns(3).await;
            READING.set(44).expect("this task alone sets it");
        }
        assert_eq!(VALUE.get().await.value(), 44);
        raise(&SEEN[other as usize]);
    } else {
        let mut driver = pin!(VALUE.get());
        cancel(driver.as_mut(), 9).await;
        raise(&ABANDONED);
        // The driver is alive, and not polled while the others get the value.
        for seen in &SEEN {
            seen.wait().await;
        }
        assert_eq!(driver.await.value(), 44);
    }
}
