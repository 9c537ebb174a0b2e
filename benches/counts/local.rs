//! The cell with the backend `Local`, next to the one with the default backend.

use crate::common::cell::async_cell;

async_cell!(
    OncelotLocal, "oncelot `Local`", oncelot::LocalOnceCell<T>,
    with_backend, with_backend_and_value, init => move || init
);

/// Samples a figure for the cell of one thread as well: `with_local!(async_cells!(C => bytes_of_cell::<C>()))`.
macro_rules! with_local {
    ($crates:ident!($cell:ident => $sample:expr)) => {{
        let mut crates = $crates!($cell => $sample);
        let local = $crate::common::figure::Contender::of_ours(
            <$crate::local::OncelotLocal as $crate::common::cell::Cell>::NAME,
            || {
                type $cell = $crate::local::OncelotLocal;
                $sample
            },
        );
        crates.insert(1, local);
        crates
    }};
}

pub(crate) use with_local;
