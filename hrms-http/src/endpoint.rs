//! The endpoint table: each endpoint is declared once, and router, access control and OpenAPI
//! document are made from the same declaration.
//!
//! ```text
//! endpoints! {
//!     tag = "locations";
//!
//!     /// Add a location.
//!     ///
//!     /// Its time zone decides which days its employees' leave falls on.
//!     POST "/api/v1/locations" => create, requires LocationManage;
//! }
//! async fn create(cx: Cx, Json(new): Json<NewLocation>) -> Result<Created<Location>, LocationError> { … }
//! ```
//!
//! Access is one of `public`, `known` (any user or operator: [`AnyCx`]), `signed_in` (any user of an organisation), `insider` (also its programs, with an API key), `requires <Permission>`, `asked <Permission>` (any user, as they may be asked to decide)
//! (a user with any grant for it; core decides about the single thing), `platform` (an operator
//! of the service) and `incomplete <Step>` (like `known`, and sessions that lack something, for which this is
//! one of the few things open to them: [`Step`]). It decides the type of the handler's first argument: [`PublicCx`], [`AnyCx`],
//! [`Cx`], [`Cx`], [`Cx`], [`PlatformCx`], [`AnyCx`]. With `, confirmed` behind it, the caller must have proved lately who
//! they are. A row without doc comment or access doesn't compile.
//!
//! [`AnyCx`]: crate::request::AnyCx
//! [`PublicCx`]: crate::request::PublicCx
//! [`Cx`]: crate::request::Cx
//! [`PlatformCx`]: crate::request::PlatformCx

use std::future::Future;
use std::pin::Pin;

use hrms_core::Permission;
use hrms_core::identity::Pending;
use http::Method;

use crate::answer::{Answer, Reply};
use crate::auth::Caller;
use crate::extract::{BodyUse, Extract};
use crate::openapi::Operation;
use crate::problem::Problem;
use crate::request::{Context, Input};

/// Who may call an endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Access {
    /// Anybody.
    Public,
    /// Any user of an organisation.
    SignedIn,
    /// Any user of an organisation, and any of its programs.
    Insider,
    /// A user of an organisation with any grant for a permission.
    Requires(Permission),
    /// Any user of an organisation, who may be asked to decide on one thing without a grant; programs and operators
    /// of the service with any grant for a permission.
    Asked(Permission),
    /// Any user of an organisation, and any operator of the service.
    Known,
    /// An operator of the service.
    Platform,
    /// As [`Access::Known`], and sessions that lack what this step is for.
    Incomplete(Step),
}

/// What a session that lacks something may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// Pass the second factor.
    SecondFactor,
    /// Set up a second factor.
    Enrol,
    /// Change the password.
    ChangePassword,
    /// Prove anew who they are, for one of the two.
    Confirm,
    /// Log out, whatever it lacks.
    LogOut,
}

impl Step {
    /// Whether it is open to a session that lacks this.
    pub(crate) fn is_open(self, pending: &[Pending]) -> bool {
        match self {
            Self::SecondFactor => pending.contains(&Pending::Otp),
            Self::Enrol => pending.contains(&Pending::EnrolSecondFactor),
            Self::ChangePassword => pending.contains(&Pending::ChangePassword),
            Self::Confirm => !pending.contains(&Pending::Otp),
            Self::LogOut => true,
        }
    }
}

/// A handler at work.
pub(crate) type Running = Pin<Box<dyn Future<Output = Result<Reply, Problem>> + Send>>;

/// A row of an endpoint table. Made by [`endpoints!`](crate::endpoints).
#[derive(Debug)]
pub(crate) struct Endpoint {
    /// The method.
    pub(crate) method: Method,
    /// The path, with variables like `{id}`.
    pub(crate) path: &'static str,
    /// The handler's name; unique below the tag.
    pub(crate) name: &'static str,
    /// The feature.
    pub(crate) tag: &'static str,
    /// The lines of the doc comment.
    pub(crate) docs: &'static [&'static str],
    /// Who may call it.
    pub(crate) access: Access,
    /// Whether the caller must have proved lately who they are.
    pub(crate) confirmed: bool,
    /// What it needs of the body.
    pub(crate) body: BodyUse,
    /// Whether it reads the query.
    pub(crate) query: bool,
    /// Runs the handler.
    pub(crate) call: fn(Caller, Input) -> Running,
    /// Makes the answer to a repeated request.
    pub(crate) replay: fn(&str, &str) -> Result<Reply, Problem>,
    /// Describes arguments and answer.
    pub(crate) describe: fn(&mut Operation<'_>),
}

impl Endpoint {
    /// Whether `Idempotency-Key` means something here: every POST in a tenant.
    pub(crate) fn takes_idempotency_key(&self) -> bool {
        self.method == Method::POST
            && matches!(
                self.access,
                Access::SignedIn | Access::Insider | Access::Requires(_) | Access::Asked(_)
            )
    }
}

/// An async function that an endpoint can run: a context, up to four arguments, a result.
#[diagnostic::on_unimplemented(
    message = "`{Self}` isn't a handler for this row",
    note = "a handler is `async fn(context, arguments…) -> Result<impl Answer, impl Into<Problem>>`",
    note = "the context is `PublicCx` for `public`, `PlatformCx` for `platform`, `Cx` otherwise"
)]
pub(crate) trait Handler<C, Args>: Copy + Send + Sync + 'static {
    /// What its arguments need of the body.
    const BODY: BodyUse;
    /// Whether any of them reads the query.
    const QUERY: bool;

    /// Reads the arguments, runs, makes the answer.
    fn call(self, caller: Caller, input: Input) -> Running;

    /// Makes the answer to a repeated request from the stored JSON.
    fn replay(stored: &str, path: &str) -> Result<Reply, Problem>;

    /// Describes arguments and answer.
    fn describe(operation: &mut Operation<'_>);
}

macro_rules! handlers {
    ($(($($argument:ident $value:ident),*))+) => {$(
        impl<Fun, C, Res, Ans, E, $($argument,)*> Handler<C, ($($argument,)*)> for Fun
        where
            Fun: Fn(C, $($argument),*) -> Res + Copy + Send + Sync + 'static,
            C: Context,
            Res: Future<Output = Result<Ans, E>> + Send,
            Ans: Answer,
            E: Into<Problem> + Send,
            $($argument: Extract + 'static,)*
        {
            const BODY: BodyUse = BodyUse::None$(.or($argument::BODY))*;
            const QUERY: bool = false $(|| $argument::QUERY)*;

            fn call(self, caller: Caller, mut input: Input) -> Running {
                Box::pin(async move {
                    let context = C::of(caller, &mut input)?;
                    $(let $value = $argument::extract(&mut input)?;)*
                    let answer = self(context, $($value),*).await.map_err(Into::into)?;
                    answer.into_reply(input.parts.uri.path())
                })
            }

            fn replay(stored: &str, path: &str) -> Result<Reply, Problem> {
                Ans::replay(stored, path)
            }

            fn describe(operation: &mut Operation<'_>) {
                $($argument::describe(operation);)*
                Ans::describe(operation);
            }
        }
    )+};
}

handlers! { () (A a) (A a, B b) (A a, B b, D d) (A a, B b, D d, F f) }

// A handler is a zero-sized function item, so `call` can be a plain function pointer made by a closure
// that captures nothing. These four name the handler's type for the other columns.

/// What a handler's arguments need of the body.
pub(crate) const fn body_of<C, Args, H: Handler<C, Args>>(_: &H) -> BodyUse {
    H::BODY
}

/// Whether a handler reads the query.
pub(crate) const fn query_of<C, Args, H: Handler<C, Args>>(_: &H) -> bool {
    H::QUERY
}

/// Makes the answer to a repeated request as a handler would have.
pub(crate) fn replay_of<C, Args, H: Handler<C, Args>>(
    _: H,
    stored: &str,
    path: &str,
) -> Result<Reply, Problem> {
    H::replay(stored, path)
}

/// Describes a handler.
pub(crate) fn describe_of<C, Args, H: Handler<C, Args>>(_: H, operation: &mut Operation<'_>) {
    H::describe(operation);
}

/// Declares the endpoints of a feature as `ENDPOINTS`. See [`endpoint`](crate::endpoint).
#[macro_export]
#[doc(hidden)]
macro_rules! endpoints {
    (
        tag = $tag:literal;
        $($(#[doc = $doc:literal])+ $method:ident $path:literal => $handler:ident, $access:ident $($permission:ident)? $(, $confirmed:ident)?;)+
    ) => {
        /// The endpoints of this feature.
        pub(crate) static ENDPOINTS: &[$crate::endpoint::Endpoint] = &[$(
            $crate::endpoint::Endpoint {
                method: http::Method::$method,
                path: $path,
                name: stringify!($handler),
                tag: $tag,
                docs: &[$($doc),+],
                access: $crate::endpoints!(@access $access $($permission)?),
                confirmed: $crate::endpoints!(@confirmed $($confirmed)?),
                body: $crate::endpoint::body_of::<$crate::endpoints!(@context $access), _, _>(&$handler),
                query: $crate::endpoint::query_of::<$crate::endpoints!(@context $access), _, _>(&$handler),
                call: |caller, input| {
                    $crate::endpoint::Handler::<$crate::endpoints!(@context $access), _>::call($handler, caller, input)
                },
                replay: |stored, path| {
                    $crate::endpoint::replay_of::<$crate::endpoints!(@context $access), _, _>($handler, stored, path)
                },
                describe: |operation| {
                    $crate::endpoint::describe_of::<$crate::endpoints!(@context $access), _, _>($handler, operation);
                },
            },
        )+];
    };
    (@access public) => { $crate::endpoint::Access::Public };
    (@access signed_in) => { $crate::endpoint::Access::SignedIn };
    (@access insider) => { $crate::endpoint::Access::Insider };
    (@access known) => { $crate::endpoint::Access::Known };
    (@access platform) => { $crate::endpoint::Access::Platform };
    (@access incomplete $step:ident) => { $crate::endpoint::Access::Incomplete($crate::endpoint::Step::$step) };
    (@confirmed) => { false };
    (@confirmed confirmed) => { true };
    (@access requires $permission:ident) => {
        $crate::endpoint::Access::Requires(hrms_core::Permission::$permission)
    };
    (@access asked $permission:ident) => {
        $crate::endpoint::Access::Asked(hrms_core::Permission::$permission)
    };
    (@context asked) => { $crate::request::Cx };
    (@context public) => { $crate::request::PublicCx };
    (@context signed_in) => { $crate::request::Cx };
    (@context insider) => { $crate::request::Cx };
    (@context known) => { $crate::request::AnyCx };
    (@context incomplete) => { $crate::request::AnyCx };
    (@context requires) => { $crate::request::Cx };
    (@context platform) => { $crate::request::PlatformCx };
}
