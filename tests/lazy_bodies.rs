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
    pin::pin,
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

/// Types that are inferred from the type of the static.
mod inference {
    use std::{
        collections::{BTreeMap, HashMap},
        error::Error,
        str::FromStr,
        sync::{Mutex, RwLock},
    };

    use super::{value_of, yield_now};

    oncelot::lazy! {
        static NUMBER: u64 = async {
            let number = 7;
            yield_now().await;
            number
        };
        static NONE: Option<u32> = async { None };
        static DEFAULT: (u8, String) = async { Default::default() };
        static MAP: Mutex<HashMap<u32, Vec<String>>> = async { Mutex::new(HashMap::new()) };
        static COLLECTED: RwLock<BTreeMap<&'static str, usize>> = async {
            RwLock::new(["a", "bc"].iter().map(|word| (*word, word.len())).collect())
        };
        static PARSED: Result<u16, Box<dyn Error + Send + Sync>> = async { Ok("17".parse()?) };
        static FAILED: Result<u16, Box<dyn Error + Send + Sync>> = async {
            let number = "seventeen".parse()?;
            yield_now().await;
            Ok(number)
        };
        static INTO: String = async { 'c'.into() };
        static GENERIC: i64 = parse("-3");
        static READY: Option<Vec<u8>> = std::future::ready(None);
        static POLL_FN: u8 = std::future::poll_fn(|_| std::task::Poll::Ready(200));
    }

    async fn parse<T: FromStr + Default>(text: &str) -> T {
        yield_now().await;
        text.parse().unwrap_or_default()
    }

    #[test]
    fn of_a_number_before_an_await() {
        assert_eq!(value_of(&NUMBER), &7);
    }

    #[test]
    fn of_none() {
        assert_eq!(value_of(&NONE), &None);
    }

    #[test]
    fn of_a_default() {
        assert_eq!(value_of(&DEFAULT), &(0, String::new()));
    }

    #[test]
    fn of_collections() {
        assert!(value_of(&MAP).lock().unwrap().is_empty());
        assert_eq!(value_of(&COLLECTED).read().unwrap()["bc"], 2);
    }

    #[test]
    fn of_errors_that_a_question_mark_boxes() {
        assert_eq!(value_of(&PARSED).as_ref().unwrap(), &17);
        let error = value_of(&FAILED).as_ref().unwrap_err();
        assert_eq!(error.to_string(), "invalid digit found in string");
    }

    #[test]
    fn of_a_conversion() {
        assert_eq!(value_of(&INTO), "c");
    }

    #[test]
    fn of_the_parameters_of_calls() {
        assert_eq!(value_of(&GENERIC), &-3);
        assert_eq!(value_of(&READY), &None);
        assert_eq!(value_of(&POLL_FN), &200);
    }
}

/// Values that are converted to the type of the static.
mod conversions {
    use std::{convert::Infallible, error::Error, fmt::Debug};

    use super::{value_of, yield_now};

    oncelot::lazy! {
        static CLOSURE: Box<dyn Fn() -> u32 + Send + Sync> = async {
            let number = 3;
            yield_now().await;
            Box::new(move || number)
        };
        static NESTED: Result<Box<dyn Fn() -> u32 + Send + Sync>, Box<dyn Error + Send + Sync>> = async {
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

    async fn boxed() -> Box<u8> {
        yield_now().await;
        Box::new(5)
    }

    #[test]
    fn of_a_closure_to_a_trait_object() {
        assert_eq!(value_of(&CLOSURE)(), 3);
    }

    #[test]
    fn of_a_closure_inside_a_result() {
        assert_eq!(value_of(&NESTED).as_ref().unwrap()(), 4);
    }

    #[test]
    fn of_an_awaited_value_to_a_trait_object() {
        assert_eq!(format!("{:?}", value_of(&AWAITED)), "5");
    }

    #[test]
    fn of_an_array_to_a_slice() {
        assert_eq!(value_of(&SLICE), &[1, 2, 3]);
    }

    #[test]
    fn of_functions_to_pointers() {
        assert_eq!(value_of(&FUNCTIONS).map(|function| function(" a ")), [" a ", "a"]);
    }

    #[test]
    fn of_blocks_that_never_return() {
        assert_eq!(NEVER.try_get(), None);
        assert_eq!(NEVER_RETURNS.try_get(), None);
        assert!(EMPTY.try_get().is_none());
    }
}

/// Expressions that are not `async` blocks.
mod expressions {
    use std::{
        future::{Future, IntoFuture, Ready, poll_fn, ready},
        pin::Pin,
        task::{Context, Poll},
    };

    use super::{value_of, yield_now};

    oncelot::lazy! {
        static CALL: usize = length("abc");
        static METHOD: usize = Request("abcd").send();
        static PATH: u32 = inner::load();
        static CONSTRUCTED: u32 = Countdown(3);
        static INTO_FUTURE: usize = Request("abcde");
        static BOXED: u32 = boxed(6);
        static CLOSURE: u32 = poll_fn(|_| Poll::Ready(7));
        static BLOCK: u32 = {
            let number = 9;
            async move { number }
        };
        static MATCH: u32 = match KIND {
            0 => ready(0),
            _ => ready(10),
        };
        static IF: u32 = if KIND == 0 { ready(0) } else { ready(11) };
        static LOOP: u32 = loop {
            if KIND == 1 {
                break ready(12);
            }
        };
        static CHAINED: u32 = async { 13 }.into_future();
        static MOVE: u32 = async move { 14 };
        static MACRO: u32 = soon!(15);
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

    mod inner {
        pub(super) async fn load() -> u32 {
            super::yield_now().await;
            5
        }
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

    /// Polls this often until it is ready.
    struct Countdown(u32);

    impl Future for Countdown {
        type Output = u32;

        fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<u32> {
            if self.0 == 0 {
                return Poll::Ready(4);
            }
            self.0 -= 1;
            cx.waker().wake_by_ref();
            Poll::Pending
        }
    }

    fn boxed(value: u32) -> Pin<Box<dyn Future<Output = u32> + Send>> {
        Box::pin(async move { value })
    }

    #[test]
    fn may_be_calls_of_async_functions() {
        assert_eq!(value_of(&CALL), &3);
        assert_eq!(value_of(&METHOD), &4);
        assert_eq!(value_of(&PATH), &5);
    }

    #[test]
    fn may_be_futures() {
        assert_eq!(value_of(&CONSTRUCTED), &4);
        assert_eq!(value_of(&BOXED), &6);
        assert_eq!(value_of(&CLOSURE), &7);
    }

    #[test]
    fn may_be_anything_that_becomes_a_future() {
        assert_eq!(value_of(&INTO_FUTURE), &5);
    }

    #[test]
    fn may_be_control_flow() {
        assert_eq!(value_of(&BLOCK), &9);
        assert_eq!(value_of(&MATCH), &10);
        assert_eq!(value_of(&IF), &11);
        assert_eq!(value_of(&LOOP), &12);
    }

    #[test]
    fn may_begin_with_an_async_block() {
        assert_eq!(value_of(&CHAINED), &13);
    }

    #[test]
    fn may_be_async_move() {
        assert_eq!(value_of(&MOVE), &14);
    }

    #[test]
    fn may_be_macros() {
        assert_eq!(value_of(&MACRO), &15);
    }
}

/// The body of the `async` block.
mod contents {
    use std::{
        fmt::Write,
        rc::Rc,
        sync::{
            Mutex,
            atomic::{AtomicU32, Ordering},
        },
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
        static MACROS: String = async {
            let mut text = format!("{:?}", vec![1; 2]);
            yield_now().await;
            write!(text, "{}", concat!("a", 1)).unwrap();
            assert!(matches!(text.len(), 1..=8), "{}", text);
            text
        };
        static QUESTION_MARK: Option<u32> = async {
            let inner = async { "3".parse::<u32>().ok()?.checked_add(1) };
            let first = inner.await?;
            let none = async { Some(Option::<u32>::None? + 1) }.await;
            Some(first + none.unwrap_or(10))
        };
        static RETURN: Result<u32, String> = async {
            for number in 0.. {
                yield_now().await;
                if number == 3 {
                    return Err(number.to_string());
                }
            }
            Ok(0)
        };
        static LABEL: u32 = async {
            'outer: loop {
                for number in 0..3 {
                    yield_now().await;
                    if number == 1 {
                        break 'outer number;
                    }
                }
            }
        };
        static BORROWS: usize = async {
            let words = [String::from("a"), String::from("bc")];
            let longest = words.iter().max_by_key(|word| word.len());
            yield_now().await;
            longest.map_or(0, String::len) + count(&String::from("def")).await
        };
        static NOT_SEND: u32 = async {
            let number = {
                let shared = Rc::new(5);
                *shared
            };
            yield_now().await;
            number
        };
        static LOCKED: Vec<u32> = async {
            static LOG: Mutex<Vec<u32>> = Mutex::new(Vec::new());
            LOG.lock().unwrap().push(1);
            yield_now().await;
            LOG.lock().unwrap().push(2);
            LOG.lock().map_or_else(|_| Vec::new(), |log| log.clone())
        };
        static CLOSURES: u32 = async {
            let mut sum = 0;
            let mut add = |number| sum += number;
            add(1);
            yield_now().await;
            add(2);
            let future = |number: u32| async move { number + 1 };
            future(sum).await
        };
        static NESTED: u32 = async {
            oncelot::lazy! {
                static INNER: u32 = async { 6 };
                static OUTER: u32 = std::future::ready(60);
            }
            INNER.get().await + OUTER.get().await
        };
        static OTHER_STATIC: u32 = async { NESTED.get().await + 1 };
        static OWN_STATIC: bool = async { OWN_STATIC.try_get().is_some() };
        static LARGE: usize = async {
            let mut bytes = [1_u8; 10_000];
            yield_now().await;
            bytes[1] = 2;
            bytes.iter().copied().map(usize::from).sum()
        };
    }

    async fn count(text: &str) -> usize {
        yield_now().await;
        text.len()
    }

    #[test]
    fn may_contain_unsafe_code() {
        assert_eq!(value_of(&UNSAFE_BLOCK), &21);
        assert_eq!(value_of(&UNSAFE_EXPRESSION), &21);
    }

    /// More than one copy of the expression would be more than one implementation, and more than one counter.
    #[test]
    fn may_be_items() {
        assert_eq!(value_of(&ITEMS), &122);
    }

    #[test]
    fn may_be_macros() {
        assert_eq!(value_of(&MACROS), "[1, 1]a1");
    }

    #[test]
    fn may_be_question_marks_in_inner_blocks() {
        assert_eq!(value_of(&QUESTION_MARK), &Some(14));
    }

    #[test]
    fn may_return_and_break() {
        assert_eq!(value_of(&RETURN), &Err("3".into()));
        assert_eq!(value_of(&LABEL), &1);
    }

    #[test]
    fn may_borrow_across_an_await() {
        assert_eq!(value_of(&BORROWS), &5);
    }

    #[test]
    fn may_use_values_that_are_not_send_between_awaits() {
        assert_eq!(value_of(&NOT_SEND), &5);
        assert_eq!(value_of(&LOCKED), &[1, 2]);
    }

    #[test]
    fn may_be_closures() {
        assert_eq!(value_of(&CLOSURES), &4);
    }

    #[test]
    fn may_declare_and_use_other_statics() {
        assert_eq!(value_of(&OTHER_STATIC), &67);
    }

    #[test]
    fn may_look_at_their_own_static() {
        assert_eq!(value_of(&OWN_STATIC), &false);
    }

    #[test]
    fn may_be_large() {
        assert_eq!(value_of(&LARGE), &10_001);
    }
}

/// Types of statics, as they are written.
mod types {
    use std::{borrow::Cow, collections::HashMap, marker::PhantomData};

    use super::value_of;

    type Pair<T> = (T, T);

    macro_rules! byte {
        () => {
            u8
        };
    }

    oncelot::lazy! {
        static STR: &str = async { "a" };
        static STR_OF_A_CALL: &str = name();
        static STATIC_STR: &'static str = async { "a" };
        static COW: Cow<'_, str> = async { "a".into() };
        static NESTED: Option<&[&str]> = async { Some(&["a"]) };
        static REFERENCE: &(dyn Fn(&str) -> &str + Send + Sync) = async { &|text| text };
        static FUNCTION: for<'a> fn(&'a str, &str) -> &'a str = async { |first, _| first };
        static COMMAS: HashMap<u8, (Vec<u16>, [u32; 1 + 2])> = async { HashMap::new() };
        static ALIAS: Pair<u32> = async { (1, 2) };
        static PATH: ::std::string::String = async { String::new() };
        static MACRO: byte!() = async { 255 };
        static UNIT: () = async {};
        static MARKER: PhantomData<&u8> = async { PhantomData };
        #[allow(non_upper_case_globals)]
        static r#type: u32 = async { 1 };
    }

    async fn name() -> &'static str {
        super::yield_now().await;
        "name"
    }

    #[test]
    fn may_leave_out_the_static_lifetime() {
        assert_eq!((*value_of(&STR), *value_of(&STR_OF_A_CALL)), ("a", "name"));
        let kept: &'static &'static str = value_of(&STATIC_STR);
        assert_eq!(*kept, value_of(&COW));
        assert_eq!(value_of(&NESTED), &Some(&["a"][..]));
        assert_eq!(value_of(&MARKER), &PhantomData);
    }

    #[test]
    fn may_have_lifetimes_of_their_own() {
        assert_eq!(value_of(&REFERENCE)("a"), "a");
        assert_eq!(value_of(&FUNCTION)("a", "b"), "a");
    }

    #[test]
    fn may_be_any_syntax() {
        assert!(value_of(&COMMAS).is_empty());
        assert_eq!(value_of(&ALIAS), &(1, 2));
        assert_eq!(value_of(&PATH), "");
        assert_eq!(value_of(&MACRO), &255);
        assert_eq!(value_of(&UNIT), &());
        assert_eq!(value_of(&r#type), &1);
    }
}

/// Attributes and visibility of statics.
mod declarations {
    use super::value_of;

    oncelot::lazy! {}

    mod inner {
        oncelot::lazy! {
            /// Documented.
            #[doc = "In two ways."]
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
    fn have_their_visibility() {
        let values = [&inner::OF_THE_CRATE, &inner::OF_THE_PARENT, &inner::OF_A_PATH];
        assert_eq!(values.map(value_of), [&1, &2, &3]);
    }

    #[test]
    fn have_their_attributes() {
        assert_eq!(value_of(&inner::CONFIGURED_IN), &4);
        assert_eq!(value_of(&inner::EXPECTED), &5);
    }
}

/// Places of statics.
mod places {
    use super::{Context, Future, Poll, Waker, value_of};

    trait Method {
        fn default_method() -> u32 {
            oncelot::lazy! {
                static VALUE: u32 = async { 2 };
            }
            *value_of(&VALUE)
        }

        fn method(&self) -> u32;
    }

    impl Method for () {
        fn method(&self) -> u32 {
            oncelot::lazy! {
                static VALUE: u32 = async { 3 };
            }
            *value_of(&VALUE)
        }
    }

    fn generic<T: Default>(_: T) -> u32 {
        oncelot::lazy! {
            static VALUE: u32 = std::future::ready(4);
        }
        *value_of(&VALUE)
    }

    async fn in_an_async_function() -> u32 {
        oncelot::lazy! {
            static VALUE: u32 = async { 5 };
        }
        *VALUE.get().await
    }

    #[test]
    fn may_be_functions() {
        oncelot::lazy! {
            static VALUE: u32 = async { 1 };
        }
        assert_eq!(value_of(&VALUE), &1);
        assert_eq!(generic(()), 4);
        let mut future = Box::pin(in_an_async_function());
        let cx = &mut Context::from_waker(Waker::noop());
        assert_eq!(future.as_mut().poll(cx), Poll::Ready(5));
    }

    #[test]
    fn may_be_methods() {
        assert_eq!((<() as Method>::default_method(), ().method()), (2, 3));
    }

    #[test]
    fn may_be_closures_and_constants() {
        const CLOSURE: fn() -> u32 = || {
            oncelot::lazy! {
                static VALUE: u32 = async { 6 };
            }
            *value_of(&VALUE)
        };
        assert_eq!(CLOSURE(), 6);
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

    struct Result;
    struct Option;
    struct Some;
    struct None;
    struct Ok;
    struct Err;
    struct Box;
    struct Pin;
    struct Place;
    struct StaticLazy;
    struct Fn;
    struct FnOnce;
    struct Fut;
    struct T;
    struct Type;
    struct Future;
    struct IntoFuture;
    struct Output;
    struct Send;
    struct Sync;
    struct Sized;
    struct InStatic;
    struct usize;

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

    macro_rules! lazy {
        () => {
            compile_error!("not the crate's")
        };
    }

    macro_rules! __lazy_static {
        () => {
            compile_error!("not the crate's")
        };
    }

    macro_rules! assert {
        () => {
            compile_error!("not the crate's")
        };
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

mod evaluation {
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::{Context, Future, Waker, pin, value_of, yield_now};

    static BEGUN: AtomicU32 = AtomicU32::new(0);

    oncelot::lazy! {
        static VALUE: u32 = {
            BEGUN.fetch_add(1, Ordering::Relaxed);
            async {
                yield_now().await;
                BEGUN.fetch_add(10, Ordering::Relaxed)
            }
        };
    }

    #[test]
    fn happens_once_and_not_before_the_first_poll() {
        let mut get = pin!(VALUE.get());
        assert_eq!(BEGUN.load(Ordering::Relaxed), 0);
        assert!(
            get.as_mut()
                .poll(&mut Context::from_waker(Waker::noop()))
                .is_pending()
        );
        assert_eq!(BEGUN.load(Ordering::Relaxed), 1);
        assert_eq!(value_of(&VALUE), &1);
        assert_eq!(BEGUN.load(Ordering::Relaxed), 11);
    }
}
