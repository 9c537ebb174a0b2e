//! A library that leaves the runtime to its users.

use std::{marker::PhantomData, sync::Arc};

use oncelot::{
    OnceCell,
    runtime::{Runtime, SharedCell},
};

pub struct Client<R> {
    token: Arc<OnceCell<Token>>,
    runtime: PhantomData<fn() -> R>,
}

impl<R: Runtime> Client<R> {
    pub fn new() -> Self {
        Self {
            token: Arc::default(),
            runtime: PhantomData,
        }
    }

    pub async fn token(&self) -> Result<&Token, AuthError> {
        self.token.get_or_try_init_spawned::<R, _>(log_in).await
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

fn assert_works_on<R: Runtime>() {
    let client = Client::<R>::new();
    assert_eq!(R::block_on(client.token()), Ok(&Token));
}

#[test]
fn works_on_a_runtime_of_the_users_own() {
    assert_works_on::<crate::one_thread::OneThread>();
}

#[test]
#[cfg(feature = "tokio")]
fn works_on_tokio() {
    assert_works_on::<oncelot::runtime::Tokio>();
}

#[test]
#[cfg(feature = "smol")]
fn works_on_smol() {
    assert_works_on::<oncelot::runtime::Smol>();
}
