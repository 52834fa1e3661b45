//! A table with one of everything.

use futures_util::{SinkExt, StreamExt};
use hrms_core::location::{Location, LocationError, NewLocation};
use hrms_core::{CommonError, FieldError, StoreError, Version};
use serde::{Deserialize, Serialize};
use tokio::sync::Notify;
use tokio_tungstenite::tungstenite::Utf8Bytes;
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use crate::answer::{Accepted, Created, Done, Download, Found};
use crate::endpoints;
use crate::extract::upload::Upload;
use crate::extract::{Id, IfMatch, Json, MergePatch, Path, Query};
use crate::problem::Problem;
use crate::request::{Cx, PlatformCx, PublicCx};
use crate::websocket::{Switching, Upgrade};

endpoints! {
    tag = "things";

    /// Anybody may see this.
    GET "/t/open" => open, public;
    /// Anybody who is signed in may see this.
    GET "/t/mine" => mine, signed_in;
    /// Operators may see this.
    GET "/t/platform" => platform, platform;
    /// Add a thing.
    POST "/t/things" => create, requires LocationManage;
    /// Lose the race against the same request on another node.
    POST "/t/raced" => raced, signed_in;
    /// Change a thing.
    PATCH "/t/things/{id}" => change, signed_in;
    /// Read a thing.
    GET "/t/things/{id}" => get, signed_in;
    /// Ask with parameters.
    GET "/t/query" => ask, signed_in;
    /// Read a word and a number of the path.
    GET "/t/words/{word}/{number}" => word, signed_in;
    /// Do something that needs no input.
    POST "/t/things/{id}/act" => act, signed_in;
    /// Start a job.
    POST "/t/jobs" => start_job, signed_in;
    /// Take a file.
    POST "/t/files" => file, signed_in;
    /// Give a file.
    GET "/t/files" => download, signed_in;
    /// Fail with a secret.
    GET "/t/fails" => fails, public;
    /// Panic.
    GET "/t/panics" => panics, public;
    /// Wait until released.
    POST "/t/waits" => waits, public;
    /// A large answer.
    GET "/t/large" => large, public;
    /// Send back what comes.
    GET "/t/echo" => echo, public;
}

#[derive(Debug, Clone, Serialize, ToSchema)]
pub(super) struct Thing {
    id: Uuid,
    name: String,
    version: i64,
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct NewThing {
    name: String,
    #[serde(default)]
    parts: Vec<Part>,
    on: Option<hrms_core::jiff::civil::Date>,
    /// Anything, as deep as it may be.
    notes: Option<serde_json::Value>,
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Part {
    size: u8,
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct ThingPatch {
    name: Option<String>,
}

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
struct Ask {
    count: Option<u16>,
    yes: Option<bool>,
    id: Option<Uuid>,
}

#[derive(Debug, Deserialize, IntoParams)]
struct Word {
    word: String,
    number: u8,
}

const ID: Uuid = Uuid::from_u128(0x77);

fn thing(name: &str) -> Thing {
    Thing { id: ID, name: name.to_owned(), version: 3 }
}

async fn open(_: PublicCx) -> Result<Found<Thing>, CommonError> {
    Ok(Found(thing("open")))
}

async fn mine(_: Cx) -> Result<Found<Thing>, CommonError> {
    Ok(Found(thing("mine")))
}

async fn platform(_: PlatformCx) -> Result<Found<Thing>, CommonError> {
    Ok(Found(thing("platform")))
}

async fn create(_: Cx, Json(new): Json<NewThing>) -> Result<Created<Thing>, CommonError> {
    let sizes: usize = new.parts.iter().map(|part| usize::from(part.size)).sum();
    Ok(Created(thing(&format!("{} {sizes} {:?} {:?}", new.name, new.on, new.notes))))
}

/// Does what the other node would: takes effect under the key. Then fails as this node would.
async fn raced(cx: Cx, Json(new): Json<NewLocation>) -> Result<Created<Location>, LocationError> {
    let other = cx.hrms.locations().create(&cx.actor, new).await?;
    assert_eq!(other.version, Version::FIRST);
    Err(CommonError::IdempotencyKeyTaken.into())
}

async fn change(
    _: Cx,
    Id(id): Id<Uuid>,
    IfMatch(version): IfMatch,
    MergePatch(patch): MergePatch<ThingPatch>,
) -> Result<Found<Thing>, CommonError> {
    if id != ID {
        return Err(CommonError::NotFound { what: "thing" });
    }
    if version.as_i64() != 3 {
        return Err(CommonError::Stale);
    }
    Ok(Found(thing(&patch.name.unwrap_or_default())))
}

async fn get(_: Cx, Id(_): Id<Uuid>) -> Result<Found<Thing>, CommonError> {
    Ok(Found(thing("got")))
}

async fn ask(_: Cx, Query(ask): Query<Ask>) -> Result<Found<Thing>, CommonError> {
    Ok(Found(thing(&format!("{:?} {:?} {:?}", ask.count, ask.yes, ask.id))))
}

async fn word(_: Cx, Path(path): Path<Word>) -> Result<Found<Thing>, CommonError> {
    Ok(Found(thing(&format!("{}-{}", path.word, path.number))))
}

async fn act(_: Cx, Id(_): Id<Uuid>) -> Result<Done, CommonError> {
    Ok(Done)
}

#[derive(Debug, Serialize, ToSchema)]
struct Import {
    id: Uuid,
    job_id: Uuid,
}

async fn start_job(_: Cx) -> Result<Accepted<Import>, CommonError> {
    Ok(Accepted(Import { id: ID, job_id: Uuid::from_u128(0x99) }))
}

async fn file(_: Cx, upload: Upload) -> Result<Found<Thing>, Problem> {
    let read = upload.read().await?;
    let file = String::from_utf8_lossy(&read.file).into_owned();
    Ok(Found(thing(&format!("{file}|{:?}|{:?}", read.file_name, read.fields))))
}

async fn download(_: Cx) -> Result<Download, CommonError> {
    Ok(Download::csv("all \"things\".csv", "a,b\r\n"))
}

async fn fails(_: PublicCx) -> Result<Done, CommonError> {
    Err(StoreError::Corrupt { table: "secret_table", what: "secret".to_owned() }.into())
}

async fn panics(_: PublicCx) -> Result<Done, CommonError> {
    panic!("secret panic")
}

pub(super) static WAITING: Notify = Notify::const_new();
pub(super) static RELEASE: Notify = Notify::const_new();
pub(super) static FINISHED: Notify = Notify::const_new();

async fn waits(_: PublicCx) -> Result<Done, CommonError> {
    WAITING.notify_one();
    RELEASE.notified().await;
    FINISHED.notify_one();
    Ok(Done)
}

async fn large(_: PublicCx) -> Result<Found<Thing>, Problem> {
    Ok(Found(thing(&"large ".repeat(1000))))
}

async fn echo(_: PublicCx, upgrade: Upgrade) -> Result<Switching, Problem> {
    Ok(upgrade.run(|mut socket, mut stopping| async move {
        loop {
            let message = tokio::select! {
                message = socket.next() => message,
                () = stopping.wait() => {
                    let away = CloseFrame { code: CloseCode::Away, reason: Utf8Bytes::default() };
                    let _ = socket.close(Some(away)).await;
                    return;
                }
            };
            match message {
                Some(Ok(message)) if !message.is_close() => {
                    if socket.send(message).await.is_err() {
                        return;
                    }
                }
                _ => return,
            }
        }
    }))
}

/// Two types of one name, for the test that this is found.
pub(super) mod clash {
    use super::*;

    endpoints! {
        tag = "clash";

        /// Say one thing.
        GET "/clash/one" => one, public;
        /// Say another thing.
        GET "/clash/two" => two, public;
    }

    #[derive(Debug, Serialize, ToSchema)]
    struct Same {
        one: String,
    }

    mod other {
        #[derive(Debug, serde::Serialize, utoipa::ToSchema)]
        pub(super) struct Same {
            pub(super) two: String,
        }
    }

    async fn one(_: PublicCx) -> Result<Found<Same>, CommonError> {
        Ok(Found(Same { one: String::new() }))
    }

    async fn two(_: PublicCx) -> Result<Found<other::Same>, CommonError> {
        Ok(Found(other::Same { two: String::new() }))
    }
}

/// A path variable that nobody reads, for the test that this is found.
pub(super) mod unread {
    use super::*;

    endpoints! {
        tag = "unread";

        /// Forget the id.
        GET "/unread/{id}" => forgets, public;
    }

    async fn forgets(_: PublicCx) -> Result<Done, CommonError> {
        Err(CommonError::Invalid(vec![FieldError::new("", "", "")]))
    }
}

/// A parameter whose schema isn't in the document, for the test that this is found.
pub(super) mod dangling {
    use super::*;

    endpoints! {
        tag = "dangling";

        /// Ask for a colour.
        GET "/dangling" => paint, public;
    }

    #[derive(Debug, Deserialize, ToSchema)]
    enum Colour {
        Red,
    }

    #[derive(Debug, Deserialize, IntoParams)]
    #[serde(deny_unknown_fields)]
    struct Paint {
        colour: Colour,
    }

    async fn paint(_: PublicCx, Query(paint): Query<Paint>) -> Result<Done, CommonError> {
        let Colour::Red = paint.colour;
        Ok(Done)
    }
}
