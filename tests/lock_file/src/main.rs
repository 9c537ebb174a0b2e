//! Uses a cell beside what the project uses already.

use event_listener::Event;
use oncelot::OnceCell;

static EVENT: OnceCell<Event> = OnceCell::new();

fn main() {
    assert!(EVENT.set(Event::new()).is_ok());
    assert_eq!(EVENT.get().map(Event::total_listeners), Some(0));
}
