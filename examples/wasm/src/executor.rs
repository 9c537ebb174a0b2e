//! Tasks that run as microtasks of JavaScript.

use std::{
    cell::RefCell,
    collections::{BTreeMap, VecDeque},
    future::{Future, poll_fn},
    mem,
    pin::Pin,
    rc::Rc,
    sync::{Arc, Mutex},
    task::{Context, Poll, Wake, Waker},
};

use crate::host;

type Task = Pin<Box<dyn Future<Output = ()>>>;

/// The numbers of the tasks that have been woken.
static WOKEN: Mutex<VecDeque<u32>> = Mutex::new(VecDeque::new());

#[derive(Default)]
struct Tasks {
    next: u32,
    /// All tasks that have not ended, except the one that is being polled.
    asleep: BTreeMap<u32, Task>,
}

thread_local! {
    static TASKS: RefCell<Tasks> = RefCell::default();
}

struct TaskWaker(u32);

impl Wake for TaskWaker {
    fn wake(self: Arc<Self>) {
        let mut woken = WOKEN.lock().expect("no thread panics with it");
        // Otherwise JavaScript knows already.
        if woken.is_empty() {
            host::schedule();
        }
        woken.push_back(self.0);
    }
}

/// A task that has been spawned. It runs on if this is dropped.
#[derive(Debug)]
pub(crate) struct Handle<R> {
    id: u32,
    end: Rc<RefCell<End<R>>>,
}

#[derive(Debug)]
enum End<R> {
    /// Not yet set. Holds the waker of the task that joins.
    Awaited(Option<Waker>),
    Reached(Option<R>),
}

pub(crate) fn spawn<R: 'static>(future: impl Future<Output = R> + 'static) -> Handle<R> {
    let end = Rc::new(RefCell::new(End::Awaited(None)));
    let reached = end.clone();
    let task = Box::pin(async move {
        let result = future.await;
        let before = mem::replace(&mut *reached.borrow_mut(), End::Reached(Some(result)));
        if let End::Awaited(Some(waker)) = before {
            waker.wake();
        }
    });
    let id = TASKS.with_borrow_mut(|tasks| {
        tasks.next += 1;
        tasks.asleep.insert(tasks.next, task);
        tasks.next
    });
    Waker::from(Arc::new(TaskWaker(id))).wake();
    Handle { id, end }
}

/// What JavaScript calls after `schedule`.
#[unsafe(no_mangle)]
pub(crate) extern "C" fn run_tasks() {
    let woken = mem::take(&mut *WOKEN.lock().expect("no thread panics with it"));
    for id in woken {
        // It may have ended since it was woken.
        if let Some(mut task) = TASKS.with_borrow_mut(|tasks| tasks.asleep.remove(&id)) {
            let waker = Waker::from(Arc::new(TaskWaker(id)));
            if task.as_mut().poll(&mut Context::from_waker(&waker)).is_pending() {
                TASKS.with_borrow_mut(|tasks| tasks.asleep.insert(id, task));
            }
        }
    }
}

impl<R> Handle<R> {
    /// Drops the task, and returns `true` if it had not ended.
    pub(crate) fn cancel(self) -> bool {
        let task = TASKS.with_borrow_mut(|tasks| tasks.asleep.remove(&self.id));
        task.is_some()
    }

    /// Waits for the result of the task.
    pub(crate) async fn join(self) -> R {
        poll_fn(|cx| match &mut *self.end.borrow_mut() {
            End::Awaited(waker) => {
                *waker = Some(cx.waker().clone());
                Poll::Pending
            }
            End::Reached(result) => Poll::Ready(result.take().expect("joined once")),
        })
        .await
    }
}
