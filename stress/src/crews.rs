//! The executors: 64 threads that run jobs.

use std::{
    collections::VecDeque,
    env, fmt,
    future::pending,
    pin::Pin,
    sync::{Arc, Condvar, Mutex, mpsc},
    thread,
};

use futures_lite::future::block_on;
use tokio::runtime::{Builder, Handle, Runtime};

use crate::{clock::Clock, random::Random};

const TOKIO: usize = 16;
const CURRENT_THREADS: usize = 4;
const SMOL: usize = 12;
const ASYNC_STD: usize = 8;
const BLOCK_ON: usize = 12;
const BLOCKING: usize = 12;

/// A task.
pub(crate) type Job = Pin<Box<dyn Future<Output = ()> + Send>>;
/// What a thread does.
pub(crate) type Work = Box<dyn FnOnce() + Send>;

/// All that runs something.
pub(crate) struct Crews {
    tokio: Runtime,
    /// tokio's runtimes of one thread.
    current_threads: Vec<Handle>,
    pub(crate) clock: Clock,
    /// Threads that run one future each.
    block_on: Arc<Pool<Job>>,
    blocking: Arc<Pool<Work>>,
}

/// Sets the number of threads of smol and async-std.
///
/// # Safety
///
/// No other thread is there.
pub(crate) unsafe fn size_global_executors() {
    // SAFETY: the caller's promise.
    unsafe { env::set_var("SMOL_THREADS", SMOL.to_string()) };
    // SAFETY: the caller's promise.
    unsafe { env::set_var("ASYNC_STD_THREAD_COUNT", ASYNC_STD.to_string()) };
}

impl Crews {
    /// Starts the threads, which run until the process ends.
    pub(crate) fn start() -> &'static Self {
        let crews = Self {
            tokio: (Builder::new_multi_thread().worker_threads(TOKIO).build()).expect("tokio starts"),
            current_threads: [(); CURRENT_THREADS].map(|()| start_current_thread()).into(),
            clock: Clock::default(),
            block_on: Pool::start(BLOCK_ON, |job: Job| block_on(job)),
            blocking: Pool::start(BLOCKING, |work: Work| work()),
        };
        let crews: &'static Self = Box::leak(Box::new(crews));
        thread::spawn(|| crews.clock.run());
        crews
    }

    /// Runs a job as a task of a random executor, which keeps polling all its tasks.
    pub(crate) fn run_on_an_executor(&self, job: Job, random: &mut Random) {
        const TASKS: usize = TOKIO + CURRENT_THREADS + SMOL + ASYNC_STD;
        let mut thread = random.below(TASKS as u64) as usize;
        if thread < TOKIO {
            self.tokio.spawn(job);
            return;
        }
        thread -= TOKIO;
        if thread < CURRENT_THREADS {
            self.current_threads[thread].spawn(job);
            return;
        }
        thread -= CURRENT_THREADS;
        if thread < SMOL {
            smol::spawn(job).detach();
        } else {
            async_std::task::spawn(job);
        }
    }

    /// Runs a job on a thread that does nothing else meanwhile.
    pub(crate) fn run_on_a_thread(&self, job: Job) {
        self.block_on.push(job);
    }

    /// Runs what may block a thread.
    pub(crate) fn run_blocking(&self, work: Work) {
        self.blocking.push(work);
    }
}

impl fmt::Debug for Crews {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Crews")
            .field("waiting_for_block_on", &self.block_on.len())
            .field("waiting_for_blocking", &self.blocking.len())
            .finish_non_exhaustive()
    }
}

fn start_current_thread() -> Handle {
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || {
        let runtime = Builder::new_current_thread().build().expect("tokio starts");
        sender.send(runtime.handle().clone()).expect("it is waited for");
        runtime.block_on(pending::<()>());
    });
    receiver.recv().expect("the thread sends it")
}

/// Threads that take one thing after the other.
struct Pool<T> {
    queue: Mutex<VecDeque<T>>,
    comes: Condvar,
}

impl<T: Send + 'static> Pool<T> {
    fn start(threads: usize, run: fn(T)) -> Arc<Self> {
        let pool = Arc::new(Self {
            queue: Mutex::default(),
            comes: Condvar::new(),
        });
        for _ in 0..threads {
            let pool = pool.clone();
            thread::spawn(move || {
                loop {
                    run(pool.pop());
                }
            });
        }
        pool
    }

    fn push(&self, next: T) {
        (self
            .queue
            .lock()
            .expect("no thread panics while it holds the lock"))
        .push_back(next);
        self.comes.notify_one();
    }

    fn pop(&self) -> T {
        let mut queue = self
            .queue
            .lock()
            .expect("no thread panics while it holds the lock");
        loop {
            match queue.pop_front() {
                Some(next) => return next,
                None => {
                    queue = self
                        .comes
                        .wait(queue)
                        .expect("no thread panics while it holds the lock")
                }
            }
        }
    }

    fn len(&self) -> usize {
        self.queue
            .lock()
            .expect("no thread panics while it holds the lock")
            .len()
    }
}
