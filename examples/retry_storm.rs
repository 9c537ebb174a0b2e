//! The retry storm: a database is down, and a thousand requests share one cell for the connection.
//!
//! ```sh
//! cargo run --example retry_storm
//! ```
//!
//! All requests ask for the connection at the same time. While the database is down, each attempt to connect ends with an
//! error after a timeout. With `get_or_try_init`, the error is returned to the request that made the attempt. The next request
//! then makes an attempt of its own, which takes its own timeout. So the requests are answered one after the other, and the
//! last one waits for as many timeouts as there are requests before it, or until the database is up.
//!
//! With `get_or_try_init_shared`, the requests that wait for an attempt share its end. All of them are answered after one
//! timeout. A request that calls the method again shares the next attempt with the others that do.
//!
//! The time is simulated: the clock advances when every task waits. So the figures are the same in each run, and an outage of
//! an hour takes no longer than one of a second. The column `polls` counts how often the requests are polled: it shows
//! whether a failure wakes every waiting request, or one of them.

use std::{
    cell::{Cell, RefCell},
    collections::BTreeMap,
    future::poll_fn,
    rc::Rc,
    task::{Poll, Waker},
    time::Duration,
};

use async_executor::LocalExecutor;
use oncelot::SharedInitError;

const REQUESTS: usize = 1_000;

/// After this time, an attempt to connect to a database that is down fails.
const TIMEOUT: Duration = Duration::from_millis(100);

/// After this time, an attempt to connect to a database that is up succeeds.
const CONNECT: Duration = Duration::from_millis(10);

const OUTAGES: [Duration; 2] = [Duration::from_secs(1), Duration::from_secs(3600)];

/// A method of a cell that returns the connection or an error.
struct Method {
    name: &'static str,
    /// What is expected in each of the [`OUTAGES`].
    expected: [Expected; OUTAGES.len()],
    run: fn(Duration) -> Outcome,
}

#[derive(Debug, Clone, Copy, PartialEq)]
struct Expected {
    /// How many attempts to connect the requests make.
    attempts: u32,
    /// How many requests get an error.
    errors: usize,
}

/// A line is: name, what is expected, an empty cell, and the call, whose output is a `Result`.
macro_rules! methods {
    ($($name:literal, $expected:expr, $empty:expr, |$cell:ident, $database:ident| $call:expr;)*) => {
        [$(Method {
            name: $name,
            expected: $expected,
            run: |outage| {
                let cell = Rc::new($empty);
                request_all(outage, |$database| {
                    let $cell = Rc::clone(&cell);
                    async move { $call.await.is_ok() }
                })
            },
        }),*]
    };
}

/// One attempt by each request; or, if the outage ends, by those that fail before and by one that succeeds.
const BY_EACH_REQUEST: [Expected; OUTAGES.len()] = [
    Expected {
        attempts: 11,
        errors: 10,
    },
    Expected {
        attempts: REQUESTS as u32,
        errors: REQUESTS,
    },
];

/// One attempt by all requests together each time that they call. These `calls` end before the outages do.
const fn by_all_requests(calls: u32) -> [Expected; OUTAGES.len()] {
    let expected = Expected {
        attempts: calls,
        errors: REQUESTS,
    };
    [expected; OUTAGES.len()]
}

#[rustfmt::skip]
const METHODS: &[Method] = &methods! {
    "tokio: get_or_try_init", BY_EACH_REQUEST, tokio::sync::OnceCell::new(), |cell, database| cell.get_or_try_init(|| database.connect());
    "async-lock: get_or_try_init", BY_EACH_REQUEST, async_lock::OnceCell::new(), |cell, database| cell.get_or_try_init(|| database.connect());
    "async-once-cell: get_or_try_init", BY_EACH_REQUEST, async_once_cell::OnceCell::new(), |cell, database| cell.get_or_try_init(database.connect());
    "asyncband: get_or_try_init", BY_EACH_REQUEST, asyncband::once::OnceCell::new(), |cell, database| cell.get_or_try_init(|| database.connect());
    "oncelot: get_or_try_init", BY_EACH_REQUEST, oncelot::OnceCell::new(), |cell, database| cell.get_or_try_init(|| database.connect());
    "oncelot: get_or_try_init_shared", by_all_requests(1), oncelot::OnceCell::new(), |cell, database| cell.get_or_try_init_shared(|| database.connect());
    "oncelot: the same, up to 3 times", by_all_requests(3), oncelot::OnceCell::new(), |cell, database| call_shared_up_to(3, &cell, &database);
};

/// Calls the method again if it returns an error, `calls` times in total.
async fn call_shared_up_to(
    calls: u32,
    cell: &oncelot::OnceCell<Connection>,
    database: &Database,
) -> Result<Connection, SharedInitError<&'static str>> {
    let mut result = Err(SharedInitError::OtherFailed);
    for _ in 0..calls {
        result = cell.get_or_try_init_shared(|| database.connect()).await.copied();
        if result.is_ok() {
            break;
        }
    }
    result
}

fn main() {
    for (number, outage) in OUTAGES.into_iter().enumerate() {
        println!(
            "{REQUESTS} requests, while the database is down for {} s; an attempt fails after {} ms, or succeeds after {} ms",
            outage.as_secs(),
            TIMEOUT.as_millis(),
            CONNECT.as_millis(),
        );
        println!(
            "{:34} {:>8} {:>8} {:>8} {:>12} {:>9}",
            "", "attempts", "values", "errors", "last answer", "polls"
        );
        for Method { name, expected, run } in METHODS {
            let outcome = run(outage);
            let answers = &outcome.answers;
            println!(
                "{name:34} {:8} {:8} {:8} {:>10} ms {:9}",
                outcome.attempts(),
                answers.values.get(),
                answers.errors.get(),
                answers.last.get().as_millis(),
                answers.polls.get(),
            );
            outcome.check(expected[number]);
        }
        println!();
    }
}

/// What happened in one run.
struct Outcome {
    database: Rc<Database>,
    answers: Answers,
}

#[derive(Default)]
struct Answers {
    values: Cell<usize>,
    errors: Cell<usize>,
    polls: Cell<usize>,
    last: Cell<Duration>,
}

impl Outcome {
    fn attempts(&self) -> u32 {
        self.database.failed_attempts.get() + self.database.successful_attempts.get()
    }

    fn check(&self, expected: Expected) {
        let Self { database, answers } = self;
        let found = Expected {
            attempts: self.attempts(),
            errors: answers.errors.get(),
        };
        assert_eq!(found, expected);
        assert_eq!(
            answers.values.get() + answers.errors.get(),
            REQUESTS,
            "each request has an answer"
        );
        // One attempt is made at a time, and the next one begins when it ends.
        let spent = database.failed_attempts.get() * TIMEOUT + database.successful_attempts.get() * CONNECT;
        assert_eq!(answers.last.get(), spent);
    }
}

/// Makes all requests at the same time, and runs until each has an answer. `request` returns whether the request got a
/// connection.
fn request_all<R: Future<Output = bool>>(outage: Duration, request: impl Fn(Rc<Database>) -> R) -> Outcome {
    let outcome = Outcome {
        database: Rc::new(Database::new(outage)),
        answers: Answers::default(),
    };
    let (clock, answers) = (&outcome.database.clock, &outcome.answers);
    let executor = LocalExecutor::new();
    for _ in 0..REQUESTS {
        let mut request = Box::pin(request(Rc::clone(&outcome.database)));
        let answer = async move {
            let is_connected = poll_fn(|cx| {
                add_one(&answers.polls);
                request.as_mut().poll(cx)
            });
            add_one(if is_connected.await {
                &answers.values
            } else {
                &answers.errors
            });
            answers.last.set(clock.now.get());
        };
        executor.spawn(answer).detach();
    }
    loop {
        while executor.try_tick() {}
        // Every task sleeps, waits for the cell, or has ended.
        if !clock.advance() {
            break;
        }
    }
    drop(executor);
    outcome
}

fn add_one(count: &Cell<usize>) {
    count.set(count.get() + 1);
}

type Connection = u32;

/// A database that is down for the time `outage`.
struct Database {
    clock: Clock,
    outage: Duration,
    successful_attempts: Cell<u32>,
    failed_attempts: Cell<u32>,
}

impl Database {
    fn new(outage: Duration) -> Self {
        Self {
            clock: Clock::default(),
            outage,
            successful_attempts: Cell::new(0),
            failed_attempts: Cell::new(0),
        }
    }

    /// Makes an attempt to connect.
    async fn connect(&self) -> Result<Connection, &'static str> {
        let is_down = self.clock.now.get() < self.outage;
        let (attempts, duration, result) = if is_down {
            (
                &self.failed_attempts,
                TIMEOUT,
                Err("the database does not answer"),
            )
        } else {
            (&self.successful_attempts, CONNECT, Ok(1))
        };
        attempts.set(attempts.get() + 1);
        self.clock.sleep(duration).await;
        result
    }
}

/// A clock that advances only when no task can run.
#[derive(Default)]
struct Clock {
    now: Cell<Duration>,
    /// The wakers of the tasks that sleep, by the time until which they do.
    timers: RefCell<BTreeMap<(Duration, usize), Waker>>,
    sleeps: Cell<usize>,
}

impl Clock {
    async fn sleep(&self, duration: Duration) {
        let until = self.now.get() + duration;
        let number = self.sleeps.replace(self.sleeps.get() + 1);
        poll_fn(|cx| {
            if self.now.get() >= until {
                return Poll::Ready(());
            }
            self.timers
                .borrow_mut()
                .insert((until, number), cx.waker().clone());
            Poll::Pending
        })
        .await;
    }

    /// Advances to the next timer and wakes its task, or returns `false` if no task sleeps.
    fn advance(&self) -> bool {
        let next = self.timers.borrow_mut().pop_first();
        let Some(((time, _), waker)) = next else {
            return false;
        };
        self.now.set(time);
        waker.wake();
        true
    }
}
