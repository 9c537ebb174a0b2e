//! Ordinary expressions in `lazy!`: each compiles as if it were written by hand, without a warning, and has its value.
//!
//! The test `compilation` also builds and runs this file in other editions, so it uses neither the syntax of a newer
//! edition nor a crate other than this one.

#![deny(warnings)]
#![warn(
    future_incompatible,
    let_underscore,
    nonstandard_style,
    rust_2018_idioms,
    unused
)]
#![warn(rust_2021_compatibility, rust_2024_compatibility)]
#![warn(
    missing_docs,
    single_use_lifetimes,
    unreachable_pub,
    unused_lifetimes,
    unused_qualifications
)]
#![warn(clippy::pedantic, clippy::nursery)]

use std::{
    future::Future,
    pin::{Pin, pin},
    task::{Context, Poll, Waker},
};

use oncelot::StaticLazy;

/// Polls the future of a static until it has a value.
fn value_of<T: Send + Sync>(lazy: &'static StaticLazy<T>) -> &'static T {
    let mut get = pin!(lazy.get());
    let mut cx = Context::from_waker(Waker::noop());
    loop {
        if let Poll::Ready(value) = get.as_mut().poll(&mut cx) {
            return value;
        }
    }
}

/// Is pending once.
async fn yield_now() {
    let mut yielded = false;
    std::future::poll_fn(move |cx| {
        if std::mem::replace(&mut yielded, true) {
            return Poll::Ready(());
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

/// Types of statics, as they are written, inferred from, and converted to.
mod types {
    use std::{
        borrow::Cow, collections::HashMap, convert::Infallible, error::Error, fmt::Debug,
        marker::PhantomData, str::FromStr, sync::Mutex,
    };

    use super::{value_of, yield_now};

    type Pair<T> = (T, T);

    macro_rules! byte {
        () => {
            u8
        };
    }

    oncelot::lazy! {
        // Without the static lifetime.
        static STR: &str = async { "a" };
        static STR_OF_A_CALL: &str = name();
        static COW: Cow<'_, str> = async { "a".into() };
        static NESTED: Option<&[&str]> = async { Some(&["a"]) };
        static REFERENCE: &(dyn Fn(&str) -> &str + Send + Sync) = async { &|text| text };
        static MARKER: PhantomData<&u8> = async { PhantomData };
        // Any syntax.
        static STATIC_STR: &'static str = async { "a" };
        static FUNCTION: for<'a> fn(&'a str, &str) -> &'a str = async { |first, _| first };
        static COMMAS: Mutex<HashMap<u8, (Vec<u16>, [u32; 1 + 2])>> = async { Mutex::new(HashMap::new()) };
        static ALIAS: Pair<u32> = async { (1, 2) };
        static PATH: ::std::string::String = async { 'c'.into() };
        static MACRO: byte!() = async { 255 };
        static UNIT: () = async {};
        #[allow(non_upper_case_globals)]
        static r#type: u32 = async { 1 };
        // Inferred.
        static NUMBER: u64 = async {
            let number = 7;
            yield_now().await;
            number
        };
        static NONE: Option<u32> = async { None };
        static FAILED: Result<u16, Box<dyn Error + Send + Sync>> = async {
            let number = "seventeen".parse()?;
            yield_now().await;
            Ok(number)
        };
        static GENERIC: i64 = parse("-3");
        static READY: Option<Vec<u8>> = std::future::ready(None);
        // Converted.
        static CLOSURE: Box<dyn Fn() -> u32 + Send + Sync> = async {
            let number = 3;
            yield_now().await;
            Box::new(move || number)
        };
        static IN_A_RESULT: Result<Box<dyn Fn() -> u32 + Send + Sync>, Box<dyn Error + Send + Sync>> = async {
            let number = "4".parse()?;
            Ok(Box::new(move || number))
        };
        static AWAITED: Box<dyn Debug + Send + Sync> = async { boxed().await };
        static SLICE: &[u8] = async { &[1, 2, 3] };
        static FUNCTIONS: [fn(&str) -> &str; 2] = async { [|text| text, str::trim] };
        static NEVER: u32 = async { unreachable!("this static is not used") };
        static NEVER_RETURNS: u32 = async {
            loop {
                yield_now().await;
            }
        };
        static EMPTY: Infallible = std::future::pending();
    }

    async fn name() -> &'static str {
        yield_now().await;
        "name"
    }

    async fn parse<T: FromStr + Default>(text: &str) -> T {
        yield_now().await;
        text.parse().unwrap_or_default()
    }

    async fn boxed() -> Box<u8> {
        yield_now().await;
        Box::new(5)
    }

    #[test]
    fn may_leave_out_the_static_lifetime() {
        let kept: &'static &'static str = value_of(&STATIC_STR);
        assert_eq!(
            [kept, value_of(&STR), value_of(&STR_OF_A_CALL)],
            [&"a", &"a", &"name"]
        );
        assert_eq!(value_of(&COW), "a");
        assert_eq!(value_of(&NESTED), &Some(&["a"][..]));
        assert_eq!(value_of(&REFERENCE)("a"), "a");
        assert_eq!(value_of(&MARKER), &PhantomData);
    }

    #[test]
    fn may_have_any_syntax() {
        assert_eq!(value_of(&FUNCTION)("a", "b"), "a");
        assert!(value_of(&COMMAS).lock().unwrap().is_empty());
        assert_eq!((value_of(&ALIAS), value_of(&MACRO)), (&(1, 2), &255));
        assert_eq!((value_of(&UNIT), value_of(&r#type)), (&(), &1));
        assert_eq!(value_of(&PATH), "c");
    }

    #[test]
    fn are_inferred_and_converted_to() {
        assert_eq!((value_of(&NUMBER), value_of(&GENERIC)), (&7, &-3));
        assert_eq!((value_of(&NONE), value_of(&READY)), (&None, &None));
        let error = value_of(&FAILED).as_ref().unwrap_err();
        assert_eq!(error.to_string(), "invalid digit found in string");
        assert_eq!(value_of(&CLOSURE)(), 3);
        assert_eq!(value_of(&IN_A_RESULT).as_ref().unwrap()(), 4);
        assert_eq!(format!("{:?}", value_of(&AWAITED)), "5");
        assert_eq!(value_of(&SLICE), &[1, 2, 3]);
        assert_eq!(value_of(&FUNCTIONS).map(|function| function(" a ")), [" a ", "a"]);
        assert_eq!((NEVER.try_get(), NEVER_RETURNS.try_get()), (None, None));
        assert!(EMPTY.try_get().is_none());
    }
}

/// Expressions that are not `async` blocks.
mod expressions {
    use std::{
        future::{IntoFuture, Ready, poll_fn, ready},
        sync::atomic::{AtomicU32, Ordering},
        task::Poll,
    };

    use super::{Context, Future, Pin, Waker, pin, value_of, yield_now};

    static BEGUN: AtomicU32 = AtomicU32::new(0);

    oncelot::lazy! {
        static CALL: usize = length("abc");
        static METHOD: usize = Request("abcd").send();
        static INTO_FUTURE: usize = Request("abcde");
        static REFERENCE: &usize = &INTO_FUTURE;
        static BOXED: u32 = boxed(6);
        static CLOSURE: u8 = poll_fn(|_| Poll::Ready(7));
        static CONTROL_FLOW: u32 = match KIND {
            0 => ready(0),
            _ => loop {
                if KIND == 1 {
                    break ready(8);
                }
            },
        };
        static CHAINED: u32 = async { 9 }.into_future();
        static MOVE: u32 = async move { 10 };
        static MACRO: u32 = soon!(11);
        static BLOCK: u32 = {
            BEGUN.fetch_add(1, Ordering::Relaxed);
            async {
                yield_now().await;
                BEGUN.fetch_add(10, Ordering::Relaxed)
            }
        };
    }

    const KIND: u32 = 1;

    macro_rules! soon {
        ($value:literal) => {
            async {
                yield_now().await;
                $value
            }
        };
    }
    use soon;

    async fn length(text: &str) -> usize {
        yield_now().await;
        text.len()
    }

    struct Request(&'static str);

    impl Request {
        async fn send(self) -> usize {
            length(self.0).await
        }
    }

    impl IntoFuture for Request {
        type Output = usize;
        type IntoFuture = Ready<usize>;

        fn into_future(self) -> Ready<usize> {
            ready(self.0.len())
        }
    }

    fn boxed(value: u32) -> Pin<Box<dyn Future<Output = u32> + Send>> {
        Box::pin(async move { value })
    }

    #[test]
    fn may_be_calls_futures_and_control_flow() {
        assert_eq!([&CALL, &METHOD, &INTO_FUTURE].map(value_of), [&3, &4, &5]);
        assert_eq!((value_of(&REFERENCE), value_of(&CLOSURE)), (&&5, &7));
        let statics = [&BOXED, &CONTROL_FLOW, &CHAINED, &MOVE, &MACRO];
        assert_eq!(statics.map(value_of), [&6, &8, &9, &10, &11]);
    }

    #[test]
    fn are_evaluated_once_and_not_before_the_first_poll() {
        let mut get = pin!(BLOCK.get());
        assert_eq!(BEGUN.load(Ordering::Relaxed), 0);
        let cx = &mut Context::from_waker(Waker::noop());
        assert!(get.as_mut().poll(cx).is_pending());
        assert_eq!(BEGUN.load(Ordering::Relaxed), 1);
        assert_eq!(value_of(&BLOCK), &1);
        assert_eq!(BEGUN.load(Ordering::Relaxed), 11);
    }
}

/// The body of the `async` block.
mod contents {
    use std::{
        fmt::{self, Write},
        rc::Rc,
        sync::atomic::{AtomicU32, Ordering},
    };

    use super::{value_of, yield_now};

    trait Double {
        fn double(&self) -> u32;
    }

    struct Number(u32);

    /// # Safety
    ///
    /// None.
    const unsafe fn sensor() -> u32 {
        21
    }

    oncelot::lazy! {
        // SAFETY: nothing is required.
        static UNSAFE_BLOCK: u32 = async { unsafe { sensor() } };
        // SAFETY: nothing is required.
        static UNSAFE_EXPRESSION: u32 = unsafe { std::future::ready(sensor()) };
        static ITEMS: u32 = async {
            use std::convert::identity;

            const ONE: u32 = 1;
            static CALLS: AtomicU32 = AtomicU32::new(0);

            struct Local(u32);

            impl Double for Local {
                fn double(&self) -> u32 {
                    self.0 * 2
                }
            }

            #[allow(non_local_definitions)]
            impl Double for Number {
                fn double(&self) -> u32 {
                    self.0 * 20
                }
            }

            const fn add(a: u32, b: u32) -> u32 {
                a + b
            }

            macro_rules! hundred {
                () => {
                    100
                };
            }

            CALLS.fetch_add(1, Ordering::Relaxed);
            yield_now().await;
            add(Local(ONE).double(), identity(Number(1).double())) + hundred!() * CALLS.load(Ordering::Relaxed)
        };
        static STATEMENTS: Result<String, fmt::Error> = async {
            let words = [String::from("a"), String::from("bc")];
            let longest = words.iter().max_by_key(|word| word.len());
            let mut text = format!("{:?}", vec![1; 2]);
            let mut append = |word: &String| text.push_str(word);
            yield_now().await;
            longest.into_iter().for_each(&mut append);
            append(&String::from("d"));

            let not_send = {
                let shared = Rc::new(5);
                *shared
            };
            let label = 'outer: loop {
                for number in 0..3 {
                    yield_now().await;
                    if number == 1 {
                        break 'outer number;
                    }
                }
            };
            write!(text, "{}{}", concat!("e", 1), not_send + label)?;

            let optional = async { "3".parse::<u32>().ok()?.checked_add(1) };
            let future = |text: String| async move { text + "f" };
            if optional.await == Some(4) {
                assert!(matches!(text.len(), 1..=12), "{}", text);
                return Ok(future(text).await);
            }
            Err(fmt::Error)
        };
        static STATICS: u32 = async {
            oncelot::lazy! {
                static INNER: u32 = async { 6 };
                static OUTER: u32 = std::future::ready(60);
            }
            assert_eq!(STATICS.try_get(), None);
            INNER.get().await + OUTER.get().await + UNSAFE_BLOCK.get().await
        };
        static AWAITS_ITSELF: bool = async { *AWAITS_ITSELF.get().await };
    }

    #[test]
    fn may_be_any_code() {
        let statics = [&UNSAFE_BLOCK, &UNSAFE_EXPRESSION, &STATICS];
        assert_eq!(statics.map(value_of), [&21, &21, &87]);
        // More than one copy of the expression would be more than one implementation, and more than one counter.
        assert_eq!(value_of(&ITEMS), &122);
        assert_eq!(value_of(&STATEMENTS).as_deref(), Ok("[1, 1]bcde16f"));
        assert_eq!(AWAITS_ITSELF.try_get(), None);
    }
}

/// Attributes and visibility of statics.
mod declarations {
    // The unsafe block of the macro belongs to its crate.
    #![forbid(unsafe_code)]

    use super::value_of;

    oncelot::lazy! {}

    mod inner {
        oncelot::lazy! {
            /// Documented.
            #[doc = "In two ways."]
            pub static PUBLIC: u32 = async { 0 };
            pub(crate) static OF_THE_CRATE: u32 = async { 1 };
            pub(super) static OF_THE_PARENT: u32 = async { 2 };
            pub(in crate::declarations) static OF_A_PATH: u32 = std::future::ready(3);
            #[cfg(any())]
            static CONFIGURED_OUT: Missing = async { missing().await };
            #[cfg(not(any()))]
            pub(super) static CONFIGURED_IN: u32 = async { 4 };
            #[allow(dead_code, non_upper_case_globals, unused_variables)]
            static lower_case: u32 = async {
                let unused = 1;
                2
            };
            #[expect(unused_variables)]
            pub(super) static EXPECTED: u32 = async {
                let unused = 1;
                5
            };
        }
    }

    macro_rules! hundred {
        ($($name:ident)*) => {
            oncelot::lazy! { $(static $name: &str = async { stringify!($name) };)* }

            #[test]
            fn may_be_a_hundred() {
                let statics = [$(&$name),*];
                assert_eq!(statics.len(), 100);
                assert_eq!(statics.map(value_of), [$(&stringify!($name)),*]);
            }
        };
    }

    hundred! {
        A0 A1 A2 A3 A4 A5 A6 A7 A8 A9 A10 A11 A12 A13 A14 A15 A16 A17 A18 A19 A20 A21 A22 A23 A24 A25 A26 A27
        A28 A29 A30 A31 A32 A33 A34 A35 A36 A37 A38 A39 A40 A41 A42 A43 A44 A45 A46 A47 A48 A49 A50 A51 A52
        A53 A54 A55 A56 A57 A58 A59 A60 A61 A62 A63 A64 A65 A66 A67 A68 A69 A70 A71 A72 A73 A74 A75 A76 A77
        A78 A79 A80 A81 A82 A83 A84 A85 A86 A87 A88 A89 A90 A91 A92 A93 A94 A95 A96 A97 A98 A99
    }

    #[test]
    fn have_their_visibility_and_their_attributes() {
        use inner::{CONFIGURED_IN, EXPECTED, OF_A_PATH, OF_THE_CRATE, OF_THE_PARENT, PUBLIC};
        let statics = [
            &PUBLIC,
            &OF_THE_CRATE,
            &OF_THE_PARENT,
            &OF_A_PATH,
            &CONFIGURED_IN,
            &EXPECTED,
        ];
        assert_eq!(statics.map(|lazy| *value_of(lazy)), [0, 1, 2, 3, 4, 5]);
    }
}

/// Places of statics.
mod places {
    use super::value_of;

    fn generic<T: Default>(_: T) -> u32 {
        oncelot::lazy! {
            static VALUE: u32 = std::future::ready(3);
        }
        *value_of(&VALUE)
    }

    async fn in_an_async_function() -> u32 {
        oncelot::lazy! {
            static VALUE: u32 = async { 4 };
        }
        *VALUE.get().await
    }

    const CLOSURE: fn() -> u32 = || {
        oncelot::lazy! {
            static VALUE: u32 = async { 5 };
        }
        *value_of(&VALUE)
    };

    oncelot::lazy! {
        static VALUE: u32 = in_an_async_function();
    }

    #[test]
    fn may_be_functions_and_closures() {
        oncelot::lazy! {
            static LOCAL: u32 = async { 1 };
        }
        assert_eq!((value_of(&LOCAL), value_of(&VALUE)), (&1, &4));
        assert_eq!([generic(()), CLOSURE()], [3, 5]);
    }
}

/// Names that the macro might use, with other meanings.
#[allow(dead_code, non_camel_case_types, unused_macros)]
mod shadowed {
    use super::value_of;

    mod core {}
    mod std {}
    mod alloc {}
    mod oncelot {}

    macro_rules! structs {
        ($($name:ident)*) => { $(struct $name;)* };
    }
    structs! {
        Result Option Some None Ok Err Box Pin Place StaticLazy Fn FnOnce Fut T Type Future IntoFuture Output Send
        Sync Sized InStatic usize
    }

    macro_rules! macros {
        ($($name:ident)*) => {
            $(macro_rules! $name { () => { compile_error!("not the crate's") }; })*
        };
    }
    macros! { lazy __lazy_static assert }

    const fn init() -> u32 {
        1
    }

    fn future() -> ::std::future::Ready<u32> {
        ::std::future::ready(init())
    }

    async fn size_of_future() -> u32 {
        super::yield_now().await;
        2
    }

    ::oncelot::lazy! {
        static BLOCK: u32 = async { init() };
        static CALL: u32 = future();
        static OTHER_CALL: u32 = size_of_future();
    }

    #[test]
    fn names_do_not_matter() {
        let statics: [&'static ::oncelot::StaticLazy<u32>; 3] = [&BLOCK, &CALL, &OTHER_CALL];
        assert_eq!(statics.map(value_of), [&1, &1, &2]);
    }
}
