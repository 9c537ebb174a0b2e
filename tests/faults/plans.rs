//! The fault plans of a scenario, which are derived from the records of its runs, and the runs of all plans.

use std::{
    collections::BTreeMap,
    fmt,
    panic::{AssertUnwindSafe, catch_unwind, resume_unwind},
};

use crate::{
    bed::Bed,
    lookout::Lookout,
    verdict::judge,
    world::{self, Call, Cancel, Plan, Record},
};

/// If a run has another fault and more calls than these, only the first, the second and the last call of each kind
/// panic.
const MANY: usize = 6;

/// In runs with more calls than these, there are no two panics.
const LONG: usize = 40;

/// With more actors than these, runs with a cancellation have no panic.
const CROWD: usize = 16;

/// What was run on one backend.
pub(crate) struct Tally {
    pub(crate) scenarios: usize,
    /// Runs with one panic.
    pub(crate) faults: usize,
    /// Runs with two.
    pub(crate) pairs: usize,
    /// Runs with a cancellation, and no panic.
    pub(crate) cancellations: usize,
    /// Runs with a cancellation and a panic.
    pub(crate) faults_beside_cancellations: usize,
    /// How often each exception was needed.
    pub(crate) excused: BTreeMap<usize, usize>,
    failures: Vec<String>,
    failed: usize,
    lookout: Lookout,
}

impl Tally {
    pub(crate) fn begin() -> Self {
        Self {
            scenarios: 0,
            faults: 0,
            pairs: 0,
            cancellations: 0,
            faults_beside_cancellations: 0,
            excused: BTreeMap::new(),
            failures: Vec::new(),
            failed: 0,
            lookout: Lookout::begin(),
        }
    }

    /// Runs a scenario without a fault, with each panic, with each cancellation, and with a panic after each
    /// cancellation. Stops after the first run that goes wrong.
    pub(crate) fn run<B: Bed, S: fmt::Debug + Copy>(&mut self, scenario: S, play: fn(S)) {
        if self.failed > 0 {
            return;
        }
        self.scenarios += 1;
        self.lookout.enter(B::NAME, scenario);
        for in_async in [false, true] {
            let plan = Plan {
                in_async,
                ..Plan::default()
            };
            let dry = self.play::<B, S>(scenario, play, plan.clone());
            for fault in points(&dry.calls, 0) {
                let plan = plan.with_fault(fault);
                let faulted = self.play::<B, S>(scenario, play, plan.clone());
                self.faults += 1;
                if dry.calls.len() > LONG {
                    continue;
                }
                for second in few_points(&faulted.calls, fault + 1) {
                    self.play::<B, S>(scenario, play, plan.with_fault(second));
                    self.pairs += 1;
                }
            }
            let is_crowded = dry.polls.len() > CROWD;
            for cancel in cancellations(&dry) {
                let plan = Plan {
                    cancel: Some(cancel),
                    ..plan.clone()
                };
                let cancelled = self.play::<B, S>(scenario, play, plan.clone());
                self.cancellations += 1;
                if is_crowded {
                    continue;
                }
                for fault in few_points(&cancelled.calls, cancelled.calls_before) {
                    self.play::<B, S>(scenario, play, plan.with_fault(fault));
                    self.faults_beside_cancellations += 1;
                }
            }
        }
    }

    fn play<B: Bed, S: fmt::Debug + Copy>(&mut self, scenario: S, play: fn(S), plan: Plan) -> Record {
        self.lookout.run(&plan);
        world::begin(plan, B::PANICS);
        let played = catch_unwind(AssertUnwindSafe(|| play(scenario)));
        let record = world::end();
        if let Err(payload) = played {
            eprintln!("in {scenario:?} on {} with {:?}", B::NAME, record.plan);
            resume_unwind(payload);
        }
        let verdict = judge::<B>(&record);
        for exception in verdict.excused_by {
            *self.excused.entry(exception).or_default() += 1;
        }
        if !verdict.wrong.is_empty() {
            self.failed += 1;
            if self.failures.len() < 5 {
                let faults: Vec<Call> = record.faults().collect();
                self.failures.push(format!(
                    "{scenario:?} on {}, with {:?}, that is {faults:?}:\n  {:?}\n  panics: {:?}",
                    B::NAME,
                    record.plan,
                    verdict.wrong,
                    record.caught
                ));
            }
        }
        record
    }

    /// Says what was run, and fails if anything was wrong, or an exception was not needed.
    pub(crate) fn conclude<B: Bed>(&self) {
        println!(
            "faults: {}: {} scenarios; {} runs with one panic, {} with two; {} with a cancellation, {} with a \
             cancellation and a panic; excused: {:?}",
            B::NAME,
            self.scenarios,
            self.faults,
            self.pairs,
            self.cancellations,
            self.faults_beside_cancellations,
            self.excused
        );
        assert!(
            self.failures.is_empty(),
            "{} runs went wrong, and these among them:\n{}",
            self.failed,
            self.failures.join("\n")
        );
        for (number, exception) in B::EXCEPTIONS.iter().enumerate() {
            assert!(
                self.excused.contains_key(&number),
                "{} does no longer need to be excused by {:?}",
                B::NAME,
                exception.reason
            );
        }
    }
}

impl Plan {
    fn with_fault(&self, fault: usize) -> Self {
        let mut plan = self.clone();
        plan.faults.push(fault);
        plan
    }
}

/// The calls from `first` on that may panic.
fn points(calls: &[Call], first: usize) -> Vec<usize> {
    let calls = calls.iter().enumerate().skip(first);
    calls
        .filter(|(_, call)| !call.would_abort)
        .map(|(number, _)| number)
        .collect()
}

/// Returns all points, or if there are many, the first, the second and the last one of each kind.
fn few_points(calls: &[Call], first: usize) -> Vec<usize> {
    let points = points(calls, first);
    if points.len() <= MANY {
        return points;
    }
    let mut of_kinds = BTreeMap::<_, Vec<usize>>::new();
    for point in points {
        let call = calls[point];
        of_kinds.entry((call.kind, call.doing)).or_default().push(point);
    }
    let chosen = of_kinds.into_values().flat_map(|mut points| {
        let last = points.split_off(points.len().min(2)).pop();
        points.into_iter().chain(last)
    });
    chosen.collect()
}

/// Every actor that is a task, before and after each of its polls: at once, and when it would be polled again.
fn cancellations(dry: &Record) -> Vec<Cancel> {
    let mut cancellations = Vec::new();
    let actors = dry.polls.len() - dry.extras;
    for (who, &polls) in dry.polls[..actors].iter().enumerate() {
        if dry.threads.contains(&who) {
            continue;
        }
        for polls in 0..polls {
            for when_woken in [true, false] {
                if polls > 0 || when_woken {
                    cancellations.push(Cancel {
                        who,
                        polls,
                        when_woken,
                    });
                }
            }
        }
    }
    cancellations
}
