//! A static of `lazy!`.

use futures_lite::future::{block_on, yield_now};

oncelot::lazy! {
    /// Read once, when somebody asks.
    pub static CONFIG: Config = async { load_config().await };
}

async fn handler() -> &'static str {
    let config: &'static Config = CONFIG.get().await;
    &config.name
}

pub struct Config {
    name: String,
}

async fn load_config() -> Config {
    yield_now().await;
    Config {
        name: "app".to_owned(),
    }
}

#[test]
fn a_static_is_computed_when_it_is_asked_for() {
    assert!(CONFIG.try_get().is_none());
    assert_eq!(block_on(handler()), "app");
    assert!(CONFIG.try_get().is_some());
}
