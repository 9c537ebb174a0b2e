//! A value that can be reset, and an error that all callers of one attempt share.

use std::sync::{
    MutexGuard, PoisonError,
    atomic::{AtomicU32, Ordering::SeqCst},
};

use futures_lite::future::{block_on, yield_now};
use futures_util::future::join_all;

use std::sync::{Arc, Mutex};

use oncelot::OnceCell;

type Attempt = Arc<OnceCell<Result<Token, AuthError>>>;

#[derive(Default)]
pub struct Session {
    latest: Mutex<Attempt>,
}

impl Session {
    /// Returns the token of the latest attempt, and logs in if there is none. Callers that wait for an attempt share its
    /// result. After a failure, the next call starts another attempt.
    pub async fn token(&self) -> Result<Token, AuthError> {
        let attempt = Arc::clone(&self.latest.lock().unwrap());
        let result = attempt.get_or_init(log_in).await.clone();
        if result.is_err() {
            self.discard(|latest| latest.is_err());
        }
        result
    }

    /// Discards a token that the server has refused, so that the next call logs in again. If another caller has replaced
    /// that token already, nothing changes.
    pub fn reset(&self, refused: &Token) {
        self.discard(|latest| latest.as_ref().is_ok_and(|token| token == refused));
    }

    /// Discards the latest attempt if its result is one that `is_refused` returns true for. An attempt that has no result
    /// yet is kept.
    fn discard(&self, is_refused: impl FnOnce(&Result<Token, AuthError>) -> bool) {
        let mut latest = self.latest.lock().unwrap();
        if latest.get().is_some_and(is_refused) {
            *latest = Attempt::default();
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Token(u32);

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuthError;

/// Of all tests in this file, which therefore take turns.
static ATTEMPTS: AtomicU32 = AtomicU32::new(0);
static TURN: Mutex<()> = Mutex::new(());

/// Fails the first time.
async fn log_in() -> Result<Token, AuthError> {
    let attempt = ATTEMPTS.fetch_add(1, SeqCst);
    yield_now().await;
    if attempt == 0 {
        Err(AuthError)
    } else {
        Ok(Token(attempt))
    }
}

/// Begins with `attempts` that were made before.
fn session_after(attempts: u32) -> (Session, MutexGuard<'static, ()>) {
    let turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    ATTEMPTS.store(attempts, SeqCst);
    (Session::default(), turn)
}

const CALLERS: usize = 10;

#[test]
fn callers_share_a_failure_and_the_next_call_starts_another_attempt() {
    let (session, _turn) = session_after(0);
    let results = block_on(join_all((0..CALLERS).map(|_| session.token())));
    assert_eq!(results, [const { Err(AuthError) }; CALLERS]);
    assert_eq!(ATTEMPTS.load(SeqCst), 1);
    let results = block_on(join_all((0..CALLERS).map(|_| session.token())));
    assert_eq!(results, [const { Ok(Token(1)) }; CALLERS]);
    assert_eq!(ATTEMPTS.load(SeqCst), 2);
}

/// What a caller does whose request was refused, together with the token of its second try.
async fn request(session: &Session, stale: &Token) -> Result<Token, AuthError> {
    session.reset(stale);
    session.token().await
}

#[test]
fn ten_callers_at_once_with_one_stale_token_log_in_once() {
    let (session, _turn) = session_after(1);
    let stale = block_on(session.token()).unwrap();
    let results = block_on(join_all((0..CALLERS).map(|_| request(&session, &stale))));
    assert_eq!(
        ATTEMPTS.load(SeqCst),
        3,
        "one attempt for the stale token, and one more"
    );
    assert_eq!(results, [const { Ok(Token(2)) }; CALLERS]);
}

#[test]
fn ten_callers_one_after_the_other_with_one_stale_token_log_in_once() {
    let (session, _turn) = session_after(1);
    let stale = block_on(session.token()).unwrap();
    for _ in 0..CALLERS {
        assert_eq!(block_on(request(&session, &stale)), Ok(Token(2)));
    }
    assert_eq!(ATTEMPTS.load(SeqCst), 3);
}
