//! Boxed futures with wakers of their own. The lazy shares its state with the wakers in an `Arc`, which loom watches.

use std::panic::resume_unwind;

use loom::thread;

use super::{
    lazy::{Script, Sleeper, has_panicked},
    reentrant::Inline,
    support::{Failed, Stage, Task, bounded, exhaustive},
};
use crate::BoxLazy;

type Sleeping = BoxLazy<'static, u32>;

/// Plays with a script that lasts until the play is over.
fn with_script(script: Script, play: impl FnOnce(&'static Script)) {
    let script = Box::into_raw(Box::new(script));
    // SAFETY: the script lives until the play is over: no thread uses it later, and no waker refers to it.
    let lasting = unsafe { &*script };
    play(lasting);
    if let Some(thread) = lasting.thread.lock().unwrap().take() {
        thread.join().unwrap();
    }
    // SAFETY: the pointer comes from `Box::into_raw`, and the play is over.
    drop(unsafe { Box::from_raw(script) });
}

/// A lazy whose future sleeps until the events of the script have come.
fn sleeping(script: &'static Script) -> Sleeping {
    let lazy = BoxLazy::boxed(Sleeper { script });
    // Makes loom create its atomic before the threads begin.
    assert_eq!(lazy.try_get(), None);
    lazy
}

/// A lazy that several threads use.
struct Scene {
    stage: &'static Stage,
    lazy: Sleeping,
    script: &'static Script,
}

impl Scene {
    fn run(&'static self) -> u32 {
        *self.stage.run(self.lazy.get())
    }

    /// A task that is waiting for the value.
    fn waiting(&'static self) -> Task<impl Future<Output = &'static u32>> {
        self.stage.waiting(self.lazy.get())
    }
}

fn with_scene(stage: &'static Stage, script: Script, play: impl FnOnce(&'static Scene)) {
    with_script(script, |script| {
        let lazy = sleeping(script);
        let scene = Box::into_raw(Box::new(Scene { stage, lazy, script }));
        // SAFETY: the scene lives until the play is over.
        play(unsafe { &*scene });
        // SAFETY: the pointer comes from `Box::into_raw`, and the play is over.
        drop(unsafe { Box::from_raw(scene) });
    });
}

/// A wake of a boxed future that meets a poll is not lost, and the task that polls next sees the event.
///
/// Risk: the poll has not seen the event, and the waker finds no future asleep; or the next poll does not see it
/// either, as the waker has written nothing that the poll reads.
#[test]
fn a_wake_meets_a_poll() {
    bounded(3, |stage| {
        with_scene(stage, Script::new(1), |scene| {
            let task = scene.waiting();
            // Spurious; so the next poll polls the future.
            scene.script.waker().wake();
            let waking = thread::spawn(|| scene.script.announce(0));
            assert_eq!(*task.run(), 7);
            waking.join().unwrap();
            assert!((2..=3).contains(&scene.script.polls()));
        });
    });
}

/// A waiter that has polled the boxed future, and is held without being polled, blocks no other waiter.
#[test]
fn a_waiter_that_is_held_blocks_no_other() {
    bounded(3, |stage| {
        with_scene(stage, Script::new(1), |scene| {
            let held = scene.waiting();
            let other = thread::spawn(|| scene.run());
            scene.script.announce(0);
            assert_eq!(other.join().unwrap(), 7);
            held.cancel();
        });
    });
}

/// Two wakers of a boxed future that are woken together release the claim once, and the poll sees both events.
#[test]
fn two_wakers_meet_one_waiter() {
    bounded(1, |stage| {
        with_scene(stage, Script::new(2), |scene| {
            let task = scene.waiting();
            let wakers = [0, 1].map(|event| thread::spawn(move || scene.script.announce(event)));
            assert_eq!(*task.run(), 7);
            for waker in wakers {
                waker.join().unwrap();
            }
        });
    });
}

/// A waiter that the waker of a boxed future polls, on the thread of the event, resumes the future while another waiter
/// polls it.
#[test]
fn a_wake_that_polls_meets_another_waiter() {
    bounded(1, |stage| {
        with_scene(stage, Script::new(2), |scene| {
            let inline = Inline::waiting(stage, scene.lazy.get());
            let other = thread::spawn(|| scene.run());
            scene.script.announce(0);
            scene.script.announce(1);
            assert_eq!(*inline.end(), 7);
            assert_eq!(other.join().unwrap(), 7);
        });
    });
}

/// When a boxed future panics, the other waiters panic too, and wakes have no effect.
#[test]
fn when_the_future_panics_the_other_waiter_panics() {
    bounded(2, |stage| {
        let mut script = Script::new(1);
        script.incident = (2, |_| resume_unwind(Box::new(Failed)));
        with_scene(stage, script, |scene| {
            let task = scene.waiting();
            let other = thread::spawn(|| has_panicked(|| scene.run()));
            scene.script.announce(0);
            assert!(has_panicked(|| *task.run()));
            assert!(other.join().unwrap());
            scene.script.waker().wake();
            assert_eq!(scene.script.polls(), 2);
        });
    });
}

/// A waker that outlives the lazy can be woken while the lazy is dropped, and the last of the two frees what they share.
///
/// Risk: the waker releases a claim in memory that was freed; or the thread that frees the memory does not see the last
/// access of the other one.
#[test]
fn a_waker_outlives_the_lazy() {
    exhaustive(|stage| {
        with_script(Script::new(1), |script| {
            let lazy = sleeping(script);
            stage.waiting(lazy.get()).cancel();
            // The only waker, which its wake drops.
            let waker = script.take_waker();
            let waking = thread::spawn(move || waker.wake());
            drop(lazy);
            waking.join().unwrap();
        });
    });
}

/// Wakers on two threads outlive the lazy: one is woken and one is cloned and dropped, after the lazy was.
#[test]
fn two_wakers_outlive_the_lazy() {
    exhaustive(|stage| {
        with_script(Script::new(1), |script| {
            let lazy = sleeping(script);
            stage.waiting(lazy.get()).cancel();
            let waker = script.take_waker();
            let other = waker.clone();
            let waking = thread::spawn(move || waker.wake_by_ref());
            drop(lazy);
            drop(other.clone());
            drop(other);
            waking.join().unwrap();
        });
    });
}

/// A lazy that is taken apart while its waker is woken keeps the future, whose next lazy has a waker of its own.
#[test]
fn a_wake_meets_into_parts() {
    exhaustive(|stage| {
        with_script(Script::new(1), |script| {
            let lazy = sleeping(script);
            stage.waiting(lazy.get()).cancel();
            let waker = script.take_waker();
            let waking = thread::spawn(move || waker.wake());
            let next = BoxLazy::new(lazy.into_parts().expect_err("the future is pending"));
            let task = stage.waiting(next.get());
            waking.join().unwrap();
            assert_eq!(task.wakes(), 0);
            script.announce(0);
            assert_eq!(*task.run(), 7);
            // The waker of the last poll refers to the second lazy.
            drop(script.take_waker());
        });
    });
}
