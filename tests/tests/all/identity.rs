//! Identity through the services, on every engine; and what the database itself refuses.

mod account;
pub(super) mod endurance;
mod http;
mod passwords;
mod sign_in;
mod world;

use std::collections::HashSet;

use hrms_core::contract::{id, tenant};
use hrms_core::identity::{Client, IdentityError, LogIn, Opened};
use hrms_core::operator::NewOperator;
use hrms_core::organization::{CreatedOrganization, NewAdmin, NewOrganization};
use hrms_core::rate_limit::{AccountDigest, Charge, Network, Quota, RateKey};
use hrms_core::user::{NewUser, User, UserError, UserPatch, UserStatus};
use hrms_core::{
    Actor, Cause, CommonError, DomainError, EmployeeId, ErrorKind, Hrms, Operator, Patch, RequestId, Role,
    RoleName, Secret, Store, UserId, Who,
};
use hrms_store::SqlStore;
use hrms_tests::Fresh;
use sqlx::{Connection, PgConnection};

use crate::all::leave::person;

const PASSWORD: &str = "seven anvils on a roof";

fn request() -> RequestId {
    RequestId::from_uuid(id())
}

fn actor(organization: &CreatedOrganization, user: UserId, roles: &[Role]) -> Actor {
    let who = Who::User { user, session: None, employee: None };
    Actor::user(organization.organization.id, who, roles, Cause::Request, request())
}

fn log_in(slug: Option<&str>, email: &str, password: &str) -> LogIn {
    LogIn {
        organization: slug.map(str::to_owned),
        email: email.to_owned(),
        password: Secret::new(password),
        otp: None,
    }
}

async fn organization(hrms: &Hrms, slug: &str) -> CreatedOrganization {
    let new = NewOrganization {
        slug: slug.into(),
        name: "Acme Industries".into(),
        admin: NewAdmin {
            email: format!("Admin@{slug}.Example"),
            name: "Ada".into(),
            password: Some(Secret::new(PASSWORD)),
        },
    };
    hrms.organizations().create(&Operator::command(request()), new).await.unwrap()
}

fn new_user(email: &str, roles: &[Role]) -> NewUser {
    NewUser {
        must_change_password: false,
        email: email.into(),
        name: "Jane Doe".into(),
        roles: roles.iter().map(|&role| role.into()).collect(),
        employee_id: None,
        password: Secret::new(PASSWORD),
    }
}

async fn standing(hrms: &Hrms, opened: &Opened) -> bool {
    let subject = opened.subject;
    let found = hrms.identity().standing(subject.tenant.unwrap(), subject.user, subject.session).await;
    found.unwrap().is_some()
}

fn kind(error: &impl DomainError) -> (ErrorKind, &'static str) {
    (error.kind(), error.code())
}

async fn a_log_in_is_refreshed_and_ends(store: &Fresh) {
    let hrms = Hrms::new(SqlStore::clone(store));
    let acme = organization(&hrms, "acme").await;
    assert_eq!(acme.admin.email, "admin@acme.example");
    let with = log_in(Some(" ACME "), " ADMIN@acme.example", PASSWORD);
    let first = hrms.identity().log_in(with, Client::default()).await.unwrap();
    assert_eq!(first.subject.user, acme.admin.id);
    assert!(standing(&hrms, &first).await);
    let second = hrms.identity().refresh(&first.refresh_token, Client::default()).await.unwrap();
    assert_eq!(second.subject, first.subject);
    assert!(standing(&hrms, &second).await);

    // The old token again: one of two holders stole it, so both are out.
    let refused = hrms.identity().refresh(&first.refresh_token, Client::default()).await.unwrap_err();
    assert_eq!(kind(&refused), (ErrorKind::Unauthenticated, "auth.invalid-refresh-token"));
    assert!(!standing(&hrms, &second).await);
    assert!(hrms.identity().refresh(&second.refresh_token, Client::default()).await.is_err());

    let third = hrms
        .identity()
        .log_in(log_in(Some("acme"), "admin@acme.example", PASSWORD), Client::default())
        .await
        .unwrap();
    hrms.identity().log_out(&third.subject, Client::default()).await.unwrap();
    assert!(!standing(&hrms, &third).await);
    assert!(hrms.identity().refresh(&third.refresh_token, Client::default()).await.is_err());
}

async fn crossing_refreshes_have_one_winner_who_lives(store: &Fresh) {
    let hrms = Hrms::new(SqlStore::clone(store));
    organization(&hrms, "acme").await;
    // On a busy machine the first request can be done before the second comes in: then they don't cross, the
    // others bring an old token, and the session rightly ends. So try until they do cross.
    for _ in 0..10 {
        let with = log_in(Some("acme"), "admin@acme.example", PASSWORD);
        let opened = hrms.identity().log_in(with, Client::default()).await.unwrap();
        let crossing =
            (0..8).map(async |_| hrms.identity().refresh(&opened.refresh_token, Client::default()).await);
        let answers = hrms_core::contract::all_at_once(crossing).await;
        let winners: Vec<_> = answers.into_iter().flatten().collect();
        let [winner] = &winners[..] else { panic!("{} winners", winners.len()) };
        let goes_on = hrms.identity().refresh(&winner.refresh_token, Client::default()).await.is_ok();
        assert!(hrms.identity().refresh(&opened.refresh_token, Client::default()).await.is_err());
        assert!(!standing(&hrms, &opened).await, "a late old token ends the session");
        if goes_on {
            return;
        }
    }
    panic!("the winner never went on");
}

async fn nobody_learns_why_a_log_in_fails(store: &Fresh) {
    let hrms = Hrms::new(SqlStore::clone(store));
    let acme = organization(&hrms, "acme").await;
    organization(&hrms, "other").await;
    let closed = organization(&hrms, "closed").await;
    let operator = Operator::command(request());
    hrms.organizations().suspend(&operator, closed.organization.id).await.unwrap();
    let admin = actor(&acme, acme.admin.id, &[Role::Admin]);
    let gone = hrms.users().create(&admin, new_user("gone@acme.example", &[Role::Employee])).await.unwrap();
    let patch = UserPatch { status: Patch::Set(UserStatus::Disabled), ..Default::default() };
    hrms.users().change(&admin, gone.id, gone.version, patch).await.unwrap();
    let mut answers = HashSet::new();
    for with in [
        log_in(Some("acme"), "admin@acme.example", "not the password at all"),
        log_in(Some("acme"), "nobody@acme.example", PASSWORD),
        log_in(Some("acme"), "not an address", PASSWORD),
        log_in(Some("nowhere"), "admin@acme.example", PASSWORD),
        log_in(Some("other"), "admin@acme.example", PASSWORD),
        log_in(None, "admin@acme.example", PASSWORD),
        log_in(Some("closed"), "admin@closed.example", PASSWORD),
        log_in(Some("acme"), "gone@acme.example", PASSWORD),
    ] {
        let refused = hrms.identity().log_in(with, Client::default()).await.unwrap_err();
        answers.insert((refused.kind(), refused.code(), refused.to_string()));
    }
    assert_eq!(answers.len(), 1, "{answers:?}");
    hrms.organizations().resume(&operator, closed.organization.id).await.unwrap();
    let with = log_in(Some("closed"), "admin@closed.example", PASSWORD);
    hrms.identity().log_in(with, Client::default()).await.unwrap();
}

async fn guessing_is_slowed_down(store: &Fresh) {
    let hrms = Hrms::new(SqlStore::clone(store));
    organization(&hrms, "acme").await;
    let from = |last| Client { address: Some([192, 0, 2, last].into()), user_agent: None, request: None };
    let wrong = || log_in(Some("acme"), "admin@acme.example", "not the password at all");
    for _ in 0..30 {
        let refused = hrms.identity().log_in(wrong(), from(1)).await.unwrap_err();
        assert!(matches!(refused, IdentityError::InvalidCredentials));
    }
    let refused = hrms.identity().log_in(wrong(), from(1)).await.unwrap_err();
    assert_eq!(kind(&refused), (ErrorKind::Throttled, "auth.too-many-attempts"));
    assert!((1..=30).contains(&refused.retry_after().unwrap()));
    let right = log_in(Some("acme"), "admin@acme.example", PASSWORD);
    hrms.identity().log_in(right, from(2)).await.expect("the owner, elsewhere");
}

/// Many addresses guess one account: who never logged in to it has to wait, the owner's own addresses don't.
async fn guessing_from_everywhere_does_not_lock_the_owner_out(store: &Fresh) {
    let hrms = Hrms::new(SqlStore::clone(store));
    organization(&hrms, "acme").await;
    organization(&hrms, "other").await;
    let from = |text: &str| Client { address: Some(text.parse().unwrap()), user_agent: None, request: None };
    let admin = |slug: &str| log_in(Some(slug), &format!("admin@{slug}.example"), PASSWORD);
    let (home, neighbour) = ("2001:db8:1::7", "2001:db8:1::8");
    hrms.identity().log_in(admin("acme"), from(home)).await.unwrap();
    for (slug, email) in
        [("acme", "admin@acme.example"), ("other", "admin@other.example"), ("acme", "no@one")]
    {
        let key = RateKey::LogInTo(AccountDigest::of(Some(slug), email));
        // What a hundred wrong guesses from as many addresses cost.
        let spent = [Charge { key, quota: Quota::new(1, 1000) }];
        hrms.rate_limits().take_strictly(&spent, hrms.clock().now()).await.unwrap();
    }
    let attempts = [
        (admin("acme"), from("192.0.2.9")),
        (admin("acme"), Client::default()),
        (admin("other"), from(home)),
        (log_in(Some("acme"), "no@one", PASSWORD), from(home)),
    ];
    for (with, client) in attempts {
        let refused = hrms.identity().log_in(with, client.clone()).await.unwrap_err();
        assert_eq!(refused.code(), "auth.too-many-attempts", "{client:?}");
        assert!((1..=10).contains(&refused.retry_after().unwrap()));
    }
    for address in [home, neighbour] {
        hrms.identity().log_in(admin("acme"), from(address)).await.unwrap();
    }
    // From the known address the guesses are still counted: it may be the attacker's, too.
    let network = Network::of(home.parse().unwrap());
    let account = AccountDigest::of(Some("acme"), "admin@acme.example");
    let spent = [Charge { key: RateKey::LogInToFrom(account, network), quota: Quota::new(1, 900) }];
    hrms.rate_limits().take_strictly(&spent, hrms.clock().now()).await.unwrap();
    let refused = hrms.identity().log_in(admin("acme"), from(home)).await.unwrap_err();
    assert_eq!(refused.code(), "auth.too-many-attempts");
}

async fn operators_log_in_without_an_organization(store: &Fresh) {
    let hrms = Hrms::new(SqlStore::clone(store));
    let new = NewOperator {
        email: "Olga@Service.example".into(),
        name: "Olga".into(),
        password: Secret::new(PASSWORD),
    };
    let by = Operator::command(request());
    hrms.operators().create(&by, new.clone()).await.unwrap();
    let taken = hrms.operators().create(&by, new).await.unwrap_err();
    assert_eq!(kind(&taken), (ErrorKind::Conflict, "operator.email-taken"));
    let with = log_in(None, "olga@service.example", PASSWORD);
    let opened = hrms.identity().log_in(with, Client::default()).await.unwrap();
    assert_eq!(opened.subject.tenant, None);
    let operator = Operator::user(opened.subject.user, Some(opened.subject.session), request());
    let me = hrms.identity().me_operator(&operator).await.unwrap();
    assert!(me.operator && me.organization.is_none() && me.permissions.is_empty());
    let opened = hrms.identity().refresh(&opened.refresh_token, Client::default()).await.unwrap();
    hrms.identity().log_out(&opened.subject, Client::default()).await.unwrap();
    assert!(hrms.identity().me_operator(&operator).await.is_err());
}

async fn nobody_hands_out_what_they_lack(store: &Fresh) {
    let hrms = Hrms::new(SqlStore::clone(store));
    let acme = organization(&hrms, "acme").await;
    let admin = actor(&acme, acme.admin.id, &[Role::Admin]);
    let hr = hrms.users().create(&admin, new_user("hr@acme.example", &[Role::Hr])).await.unwrap();
    let lesser = actor(&acme, hr.id, &[Role::Hr]);
    let denied = hrms.users().create(&lesser, new_user("x@acme.example", &[Role::Admin])).await.unwrap_err();
    assert!(matches!(denied, UserError::Common(CommonError::Forbidden { .. })));
    // Somebody who may manage users, but holds little else.
    let clerk = Actor::system(
        acme.organization.id,
        "clerk",
        &[hrms_core::Permission::UserManage, hrms_core::Permission::UserRead],
        Cause::Embedder,
        request(),
    );
    for role in [Role::Owner, Role::Admin, Role::Hr, Role::Payroll, Role::Manager, Role::Auditor] {
        let denied = hrms.users().create(&clerk, new_user("x@acme.example", &[role])).await.unwrap_err();
        assert_eq!(kind(&denied), (ErrorKind::Forbidden, "user.role-not-yours"));
    }
    let own = hrms.users().get(&admin, acme.admin.id).await.unwrap();
    for patch in [
        UserPatch { status: Patch::Set(UserStatus::Disabled), ..Default::default() },
        UserPatch { roles: Patch::Set(vec![Role::Employee.into()]), ..Default::default() },
    ] {
        let denied = hrms.users().change(&clerk, own.id, own.version, patch).await.unwrap_err();
        assert_eq!(kind(&denied), (ErrorKind::Forbidden, "user.role-not-yours"));
    }
    // What every employee may do with their own things is nobody's power over others.
    hrms.users().create(&clerk, new_user("y@acme.example", &[Role::Employee])).await.unwrap();
    // An admin sees no pay and writes no policies, so they make nobody payroll or owner; nor themselves.
    let second = hrms.users().create(&admin, new_user("b@acme.example", &[Role::Admin])).await.unwrap();
    let myself = actor(&acme, second.id, &[Role::Admin]);
    for role in [Role::Owner, Role::Payroll] {
        let denied = hrms.users().create(&admin, new_user("x@acme.example", &[role])).await.unwrap_err();
        assert_eq!(kind(&denied), (ErrorKind::Forbidden, "user.role-not-yours"));
        let roles = Patch::Set(vec![Role::Admin.into(), role.into()]);
        let patch = UserPatch { roles, ..Default::default() };
        let denied = hrms.users().change(&myself, second.id, second.version, patch).await.unwrap_err();
        assert_eq!(kind(&denied), (ErrorKind::Forbidden, "user.role-not-yours"));
    }
    // Whoever is linked to an employee sees their pay, which an admin doesn't.
    let person = EmployeeId::from_uuid(id());
    let linked = NewUser { employee_id: Some(person), ..new_user("x@acme.example", &[Role::Employee]) };
    let denied = hrms.users().create(&admin, linked).await.unwrap_err();
    assert_eq!(kind(&denied), (ErrorKind::Forbidden, "user.link-not-yours"));
    let patch = UserPatch { employee_id: Patch::Set(person), ..Default::default() };
    let clerk_like =
        hrms.users().create(&admin, new_user("z@acme.example", &[Role::Employee])).await.unwrap();
    let denied = hrms.users().change(&admin, clerk_like.id, clerk_like.version, patch).await.unwrap_err();
    assert_eq!(kind(&denied), (ErrorKind::Forbidden, "user.link-not-yours"));
    let unknown = NewUser { roles: vec![RoleName::new("emperor")], ..new_user("x@acme.example", &[]) };
    let refused = hrms.users().create(&admin, unknown).await.unwrap_err();
    assert_eq!((refused.kind(), &*refused.fields()[0].pointer), (ErrorKind::Invalid, "/roles/0"));
    let patch = UserPatch {
        roles: Patch::Set(vec![Role::Hr.into(), Role::Admin.into(), Role::Hr.into()]),
        ..Default::default()
    };
    let hr = hrms.users().change(&admin, hr.id, hr.version, patch).await.unwrap();
    assert_eq!(hr.roles, [Role::Admin, Role::Hr]);
}

/// P16: an admin who also decides on leave can't become somebody else for as long as it takes.
async fn nobody_stops_being_the_employee_they_are(store: &Fresh) {
    let hrms = Hrms::new(SqlStore::clone(store));
    let acme = organization(&hrms, "acme").await;
    let admin = actor(&acme, acme.admin.id, &[Role::Admin]);
    let people = [person("1"), person("2")];
    let mut tx = store.begin(acme.organization.id).await.unwrap();
    tx.employees().insert_many(&people).await.unwrap();
    tx.commit().await.unwrap();
    let [one, two] = people.map(|person| person.id);
    let is = |employee| UserPatch { employee_id: employee, ..Default::default() };
    let new = new_user("b@acme.example", &[Role::Admin, Role::Hr]);
    let both = hrms.users().create(&admin, new).await.unwrap();
    let myself = actor(&acme, both.id, &[Role::Admin, Role::Hr]);
    let users = hrms.users();
    // Whoever may not see everybody's pay doesn't become somebody, to see theirs.
    let denied = users.change(&myself, both.id, both.version, is(Patch::Set(one))).await.unwrap_err();
    assert_eq!(kind(&denied), (ErrorKind::Forbidden, "user.link-not-yours"));
    let owner = actor(&acme, acme.admin.id, &[Role::Owner]);
    let linked = users.change(&owner, both.id, both.version, is(Patch::Set(one))).await.unwrap();
    for to in [Patch::Clear, Patch::Set(two)] {
        let denied = users.change(&myself, both.id, linked.version, is(to)).await.unwrap_err();
        assert_eq!(kind(&denied), (ErrorKind::Forbidden, "user.own-employee"));
    }
    let same = users.change(&myself, both.id, linked.version, is(Patch::Set(one))).await.unwrap();
    let moved = users.change(&owner, both.id, same.version, is(Patch::Set(two))).await.unwrap();
    assert_eq!(moved.employee_id, Some(two));
}

async fn the_last_owner_stays(store: &Fresh) {
    let hrms = Hrms::new(SqlStore::clone(store));
    let acme = organization(&hrms, "acme").await;
    let owner = actor(&acme, acme.admin.id, &[Role::Owner]);
    let first = hrms.users().get(&owner, acme.admin.id).await.unwrap();
    let step_down = || UserPatch { roles: Patch::Set(vec![Role::Employee.into()]), ..Default::default() };
    let disable = || UserPatch { status: Patch::Set(UserStatus::Disabled), ..Default::default() };
    // As another owner sees it, who isn't one in the store.
    let other = actor(&acme, UserId::from_uuid(id()), &[Role::Owner]);
    for patch in [step_down(), disable()] {
        let refused = hrms.users().change(&other, first.id, first.version, patch).await.unwrap_err();
        assert_eq!(kind(&refused), (ErrorKind::Conflict, "user.last-owner"));
    }
    let second = hrms.users().create(&owner, new_user("b@acme.example", &[Role::Owner])).await.unwrap();
    let leaving = [(&first, step_down()), (&second, disable())];
    let steps = leaving.map(|(user, patch): (&User, _)| async {
        hrms.users().change(&other, user.id, user.version, patch).await
    });
    let answers = hrms_core::contract::all_at_once(steps).await;
    let refused: Vec<_> = answers.into_iter().filter_map(Result::err).collect();
    let [refused] = &refused[..] else { panic!("{refused:?}") };
    assert_eq!(kind(refused), (ErrorKind::Conflict, "user.last-owner"));
}

async fn a_disabled_user_is_out(store: &Fresh) {
    let hrms = Hrms::new(SqlStore::clone(store));
    let acme = organization(&hrms, "acme").await;
    let admin = actor(&acme, acme.admin.id, &[Role::Admin]);
    let jane = hrms.users().create(&admin, new_user("jane@acme.example", &[Role::Employee])).await.unwrap();
    let with = log_in(Some("acme"), "jane@acme.example", PASSWORD);
    let opened = hrms.identity().log_in(with.clone(), Client::default()).await.unwrap();
    let patch = UserPatch { status: Patch::Set(UserStatus::Disabled), ..Default::default() };
    let jane = hrms.users().change(&admin, jane.id, jane.version, patch).await.unwrap();
    assert!(!standing(&hrms, &opened).await);
    let patch = UserPatch { status: Patch::Set(UserStatus::Active), ..Default::default() };
    hrms.users().change(&admin, jane.id, jane.version, patch).await.unwrap();
    assert!(!standing(&hrms, &opened).await, "what was open stays closed");
    assert!(hrms.identity().refresh(&opened.refresh_token, Client::default()).await.is_err());
    hrms.identity().log_in(with, Client::default()).await.unwrap();
}

async fn faulty_users_are_refused(store: &Fresh) {
    let hrms = Hrms::new(SqlStore::clone(store));
    let (acme, other) = (organization(&hrms, "acme").await, organization(&hrms, "other").await);
    let admin = actor(&acme, acme.admin.id, &[Role::Owner]);
    let good = || new_user("jane@acme.example", &[Role::Employee]);
    for (new, pointer, code) in [
        (NewUser { email: "jane".into(), ..good() }, "/email", "not-an-email"),
        (NewUser { name: "".into(), ..good() }, "/name", "too-short"),
        (NewUser { roles: vec![], ..good() }, "/roles", "too-short"),
        (NewUser { password: Secret::new("short"), ..good() }, "/password", "too-short"),
        (NewUser { password: Secret::new("Jane Doe @ Acme"), ..good() }, "/password", "password-about-you"),
        (
            NewUser { employee_id: Some(hrms_core::EmployeeId::from_uuid(id())), ..good() },
            "/employee_id",
            "unknown-reference",
        ),
    ] {
        let refused = hrms.users().create(&admin, new).await.unwrap_err();
        let fault = &refused.fields()[0];
        assert_eq!((fault.pointer.as_ref(), fault.code.as_ref()), (pointer, code));
    }
    // An address that another organisation knows.
    let taken =
        hrms.users().create(&admin, new_user("admin@OTHER.example", &[Role::Employee])).await.unwrap_err();
    assert_eq!(kind(&taken), (ErrorKind::Conflict, "user.email-taken"));
    let stranger = hrms.users().get(&admin, other.admin.id).await.unwrap_err();
    assert_eq!(kind(&stranger), (ErrorKind::NotFound, "common.not-found"));
}

hrms_tests::on_every_engine!(
    a_log_in_is_refreshed_and_ends,
    crossing_refreshes_have_one_winner_who_lives,
    nobody_learns_why_a_log_in_fails,
    guessing_is_slowed_down,
    guessing_from_everywhere_does_not_lock_the_owner_out,
    operators_log_in_without_an_organization,
    nobody_hands_out_what_they_lack,
    nobody_stops_being_the_employee_they_are,
    the_last_owner_stays,
    a_disabled_user_is_out,
    faulty_users_are_refused,
);

/// The application's own role can read neither accounts nor what refreshes a session.
#[tokio::test]
async fn secrets_are_out_of_the_applications_reach() {
    let fresh = crate::all::support::postgres().await;
    let tenant = tenant(&*fresh).await;
    let (_, app) = fresh.urls.clone().unwrap();
    let mut conn = PgConnection::connect(&app).await.unwrap();
    for (role, statement, allowed) in [
        ("hrms_app", "SELECT count(*) FROM membership", true),
        ("hrms_app", "SELECT count(user_agent) FROM auth_session", true),
        ("hrms_app", "SELECT count(*) FROM user_account", false),
        ("hrms_app", "SELECT count(*) FROM platform_operator", false),
        ("hrms_app", "SELECT count(*) FROM operator_session", false),
        ("hrms_app", "SELECT count(*) FROM account_totp", false),
        ("hrms_app", "SELECT count(*) FROM account_recovery_code", false),
        ("hrms_app", "SELECT count(*) FROM password_reset", false),
        ("hrms_app", "SELECT count(*) FROM email_change", false),
        ("hrms_app", "UPDATE auth_session SET second_factor_at = now()", false),
        ("hrms_app", "UPDATE auth_session SET confirmed_at = now()", false),
        ("hrms_app", "SELECT count(refresh_hash) FROM auth_session", false),
        ("hrms_app", "SELECT count(family_hash) FROM auth_session", false),
        ("hrms_app", "UPDATE auth_session SET refresh_hash = ''", false),
        ("hrms_directory", "SELECT count(*) FROM membership", true),
        ("hrms_directory", "SELECT count(*) FROM user_account", true),
        ("hrms_directory", "UPDATE membership SET roles = '[\"admin\"]'", false),
        ("hrms_directory", "UPDATE membership SET status = 'active'", false),
        ("hrms_directory", "SELECT count(id) FROM support_grant", true),
        ("hrms_directory", "SELECT count(reason) FROM support_grant", false),
        ("hrms_directory", "UPDATE support_grant SET ended_at = NULL", false),
        ("hrms_directory", "SELECT count(*) FROM location", false),
        ("hrms_directory", "SELECT count(*) FROM employee", false),
        ("hrms_directory", "SELECT count(*) FROM event", false),
    ] {
        let begin =
            format!("BEGIN; SET LOCAL ROLE {role}; SET LOCAL hrms.tenant_id = '{}'", tenant.as_uuid());
        sqlx::raw_sql(sqlx::AssertSqlSafe(begin)).execute(&mut conn).await.unwrap();
        let answer = sqlx::raw_sql(sqlx::AssertSqlSafe(statement)).execute(&mut conn).await;
        assert_eq!(answer.is_ok(), allowed, "{role}: {statement}: {answer:?}");
        sqlx::raw_sql("ROLLBACK").execute(&mut conn).await.unwrap();
    }
}
