//! A cell in a library.

use futures_lite::future::{block_on, ready};

pub struct Client {
    token: oncelot::OnceCell<Token>,
}

impl Client {
    pub async fn token(&self) -> Result<&Token, AuthError> {
        self.token.get_or_try_init(|| self.log_in()).await
    }
}

#[derive(Debug, PartialEq, Eq)]
pub struct Token;

#[derive(Debug, PartialEq, Eq)]
pub struct AuthError;

impl Client {
    pub const fn new() -> Self {
        Self {
            token: oncelot::OnceCell::new(),
        }
    }

    async fn log_in(&self) -> Result<Token, AuthError> {
        Ok(Token)
    }
}

/// Generic code knows it from the futures' names.
const fn assert_send<T: Send>(_: &T) {}

#[test]
fn a_field_is_initialized_through_a_shared_reference() {
    static CLIENT: Client = Client::new();
    assert_send(&CLIENT.token.get_or_init(|| ready(Token)));
    assert_eq!(block_on(CLIENT.token()), Ok(&Token));
}
