//! A cell in an application.

use futures_lite::future::{block_on, yield_now, zip};

use oncelot::OnceCell;

static CONFIG: OnceCell<Config> = OnceCell::new();

async fn handler() -> &'static Config {
    CONFIG.get_or_init(load_config).await // an `async fn`, or a closure such as `async || …`
}

async fn another() -> &'static Config {
    CONFIG.get_or_init(async || parse(&read("app.toml").await)).await
}

struct Config;

async fn load_config() -> Config {
    yield_now().await;
    Config
}

async fn read(_path: &str) -> String {
    String::new()
}

fn parse(_text: &str) -> Config {
    Config
}

#[test]
fn a_function_and_a_closure_initialize_the_same_cell() {
    let (first, second) = block_on(zip(handler(), another()));
    assert!(std::ptr::eq(first, second));
}
