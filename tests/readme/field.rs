//! A `Lazy` in a field.

use futures_lite::future::{block_on, yield_now, zip};

use oncelot::BoxLazy;

pub struct Client {
    token: BoxLazy<'static, Token>,
}

impl Client {
    pub fn new(user: String) -> Self {
        Self {
            token: BoxLazy::boxed(async move { log_in(&user).await }),
        }
    }

    pub async fn token(&self) -> &Token {
        (&self.token).await
    }
}

pub struct Token(String);

async fn log_in(user: &str) -> Token {
    yield_now().await;
    Token(format!("token of {user}"))
}

#[test]
fn a_field_is_computed_once() {
    let client = Client::new("me".to_owned());
    let (first, second) = block_on(zip(client.token(), client.token()));
    assert!(std::ptr::eq(first, second));
    assert_eq!(first.0, "token of me");
}
