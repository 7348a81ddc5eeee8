//! What this thread's kernel holds: for each static its contents, and the clock.

use std::{
    any::Any,
    cell::{Cell, RefCell},
    collections::HashMap,
};

thread_local! {
    static CONTENTS: RefCell<HashMap<usize, Box<dyn Any>>> = RefCell::default();
    static NOW: Cell<u64> = const { Cell::new(0) };
}

/// Forgets everything.
pub fn reset() {
    CONTENTS.with_borrow_mut(HashMap::clear);
    NOW.set(0);
}

/// What the clock shows from now on, in nanoseconds.
pub fn set_now(ns: u64) {
    NOW.set(ns);
}

pub(crate) fn now() -> u64 {
    NOW.get()
}

/// The contents of `of`, made where there are none.
///
/// # Panics
///
/// If one static has contents of two types.
pub(crate) fn get_or<S, C: 'static, R>(
    of: &S,
    make: impl FnOnce() -> C,
    with: impl FnOnce(&mut C) -> R,
) -> R {
    CONTENTS.with_borrow_mut(|all| {
        let address = std::ptr::from_ref(of) as usize;
        let contents = all.entry(address).or_insert_with(|| Box::new(make()));
        with(contents.downcast_mut().expect("one type a static"))
    })
}
