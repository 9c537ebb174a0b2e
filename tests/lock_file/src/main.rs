//! Uses a cell next to a crate that the project already depended on.

use event_listener::Event;
use oncelot::OnceCell;

static EVENT: OnceCell<Event> = OnceCell::new();

fn main() {
    assert!(EVENT.set(Event::new()).is_ok());
    assert_eq!(EVENT.get().map(Event::total_listeners), Some(0));
}
