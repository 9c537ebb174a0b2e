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
    run::{self, Cancel, Kind, Order, TaskId, point, with},
    user::{self, gate},
};

pub(crate) type Job<'a> = Pin<Box<dyn Future<Output = ()> + 'a>>;

struct Task<'a> {
    /// `None` after its end.
    job: Option<Job<'a>>,
    /// The number of its wakers.
    wakers: usize,
    /// Whether only a value wakes it. The end of an initializer wakes the other tasks, too.
    waits_for_value: bool,
}

pub(crate) struct Tasks<'a> {
    tasks: Vec<Task<'a>>,
    /// The injected panics after which the task whose waker has panicked was polled all the same.
    rescued: Vec<usize>,
}

thread_local! {
    static SPAWNED: RefCell<Vec<(TaskId, Job<'static>)>> = const { RefCell::new(Vec::new()) };
}

/// A job that awaits `future` and passes its output to `then`.
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

/// A job that does not wait.
pub(crate) fn act<'a>(f: impl FnOnce() + 'a) -> Job<'a> {
    Box::pin(async { f() })
}

/// A job that cancels or moves another task.
pub(crate) fn order(order: Order) -> Job<'static> {
    act(move || with(|run| run.orders.push(order)))
}

impl<'a> Tasks<'a> {
    /// Returns no tasks, or those of this run that have ended before.
    pub(crate) fn new() -> Self {
        let ended = || Task {
            job: None,
            wakers: 0,
            waits_for_value: false,
        };
        let mut tasks = Vec::new();
        tasks.resize_with(with(|run| run.tasks.len()), ended);
        let rescued = Vec::new();
        Self { tasks, rescued }
    }

    /// Adds a task, which is polled after those before it. `make` already runs as this task.
    pub(crate) fn add(&mut self, make: impl FnOnce() -> Job<'a>) -> TaskId {
        let task = run::new_task(None);
        let job = run::run_as(task, false, make);
        self.adopt(task, job);
        task
    }

    /// Adds a task that only a value wakes.
    pub(crate) fn add_for_value(&mut self, make: impl FnOnce() -> Job<'a>) -> TaskId {
        let task = self.add(make);
        self.tasks[task].waits_for_value = true;
        task
    }

    fn adopt(&mut self, task: TaskId, job: Option<Job<'a>>) {
        assert_eq!(task, self.tasks.len(), "tasks are numbered in order");
        self.tasks.push(Task {
            job,
            wakers: user::new_wakers(task),
            waits_for_value: false,
        });
        with(|run| run.progress += 1);
        run::wake(task);
    }

    /// Runs until all tasks sleep. Then opens the gate, if no task could, and goes on.
    pub(crate) fn run(&mut self) {
        self.run_with_gate_shut();
        run::without_points(gate::open);
        self.run_with_gate_shut();
    }

    /// Runs until all tasks sleep. Polls those once more whose own waker has panicked.
    pub(crate) fn run_with_gate_shut(&mut self) {
        loop {
            self.run_woken();
            let victims = self.victims();
            if victims.is_empty() {
                return;
            }
            victims.into_iter().for_each(run::wake);
        }
    }

    fn victims(&mut self) -> Vec<TaskId> {
        let mut victims = Vec::new();
        with(|run| {
            for number in &run.plan.panics {
                let Some(point) = run.points.get(*number) else {
                    continue;
                };
                let is_wake = matches!(point.kind, Kind::Wake | Kind::WakeByRef);
                if is_wake && !self.rescued.contains(number) {
                    self.rescued.push(*number);
                    victims.extend(point.waker_of);
                }
            }
        });
        victims
    }

    fn run_woken(&mut self) {
        let mut progress = with(|run| run.progress);
        let mut in_vain = Vec::new();
        while let Some(task) = with(|run| (!run.woken.is_empty()).then(|| run.woken.remove(0))) {
            self.poll(task);
            self.obey();
            let now = with(|run| run.progress);
            if mem::replace(&mut progress, now) != now {
                in_vain.clear();
                continue;
            }
            in_vain.push(task);
            if in_vain.len() > 3 * self.tasks.len() + 4 {
                in_vain.sort_unstable();
                in_vain.dedup();
                run::wrong(Wrong::Spinning(in_vain));
                run::wake(task);
                return;
            }
        }
    }

    fn poll(&mut self, id: TaskId) {
        let is_planned = |when_woken| {
            with(|run| {
                let polls = run.tasks[id].polls;
                let task = id;
                run.plan.cancel
                    == Some(Cancel {
                        task,
                        polls,
                        when_woken,
                    })
            })
        };
        if is_planned(true) {
            return self.cancel(id);
        }
        let task = &mut self.tasks[id];
        let Some(job) = &mut task.job else {
            return;
        };
        with(|run| run.tasks[id].polls += 1);
        let waker = user::waker(task.wakers);
        let cx = &mut Context::from_waker(&waker);
        match run::run_as(id, false, || job.as_mut().poll(cx)) {
            Some(Poll::Pending) if is_planned(false) => self.cancel(id),
            Some(Poll::Pending) => {}
            Some(Poll::Ready(())) | None => self.end(id),
        }
    }

    fn cancel(&mut self, id: TaskId) {
        if self.tasks[id].job.is_none() {
            return;
        }
        with(|run| {
            run.tasks[id].is_cancelled = true;
            if run.plan.cancel.is_some_and(|cancel| cancel.task == id) {
                run.points_before_cancel = run.points.len();
            }
        });
        self.end(id);
    }

    fn end(&mut self, id: TaskId) {
        let job = self.tasks[id].job.take();
        with(|run| run.progress += 1);
        run::run_as(id, true, || drop(job));
    }

    /// Does what tasks cannot do.
    fn obey(&mut self) {
        for (task, job) in SPAWNED.take() {
            self.adopt(task, Some(job));
        }
        for order in with(|run| mem::take(&mut run.orders)) {
            match order {
                Order::Cancel(task) => self.cancel(task),
                Order::Move(task) => {
                    self.tasks[task].wakers = user::new_wakers(task);
                    run::wake(task);
                }
            }
        }
    }

    /// Returns the tasks that have not ended.
    pub(crate) fn present(&self) -> Vec<TaskId> {
        let tasks = 0..self.tasks.len();
        tasks.filter(|task| self.tasks[*task].job.is_some()).collect()
    }

    pub(crate) fn waits_for_value(&self, task: TaskId) -> bool {
        self.tasks[task].waits_for_value
    }

    /// Drops the tasks that have not ended.
    pub(crate) fn cancel_all(mut self) {
        for task in self.present() {
            self.cancel(task);
        }
    }
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
        point(Kind::PollCoop);
        poll(cx)
    }
}
