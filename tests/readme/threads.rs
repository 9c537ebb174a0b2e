//! Threads and tasks around one cell.

use std::{sync::Barrier, thread};

use std::time::Duration;

use oncelot::OnceCell;

static CONFIG: OnceCell<Config> = OnceCell::new();

/// In a task.
async fn config() -> &'static Config {
    CONFIG.get_or_init(load_config).await
}

/// In a thread: reads the file here, or waits for whoever does.
fn config_blocking() -> &'static Config {
    CONFIG.get_or_init_blocking(|| Config::read("app.toml"))
}

/// In a thread: waits until somebody has read it, or a second.
fn config_if_soon() -> Option<&'static Config> {
    CONFIG.wait_timeout(Duration::from_secs(1))
}

struct Config;

impl Config {
    fn read(_path: &str) -> Self {
        Self
    }
}

async fn load_config() -> Config {
    futures_lite::future::yield_now().await;
    Config
}

#[test]
fn tasks_and_threads_see_the_same_value() {
    let barrier = Barrier::new(3);
    thread::scope(|scope| {
        let in_a_task = scope.spawn(|| {
            barrier.wait();
            futures_lite::future::block_on(config())
        });
        let in_a_thread = scope.spawn(|| {
            barrier.wait();
            config_blocking()
        });
        barrier.wait();
        let waiting = CONFIG.wait_blocking();
        assert!(std::ptr::eq(waiting, in_a_task.join().unwrap()));
        assert!(std::ptr::eq(waiting, in_a_thread.join().unwrap()));
        assert!(std::ptr::eq(waiting, config_if_soon().unwrap()));
    });
}
