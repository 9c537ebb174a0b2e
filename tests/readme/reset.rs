//! A value that can be had anew, and an error that is kept for those who wait for it.

use std::sync::atomic::{AtomicU32, Ordering::SeqCst};

use futures_lite::future::{block_on, yield_now, zip};

use std::sync::{Arc, Mutex};

use oncelot::OnceCell;

type Attempt = Arc<OnceCell<Result<Token, AuthError>>>;

#[derive(Default)]
pub struct Session {
    latest: Mutex<Attempt>,
}

impl Session {
    /// Whoever asks while an attempt is made gets what comes of it. After a failure, the next one starts another.
    pub async fn token(&self) -> Result<Token, AuthError> {
        let attempt = Arc::clone(&self.latest.lock().unwrap());
        let result = attempt.get_or_init(log_in).await.clone();
        if result.is_err() {
            self.forget(&attempt);
        }
        result
    }

    /// The next one to ask logs in anew. Whoever waits for the attempt before still gets its result.
    pub fn reset(&self) {
        *self.latest.lock().unwrap() = Attempt::default();
    }

    fn forget(&self, attempt: &Attempt) {
        let mut latest = self.latest.lock().unwrap();
        if Arc::ptr_eq(&latest, attempt) {
            *latest = Attempt::default();
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Token(u32);

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuthError;

/// Fails the first time.
async fn log_in() -> Result<Token, AuthError> {
    static ATTEMPTS: AtomicU32 = AtomicU32::new(0);
    let attempt = ATTEMPTS.fetch_add(1, SeqCst);
    yield_now().await;
    if attempt == 0 {
        Err(AuthError)
    } else {
        Ok(Token(attempt))
    }
}

#[test]
fn a_failure_is_shared_and_the_next_attempt_is_made_anew() {
    let session = Session::default();
    let both = block_on(zip(session.token(), session.token()));
    assert_eq!(both, (Err(AuthError), Err(AuthError)));
    let both = block_on(zip(session.token(), session.token()));
    assert_eq!(both, (Ok(Token(1)), Ok(Token(1))));
    session.reset();
    assert_eq!(block_on(session.token()), Ok(Token(2)));
}
