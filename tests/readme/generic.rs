//! A library that leaves the runtime to its users.

use std::sync::Arc;

use oncelot::{
    OnceCell,
    runtime::{OnceCellExt, Runtime},
};

pub struct Client<R> {
    token: Arc<OnceCell<Token>>,
    runtime: R,
}

impl<R: Runtime> Client<R> {
    pub fn new(runtime: R) -> Self {
        Self {
            token: Arc::default(),
            runtime,
        }
    }

    pub async fn token(&self) -> Result<&Token, AuthError> {
        self.token.get_or_try_init_spawned(&self.runtime, log_in).await
    }
}

#[derive(Debug, PartialEq, Eq)]
pub struct Token;

#[derive(Debug, PartialEq, Eq)]
pub struct AuthError;

async fn log_in() -> Result<Token, AuthError> {
    futures_lite::future::yield_now().await;
    Ok(Token)
}

#[test]
fn works_on_a_runtime_of_the_users_own() {
    let client = Client::new(crate::one_thread::OneThread);
    assert_eq!(futures_lite::future::block_on(client.token()), Ok(&Token));
}

#[test]
#[cfg(feature = "tokio")]
fn works_on_tokio() {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let client = Client::new(oncelot::runtime::Tokio);
    assert_eq!(runtime.block_on(client.token()), Ok(&Token));
}

#[test]
#[cfg(feature = "tokio")]
fn works_on_a_handle_of_tokio() {
    let runtime = tokio::runtime::Builder::new_multi_thread().build().unwrap();
    let client = Client::new(runtime.handle().clone());
    assert_eq!(futures_lite::future::block_on(client.token()), Ok(&Token));
}

#[test]
#[cfg(feature = "smol")]
fn works_on_smol() {
    let client = Client::new(oncelot::runtime::Smol);
    assert_eq!(smol::block_on(client.token()), Ok(&Token));
}
