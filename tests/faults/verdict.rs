//! The checks after a run.

use crate::{
    bed::Bed,
    world::{Call, Caught, Doing, Kind, OWNER, Panic, Record, Thing, Who, Wrong},
};

/// What was wrong and is not excused; and which exceptions have excused something.
pub(crate) struct Verdict {
    pub(crate) wrong: Vec<Wrong>,
    pub(crate) excused_by: Vec<usize>,
}

pub(crate) fn judge<B: Bed>(record: &Record) -> Verdict {
    let mut verdict = Verdict {
        wrong: Vec::new(),
        excused_by: Vec::new(),
    };
    let of_panics = wrong_panics(record);
    for wrong in record.wrong.iter().cloned().chain(of_panics) {
        match B::EXCEPTIONS
            .iter()
            .position(|exception| (exception.excuses)(record, &wrong))
        {
            Some(exception) => verdict.excused_by.push(exception),
            None => verdict.wrong.push(wrong),
        }
    }
    verdict
}

/// Each injected panic has reached the right actor, once, and there was no other panic.
fn wrong_panics(record: &Record) -> Vec<Wrong> {
    let mut wrong = Vec::new();
    for (number, call) in record.plan.faults.iter().zip(record.faults()) {
        let reached: Vec<Who> = (record.caught.iter())
            .filter(|caught| caught.panic == Panic::Fault(*number))
            .map(|caught| caught.who)
            .collect();
        let allowed = receivers(record, *number, call);
        if !allowed.iter().any(|allowed| reached.iter().copied().eq(*allowed)) {
            wrong.push(Wrong::Other(format!(
                "the panic of call {number} has reached {reached:?}, and not {allowed:?}"
            )));
        }
    }
    for Caught { who, panic } in &record.caught {
        match panic {
            Panic::Own(message) if !may_panic(record, *who, message) => {
                wrong.push(Wrong::Panicked(*who, message.clone()));
            }
            _ => {}
        }
    }
    wrong
}

/// The actors that the panic of a call may reach: the one that is running, except as the documentation says.
fn receivers(record: &Record, number: usize, call: Call) -> Vec<Option<Who>> {
    if call.is_unwinding {
        // "The first panic propagates; later panics are discarded"; and "with `std`, a panic in its destructor is
        // discarded".
        return vec![None];
    }
    let starter = match call.who {
        OWNER => None,
        who => record.parents[who],
    };
    let Some(starter) = starter.filter(|_| call.doing == Doing::Polling) else {
        return vec![Some(call.who)];
    };
    // In the task of an initializer. The task itself sends the report to the caller that started it.
    if call.kind == Kind::Wake && call.target == Some(starter) {
        return vec![Some(call.who)];
    }
    let has_gone = record.cancelled.contains(&starter)
        || record
            .caught
            .iter()
            .any(|caught| caught.who == starter && caught.panic != Panic::Fault(number));
    if !has_gone {
        // "A panic in the initializer is resumed in the caller that started it."
        return vec![Some(starter)];
    }
    match call.kind {
        // The report, with an error that no caller has taken.
        Kind::Drop(Thing::Error) => vec![Some(call.who), None],
        // If the caller was cancelled, only the panic hook sees the panic.
        _ => vec![None],
    }
}

/// Returns whether the crate may panic with this message.
fn may_panic(record: &Record, who: Who, message: &str) -> bool {
    let is_poison = message.contains("is poisoned: its future panicked");
    let is_lost = message.starts_with("the runtime dropped a spawned initializer before it completed");
    let lost = || {
        let mut cancelled = record.cancelled.iter();
        cancelled.any(|task| record.parents[*task] == Some(who))
    };
    is_poison && record.is_poisoned() || is_lost && lost()
}
