//! The tasks of a run, and their executor: one thread, which polls tasks in the order of their wakes.

use std::{
    cell::RefCell,
    future::poll_fn,
    mem,
    pin::Pin,
    task::{Context, Poll, ready},
};

use crate::{
    check::Wrong,
    run::{self, Cancel, Kind, Order, Run, TaskId, in_destructor, point, with},
    user::{self, gate},
};

/// What a task does.
pub(crate) type Job<'a> = Pin<Box<dyn Future<Output = ()> + 'a>>;

pub(crate) struct Tasks<'a> {
    /// `None` for a task that has ended.
    jobs: Vec<Option<Job<'a>>>,
}

thread_local! {
    static SPAWNED: RefCell<Vec<(TaskId, Job<'static>)>> = const { RefCell::new(Vec::new()) };
}

/// Returns a job that awaits `future` and passes its output to `then`.
///
/// If the plan says so, the job is an async block, which drops the future while it unwinds. Otherwise the future is
/// dropped after the panic was caught.
pub(crate) fn job<'a, F: Future + 'a>(future: F, then: impl FnOnce(F::Output) + 'a) -> Job<'a> {
    if with(|run| run.plan.in_async) {
        return Box::pin(async { then(future.await) });
    }
    let mut future = Box::pin(future);
    let mut then = Some(then);
    Box::pin(poll_fn(move |cx| {
        let output = ready!(future.as_mut().poll(cx));
        let then = then.take().expect("it is ready once");
        then(output);
        Poll::Ready(())
    }))
}

/// Returns a job that does not wait.
pub(crate) fn act<'a>(f: impl FnOnce() + 'a) -> Job<'a> {
    Box::pin(async { f() })
}

/// Returns a job that cancels or moves another task.
pub(crate) fn order(order: Order) -> Job<'static> {
    act(move || with(|run| run.orders.push(order)))
}

/// Returns a job that opens the gate, even if there is a panic before.
pub(crate) fn open_gate() -> Job<'static> {
    act(|| in_destructor(gate::open))
}

impl<'a> Tasks<'a> {
    /// Returns no tasks, or those of this run that have ended before.
    pub(crate) fn new() -> Self {
        let mut jobs = Vec::new();
        jobs.resize_with(with(|run| run.tasks.len()), || None);
        Self { jobs }
    }

    /// Adds a task, which is polled after those before it. `make` already runs as this task.
    pub(crate) fn add(&mut self, make: impl FnOnce() -> Job<'a>) -> TaskId {
        let task = run::new_task(None);
        let job = run::run_as(task, false, make);
        self.start(task, job);
        task
    }

    fn start(&mut self, task: TaskId, job: Option<Job<'a>>) {
        assert_eq!(task, self.jobs.len(), "tasks are numbered in order");
        self.jobs.push(job);
        user::renew_wakers(task);
        with(|run| run.progress += 1);
        run::wake(task);
    }

    /// Runs until all tasks sleep. Then opens the gate, in case that no task has opened it, and continues.
    pub(crate) fn run(&mut self) {
        self.run_with_gate_shut();
        run::without_points(gate::open);
        self.run_with_gate_shut();
    }

    /// Runs until all tasks sleep. Polls those once more whose own waker has panicked.
    pub(crate) fn run_with_gate_shut(&mut self) {
        loop {
            self.run_woken();
            let tasks = with(with_panicked_wakers);
            if tasks.is_empty() {
                return;
            }
            tasks.into_iter().for_each(run::wake);
        }
    }

    fn run_woken(&mut self) {
        let mut progress = with(|run| run.progress);
        let mut in_vain = Vec::new();
        while let Some(task) = with(|run| (!run.woken.is_empty()).then(|| run.woken.remove(0))) {
            self.poll(task);
            self.apply_orders();
            let now = with(|run| run.progress);
            if mem::replace(&mut progress, now) != now {
                in_vain.clear();
                continue;
            }
            in_vain.push(task);
            if in_vain.len() > 3 * self.jobs.len() + 4 {
                in_vain.sort_unstable();
                in_vain.dedup();
                run::wrong(Wrong::Spinning(in_vain));
                run::wake(task);
                return;
            }
        }
    }

    fn poll(&mut self, task: TaskId) {
        let (polls, cancel) = with(|run| (run.tasks[task].polls, run.plan.cancel));
        if cancel == Some(Cancel::WhenWoken(task, polls)) {
            return self.cancel(task);
        }
        let Some(job) = &mut self.jobs[task] else {
            return;
        };
        with(|run| run.tasks[task].polls += 1);
        let waker = user::waker(task);
        let cx = &mut Context::from_waker(&waker);
        match run::run_as(task, false, || job.as_mut().poll(cx)) {
            Some(Poll::Pending) if cancel == Some(Cancel::AtOnce(task, polls + 1)) => self.cancel(task),
            Some(Poll::Pending) => {}
            Some(Poll::Ready(())) | None => self.end(task),
        }
    }

    fn cancel(&mut self, task: TaskId) {
        if self.jobs[task].is_none() {
            return;
        }
        with(|run| {
            run.tasks[task].is_cancelled = true;
            if matches!(run.plan.cancel, Some(Cancel::AtOnce(id, _) | Cancel::WhenWoken(id, _)) if id == task)
            {
                run.points_before_cancel = run.points.len();
            }
        });
        self.end(task);
    }

    fn end(&mut self, task: TaskId) {
        let job = self.jobs[task].take();
        with(|run| run.progress += 1);
        run::run_as(task, true, || drop(job));
    }

    /// Starts the tasks that were spawned, and carries out the orders.
    fn apply_orders(&mut self) {
        for (task, job) in SPAWNED.take() {
            self.start(task, Some(job));
        }
        for order in with(|run| mem::take(&mut run.orders)) {
            match order {
                Order::Cancel(task) => self.cancel(task),
                Order::Move(task) => {
                    user::renew_wakers(task);
                    run::wake(task);
                }
            }
        }
    }

    /// Returns the tasks that have not ended.
    pub(crate) fn present(&self) -> Vec<TaskId> {
        let tasks = 0..self.jobs.len();
        tasks.filter(|task| self.jobs[*task].is_some()).collect()
    }

    /// Drops the tasks that have not ended.
    pub(crate) fn cancel_all(mut self) {
        for task in self.present() {
            self.cancel(task);
        }
    }
}

/// Returns the tasks whose own waker has panicked since the last call.
fn with_panicked_wakers(run: &mut Run) -> Vec<TaskId> {
    let mut tasks = Vec::new();
    for number in &run.plan.panics {
        let Some(point) = run.points.get(*number) else {
            continue;
        };
        if matches!(point.kind, Kind::Wake | Kind::WakeByRef) && !run.rescued.contains(number) {
            run.rescued.push(*number);
            tasks.extend(point.waker_of);
        }
    }
    tasks
}

/// A runtime that spawns tasks of the run.
pub(crate) struct Spawner;

impl oncelot::runtime::Runtime for Spawner {
    fn spawn<F: Future<Output = ()> + Send + 'static>(&self, task: F) {
        point(Kind::Spawn);
        let id = run::new_task(Some(run::current()));
        SPAWNED.with_borrow_mut(|spawned| spawned.push((id, Box::pin(task))));
    }

    fn spawn_blocking<F: FnOnce() + Send + 'static>(&self, work: F) {
        self.spawn(async { work() });
    }

    fn poll_coop<T>(&self, cx: &mut Context<'_>, poll: impl FnOnce(&mut Context<'_>) -> Poll<T>) -> Poll<T> {
        // The future of a caller that spawns.
        run::record(|task| task.is_async = true);
        point(Kind::PollCoop);
        poll(cx)
    }
}
