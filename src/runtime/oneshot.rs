//! A oneshot channel from a spawned initializer to the caller that spawned it.

use core::{future::poll_fn, pin::pin};
use std::sync::{Mutex, PoisonError};

use super::Runtime;
use crate::{
    backend::{Intrusive, WaiterKind},
    raw::{RawCell, wait::WaitFuture},
    sync,
};

/// The message, or `None` if the sender was dropped without sending. The mutex makes the channel `Sync` although the message
/// need only be `Send`.
type Channel<T> = RawCell<Mutex<Option<T>>, Intrusive>;

/// The sending half.
pub(super) struct Sender<T>(sync::Arc<Channel<T>>);

/// The receiving half.
pub(super) struct Receiver<T>(sync::Arc<Channel<T>>);

pub(super) fn channel<T>() -> (Sender<T>, Receiver<T>) {
    let channel = Channel::empty();
    // Makes loom create its atomic before other threads reach it.
    #[cfg(oncelot_loom)]
    assert!(!channel.is_ready());
    let channel = sync::Arc::new(channel);
    (Sender(channel.clone()), Receiver(channel))
}

impl<T> Sender<T> {
    pub(super) fn send(self, message: T) {
        self.publish(Some(message));
    }

    /// Publishes `message`, unless a message was published before.
    fn publish(&self, message: Option<T>) {
        if let Ok(claim) = self.0.try_claim() {
            claim.publish(Mutex::new(message));
        }
    }
}

impl<T> Drop for Sender<T> {
    fn drop(&mut self) {
        self.publish(None);
    }
}

impl<T> Receiver<T> {
    /// Waits for the message, and returns it, or `None` if the sender was dropped without sending.
    pub(super) async fn recv(self, runtime: &impl Runtime) -> Option<T> {
        let mut waiting = pin!(WaitFuture::untraced(&*self.0, WaiterKind::Passive));
        let published = poll_fn(|cx| runtime.poll_coop(cx, |cx| waiting.as_mut().poll_value(cx)));
        let mut message = published.await.lock().unwrap_or_else(PoisonError::into_inner);
        message.take()
    }
}
