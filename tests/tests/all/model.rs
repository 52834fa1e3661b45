//! Random walks over the store, compared step by step with a small model, on both engines.
//!
//! A failure prints its seed; `PROPTEST_RNG_SEED` repeats it.

use std::collections::BTreeMap;
use std::marker::PhantomData;

use hrms_core::contract::{at, event, id, location, tenant};
use hrms_core::location::{Location, LocationFilter};
use hrms_core::{LocationId, PageRequest, Store, StoreError, TenantId, Version};
use proptest::prelude::*;
use proptest_state_machine::{ReferenceStateMachine, StateMachineTest, prop_state_machine};

use crate::all::support::{self, Fresh};

const TENANTS: usize = 2;
const IDS: usize = 4;

/// What one unit of work does before it commits or is dropped.
#[derive(Clone, Debug)]
enum Write {
    Insert { id: usize, code: u8 },
    Update { id: usize, code: u8, expected: i64 },
    Remove { id: usize, expected: i64 },
    Emit { events: usize },
}

#[derive(Clone, Debug)]
enum Step {
    Work { tenant: usize, writes: Vec<Write>, commit: bool },
    Look { tenant: usize },
}

#[derive(Clone, Debug, Default, PartialEq)]
struct Tenant {
    /// By index of the id: code and version.
    rows: BTreeMap<usize, (u8, i64)>,
    events: i64,
}

/// How the model says a write ends.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Outcome {
    Done,
    Conflict,
    Stale,
}

impl Tenant {
    fn write(&mut self, write: &Write) -> Outcome {
        let code_taken = |rows: &BTreeMap<usize, (u8, i64)>, code: u8, but: usize| {
            rows.iter().any(|(id, row)| row.0 == code && *id != but)
        };
        match *write {
            Write::Insert { id, code } => {
                if self.rows.contains_key(&id) || code_taken(&self.rows, code, IDS) {
                    return Outcome::Conflict;
                }
                self.rows.insert(id, (code, 1));
            }
            Write::Update { id, code, expected } => {
                if self.rows.get(&id).is_none_or(|row| row.1 != expected) {
                    return Outcome::Stale;
                }
                if code_taken(&self.rows, code, id) {
                    return Outcome::Conflict;
                }
                self.rows.insert(id, (code, expected + 1));
            }
            Write::Remove { id, expected } => {
                if self.rows.get(&id).is_none_or(|row| row.1 != expected) {
                    return Outcome::Stale;
                }
                self.rows.remove(&id);
            }
            Write::Emit { events } => self.events += events as i64,
        }
        Outcome::Done
    }

    /// Runs a unit of work up to its first refusal.
    fn work(&self, writes: &[Write]) -> (Self, Vec<Outcome>) {
        let mut after = self.clone();
        let mut outcomes = Vec::new();
        for write in writes {
            let outcome = after.write(write);
            outcomes.push(outcome);
            if outcome != Outcome::Done {
                break;
            }
        }
        (after, outcomes)
    }
}

type Model = [Tenant; TENANTS];

impl ReferenceStateMachine for Walk {
    type State = Model;
    type Transition = Step;

    fn init_state() -> BoxedStrategy<Model> {
        Just(Model::default()).boxed()
    }

    fn transitions(_: &Model) -> BoxedStrategy<Step> {
        let write = prop_oneof![
            4 => (0..IDS, 0u8..5).prop_map(|(id, code)| Write::Insert { id, code }),
            4 => (0..IDS, 0u8..5, 1i64..4).prop_map(|(id, code, expected)| Write::Update { id, code, expected }),
            2 => (0..IDS, 1i64..4).prop_map(|(id, expected)| Write::Remove { id, expected }),
            2 => (1usize..4).prop_map(|events| Write::Emit { events }),
        ];
        prop_oneof![
            4 => (0..TENANTS, prop::collection::vec(write, 1..5), prop::bool::weighted(0.8))
                .prop_map(|(tenant, writes, commit)| Step::Work { tenant, writes, commit }),
            1 => (0..TENANTS).prop_map(|tenant| Step::Look { tenant }),
        ]
        .boxed()
    }

    fn apply(mut model: Model, step: &Step) -> Model {
        if let Step::Work { tenant, writes, commit: true } = step {
            let (after, outcomes) = model[*tenant].work(writes);
            if outcomes.last() == Some(&Outcome::Done) {
                model[*tenant] = after;
            }
        }
        model
    }
}

/// The reference, and with an engine the system under test.
struct Walk;
struct Run<E>(PhantomData<E>);
struct Sut {
    runtime: tokio::runtime::Runtime,
    store: Fresh,
    tenants: [TenantId; TENANTS],
    ids: [LocationId; IDS],
    before: Model,
}

trait Engine {
    fn open() -> impl Future<Output = Fresh>;
}
struct Sqlite;
struct Postgres;
impl Engine for Sqlite {
    fn open() -> impl Future<Output = Fresh> {
        support::sqlite_file()
    }
}
impl Engine for Postgres {
    fn open() -> impl Future<Output = Fresh> {
        support::postgres()
    }
}

impl Sut {
    fn row(&self, id: usize, code: u8, version: i64) -> Location {
        let mut row = location(&format!("code-{code}"));
        row.id = self.ids[id];
        row.updated_at = at(version);
        row.version = Version::from_i64(version);
        row
    }

    async fn work(&self, tenant: usize, writes: &[Write], commit: bool) -> Vec<Outcome> {
        let mut tx = self.store.begin(self.tenants[tenant]).await.unwrap();
        let mut outcomes = Vec::new();
        for write in writes {
            let done = match *write {
                Write::Insert { id, code } => tx.locations().insert(&self.row(id, code, 1)).await,
                Write::Update { id, code, expected } => {
                    let row = self.row(id, code, expected + 1);
                    tx.locations().update(&row, Version::from_i64(expected)).await
                }
                Write::Remove { id, expected } => {
                    tx.locations().remove(self.ids[id], Version::from_i64(expected)).await
                }
                Write::Emit { events } => {
                    tx.events().append((0..events).map(|_| event("walked")).collect()).await
                }
            };
            outcomes.push(match done {
                Ok(()) => Outcome::Done,
                Err(StoreError::Conflict { .. }) => Outcome::Conflict,
                Err(StoreError::Stale) => Outcome::Stale,
                Err(other) => panic!("{write:?}: {other:?}"),
            });
            if outcomes.last() != Some(&Outcome::Done) {
                return outcomes;
            }
        }
        if commit {
            tx.commit().await.unwrap();
        }
        outcomes
    }

    async fn look(&self, tenant: usize) -> Tenant {
        let mut tx = self.store.read(self.tenants[tenant]).await.unwrap();
        let page = PageRequest { limit: 200, ..Default::default() };
        let rows = tx.locations().list(&LocationFilter::default(), &page).await.unwrap();
        let index = |id| self.ids.iter().position(|own| *own == id).unwrap();
        Tenant {
            rows: rows
                .into_iter()
                .map(|row| {
                    let code = row.code.strip_prefix("code-").unwrap().parse().unwrap();
                    (index(row.id), (code, row.version.as_i64()))
                })
                .collect(),
            events: tx.events().after(0, 1000).await.unwrap().len() as i64,
        }
    }
}

impl<E: Engine + 'static> StateMachineTest for Run<E> {
    type SystemUnderTest = Sut;
    type Reference = Walk;

    fn init_test(_: &Model) -> Sut {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let (store, tenants) = runtime.block_on(async {
            let store = E::open().await;
            let tenants = [tenant(&*store).await, tenant(&*store).await];
            (store, tenants)
        });
        let ids = std::array::from_fn(|_| LocationId::from_uuid(id()));
        Sut { runtime, store, tenants, ids, before: Model::default() }
    }

    fn apply(mut sut: Sut, model: &Model, step: Step) -> Sut {
        match step {
            Step::Work { tenant, writes, commit } => {
                let (_, expected) = sut.before[tenant].work(&writes);
                let got = sut.runtime.block_on(sut.work(tenant, &writes, commit));
                assert_eq!(got, expected, "{writes:?}");
            }
            Step::Look { tenant } => {
                let got = sut.runtime.block_on(sut.look(tenant));
                assert_eq!(got, model[tenant]);
            }
        }
        sut.before = model.clone();
        sut
    }

    fn teardown(sut: Sut, model: Model) {
        for (tenant, expected) in model.iter().enumerate() {
            assert_eq!(sut.runtime.block_on(sut.look(tenant)), *expected, "at the end");
        }
    }
}

prop_state_machine! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn sqlite_follows_the_model(sequential 1..30 => Run<Sqlite>);

    #[test]
    fn postgres_follows_the_model(sequential 1..30 => Run<Postgres>);
}
