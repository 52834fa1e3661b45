//! What sessions have proved, second factors, passwords and their resets.

use crate::contract::fixture::{Subject as Store, all_at_once, at, id, tenant};
use crate::contract::identity::{stored_session, stored_user, user};
use crate::id::{SessionId, TenantId, UserId};
use crate::identity::{Demands, NewEmailChange, NewPassword, NewSession, Pending, Proof, Subject};
use crate::policy::Role;
use crate::user::{User, UserStatus};

const NEW: NewPassword<'static> = NewPassword { hash: "another", needs_factor: false };

/// An account with a second factor whose last step is 100, and its session.
async fn enrolled(store: &impl Store, tenant: TenantId) -> Subject {
    let user = stored_user(store, tenant, &[Role::Employee]).await;
    let session = stored_session(store, Some(tenant), user.id).await;
    store.start_totp(user.id, b"sealed", at(0)).await.unwrap();
    assert!(store.enrol_totp(&session, b"sealed", 100, &[[1; 32], [2; 32]], at(1)).await.unwrap());
    session
}

async fn pending(store: &impl Store, of: &Subject) -> Vec<Pending> {
    store.session(of, at(5)).await.unwrap().unwrap().pending()
}

/// Of many callers with the same code one gets it, and nobody one of an earlier step.
pub async fn a_one_time_code_is_taken_once(store: &impl Store) {
    let tenant = tenant(store).await;
    let session = enrolled(store, tenant).await;
    let callers = (0..8).map(async |_| store.use_totp_step(session.user, 101).await.unwrap());
    assert_eq!(all_at_once(callers).await.into_iter().filter(|won| *won).count(), 1);
    assert!(!store.use_totp_step(session.user, 100).await.unwrap());
    assert!(!store.use_totp_step(session.user, 101).await.unwrap());
    assert!(store.use_totp_step(session.user, 102).await.unwrap());
    assert!(!store.use_totp_step(UserId::from_uuid(id()), 103).await.unwrap());
}

/// Of many callers with the same recovery code one gets it; new ones end the old ones.
pub async fn a_recovery_code_is_taken_once(store: &impl Store) {
    let tenant = tenant(store).await;
    let (session, other) = (enrolled(store, tenant).await, enrolled(store, tenant).await);
    let callers = (0..8).map(async |_| store.use_recovery_code(session.user, [1; 32], at(2)).await.unwrap());
    assert_eq!(all_at_once(callers).await.into_iter().filter(|won| *won).count(), 1);
    assert!(!store.use_recovery_code(session.user, [3; 32], at(2)).await.unwrap());
    store.replace_recovery_codes(session.user, &[[3; 32]], at(3)).await.unwrap();
    assert!(!store.use_recovery_code(session.user, [2; 32], at(4)).await.unwrap());
    assert!(store.use_recovery_code(session.user, [3; 32], at(4)).await.unwrap());
    assert!(store.use_recovery_code(other.user, [2; 32], at(4)).await.unwrap(), "somebody else's stay");
}

/// So many tries at once, then one after each pause; a good one clears the account.
pub async fn tries_of_one_time_codes_are_rationed(store: &impl Store) {
    let tenant = tenant(store).await;
    let session = enrolled(store, tenant).await;
    let charge =
        async |second: i64| store.charge_totp(session.user, 3, at(second - 60), at(second)).await.unwrap();
    let at_once = all_at_once((0..8).map(|_| charge(10))).await;
    assert_eq!(at_once.into_iter().filter(|charged| *charged).count(), 3);
    assert!(!charge(69).await);
    assert!(charge(70).await);
    assert!(!charge(71).await, "one more, not three");
    assert!(store.use_totp_step(session.user, 200).await.unwrap());
    assert!(charge(72).await);
    assert!(!store.charge_totp(UserId::from_uuid(id()), 3, at(0), at(60)).await.unwrap());
}

/// A new secret is in use with its first code and not before; then other sessions have to show one.
pub async fn a_second_factor_is_set_up_and_removed(store: &impl Store) {
    let tenant = tenant(store).await;
    let user = stored_user(store, tenant, &[Role::Employee]).await;
    let (mine, other) = (
        stored_session(store, Some(tenant), user.id).await,
        stored_session(store, Some(tenant), user.id).await,
    );
    store.start_totp(user.id, b"first", at(0)).await.unwrap();
    store.start_totp(user.id, b"second", at(2)).await.unwrap();
    let stored = store.totp(user.id).await.unwrap();
    assert_eq!((stored.secret, stored.pending), (None, Some((b"second".to_vec(), at(2)))));
    assert!(!store.charge_totp(user.id, 3, at(0), at(60)).await.unwrap(), "nothing to guess yet");
    assert!(!store.account(user.id).await.unwrap().unwrap().enrolled);
    assert!(!store.enrol_totp(&mine, b"first", 1, &[], at(3)).await.unwrap());
    assert_eq!(pending(store, &other).await, []);
    assert!(store.enrol_totp(&mine, b"second", 1, &[[1; 32]], at(3)).await.unwrap());
    assert!(!store.enrol_totp(&mine, b"second", 1, &[], at(3)).await.unwrap());
    assert_eq!(store.totp(user.id).await.unwrap().secret, Some(b"second".to_vec()));
    assert!(store.account(user.id).await.unwrap().unwrap().enrolled);
    assert_eq!(pending(store, &mine).await, []);
    assert_eq!(pending(store, &other).await, [Pending::Otp]);
    store.confirm_session(&other, true, at(4)).await.unwrap();
    assert_eq!(pending(store, &other).await, []);
    let state = store.session(&other, at(5)).await.unwrap().unwrap();
    assert_eq!((state.confirmed_at, state.second_factor_at), (Some(at(4)), Some(at(4))));

    assert!(store.remove_totp(user.id).await.unwrap());
    assert!(!store.remove_totp(user.id).await.unwrap());
    assert!(!store.use_recovery_code(user.id, [1; 32], at(5)).await.unwrap());
    assert_eq!(store.totp(user.id).await.unwrap().secret, None);
}

/// What an organisation asks of its members is asked of their sessions, of nobody else's, and at once.
pub async fn demands_follow_organization_and_membership(store: &impl Store) {
    let (home, elsewhere) = (tenant(store).await, tenant(store).await);
    let (one, two) =
        (stored_user(store, home, &[Role::Hr]).await, stored_user(store, elsewhere, &[Role::Hr]).await);
    let mine = stored_session(store, Some(home), one.id).await;
    let theirs = stored_session(store, Some(elsewhere), two.id).await;
    let mut tx = store.begin(home).await.unwrap();
    let mut organization = tx.organization().get().await.unwrap().unwrap();
    let before = organization.version;
    organization.second_factor_required_for = vec![Role::Hr.into()];
    organization.version = before.next();
    tx.organization().update(&organization, before).await.unwrap();
    tx.users().set_password_due(one.id, Some(at(2))).await.unwrap();
    tx.users().set_password_due(two.id, Some(at(2))).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(pending(store, &mine).await, [Pending::EnrolSecondFactor, Pending::ChangePassword]);
    assert_eq!(pending(store, &theirs).await, []);
    assert!(store.second_factor_required_anywhere(one.id).await.unwrap());
    assert!(!store.second_factor_required_anywhere(two.id).await.unwrap());
    let slug = organization.slug.as_str();
    let candidate = store.candidate(Some(slug), &one.email).await.unwrap().unwrap();
    assert_eq!(candidate.demands, Demands { enrolled: false, required: true, password_due: true });
    assert!(store.change_password(one.id, "hash", NEW, &mine, at(3)).await.unwrap());
    assert_eq!(pending(store, &mine).await, [Pending::EnrolSecondFactor]);
}

/// With the last wrong try in a row a session ends, however many come at once; a good one clears it.
pub async fn wrong_tries_end_a_session(store: &impl Store) {
    let tenant = tenant(store).await;
    let user = stored_user(store, tenant, &[Role::Employee]).await;
    let session = stored_session(store, Some(tenant), user.id).await;
    for _ in 0..3 {
        assert!(!store.count_failure(&session, 3, at(1)).await.unwrap());
        store.confirm_session(&session, false, at(1)).await.unwrap();
    }
    let tries =
        all_at_once((0..5).map(async |_| store.count_failure(&session, 3, at(2)).await.unwrap())).await;
    assert_eq!(tries.into_iter().filter(|ended| !ended).count(), 2);
    assert!(store.session(&session, at(2)).await.unwrap().is_none());
}

/// A changed password ends the account's other sessions, and is changed by one of those who know the old one.
pub async fn a_changed_password_ends_other_sessions(store: &impl Store) {
    let tenant = tenant(store).await;
    let user = stored_user(store, tenant, &[Role::Employee]).await;
    let stranger = stored_user(store, tenant, &[Role::Employee]).await;
    let mine = stored_session(store, Some(tenant), user.id).await;
    let other = stored_session(store, Some(tenant), user.id).await;
    let theirs = stored_session(store, Some(tenant), stranger.id).await;
    assert!(!store.change_password(user.id, "not it", NEW, &mine, at(1)).await.unwrap());
    assert!(store.session(&other, at(1)).await.unwrap().is_some());
    let news = ["a", "b", "c", "d"];
    let callers = news.map(async |hash| {
        let new = NewPassword { hash, needs_factor: true };
        store.change_password(user.id, "hash", new, &mine, at(1)).await.unwrap()
    });
    let won = all_at_once(callers).await;
    assert_eq!(won.iter().filter(|won| **won).count(), 1, "{won:?}");
    let winner = news.into_iter().zip(&won).find_map(|(hash, won)| won.then_some(hash)).unwrap();
    let account = store.account(user.id).await.unwrap().unwrap();
    assert_eq!((account.password_hash.as_str(), account.password_needs_factor), (winner, true));
    for (session, alive) in [(mine, true), (other, false), (theirs, true)] {
        assert_eq!(store.session(&session, at(2)).await.unwrap().is_some(), alive);
    }
    assert_eq!(pending(store, &mine).await, [Pending::ChangePassword], "too short without a second factor");
    // A log-in whose password was compared before opens nothing any more, and brings the old one not back.
    let session = NewSession {
        subject: Subject { session: SessionId::from_uuid(id()), ..mine },
        family_hash: [9; 32],
        refresh_hash: [1; 32],
        created_at: at(2),
        expires_at: at(100),
        ends_at: at(150),
        address: None,
        user_agent: None,
        confirmed: true,
        second_factor: false,
    };
    let stale = Proof { hash: "hash", renewed: Some("renewed") };
    assert!(!store.insert_session(&session, stale).await.unwrap());
    assert!(store.session(&session.subject, at(3)).await.unwrap().is_none());
    assert_eq!(store.account(user.id).await.unwrap().unwrap().password_hash, winner);
}

/// A reset token is good once, for its time, and only the newest; it ends all sessions.
pub async fn a_reset_token_is_used_once(store: &impl Store) {
    let tenant = tenant(store).await;
    let user = stored_user(store, tenant, &[Role::Employee]).await;
    let session = stored_session(store, Some(tenant), user.id).await;
    let start = async |hash: u8, spaced_from: i64, now: i64| {
        let (spaced_from, until) = (at(spaced_from), at(now + 50));
        store.start_reset(&user.email, [hash; 32], spaced_from, at(now), until).await.unwrap()
    };
    assert!(!store.start_reset("x@example.com", [1; 32], at(0), at(0), at(9)).await.unwrap());
    assert!(start(1, 0, 0).await);
    assert!(!start(2, -5, 1).await, "too soon after the first one");
    assert_eq!(store.resettable([1; 32], at(1)).await.unwrap(), Some(user.id));
    assert!(start(3, 0, 2).await);
    assert_eq!(store.resettable([1; 32], at(3)).await.unwrap(), None, "the newest only");
    assert_eq!(store.resettable([3; 32], at(51)).await.unwrap(), Some(user.id));
    assert_eq!(store.resettable([3; 32], at(52)).await.unwrap(), None);
    assert!(!store.reset_password([3; 32], NEW, at(52)).await.unwrap());
    assert!(store.session(&session, at(3)).await.unwrap().is_some());
    let callers = (0..8).map(async |_| store.reset_password([3; 32], NEW, at(4)).await.unwrap());
    assert_eq!(all_at_once(callers).await.into_iter().filter(|won| *won).count(), 1);
    assert!(store.session(&session, at(4)).await.unwrap().is_none());
    assert_eq!(store.account(user.id).await.unwrap().unwrap().password_hash, "another");
}

/// It is known who chose a password until whoever reads the account's mail chooses another one; a change by somebody who knew the
/// old one says nothing.
pub async fn who_chose_a_password_is_known(store: &impl Store) {
    let tenant = tenant(store).await;
    let maker = stored_user(store, tenant, &[Role::Admin]).await;
    let user = user(&[Role::Employee]);
    let mut tx = store.begin(tenant).await.unwrap();
    tx.users().insert(&user, "hash", Some(maker.id)).await.unwrap();
    tx.commit().await.unwrap();
    let session = stored_session(store, Some(tenant), user.id).await;
    let known = async || {
        let facts = store.account(user.id).await.unwrap().unwrap().password_chosen_by;
        let by_email = store.account_by_email(&user.email).await.unwrap().unwrap().password_chosen_by;
        assert_eq!(facts, by_email);
        facts
    };
    assert_eq!(known().await, Some(maker.id));
    assert!(store.change_password(user.id, "hash", NEW, &session, at(1)).await.unwrap());
    assert_eq!(known().await, Some(maker.id));
    assert!(store.start_reset(&user.email, [1; 32], at(0), at(1), at(9)).await.unwrap());
    assert!(store.reset_password([1; 32], NEW, at(2)).await.unwrap());
    assert_eq!(known().await, None);
    assert_eq!(store.account(maker.id).await.unwrap().unwrap().password_chosen_by, None);
}

/// Sessions are shown to, and ended by, their own user in their own organisation.
pub async fn sessions_belong_to_their_user(store: &impl Store) {
    let (home, elsewhere) = (tenant(store).await, tenant(store).await);
    let (user, stranger) = (
        stored_user(store, home, &[Role::Employee]).await,
        stored_user(store, home, &[Role::Employee]).await,
    );
    let (mine, other) =
        (stored_session(store, Some(home), user.id).await, stored_session(store, Some(home), user.id).await);
    let theirs = stored_session(store, Some(home), stranger.id).await;
    let shown = store.sessions(&mine, at(1)).await.unwrap();
    assert_eq!(shown.len(), 2);
    assert!(shown.iter().all(|one| one.current == (one.id == mine.session)));
    assert!(shown.iter().all(|one| one.address.as_deref() == Some("192.0.2.1")));
    assert!(store.sessions(&mine, at(100)).await.unwrap().is_empty(), "they have expired");
    for stray in [
        Subject { tenant: Some(elsewhere), ..mine },
        Subject { tenant: None, ..mine },
        Subject { user: UserId::from_uuid(id()), ..mine },
    ] {
        assert!(store.session(&stray, at(1)).await.unwrap().is_none());
        assert!(store.sessions(&stray, at(1)).await.unwrap().is_empty());
        assert_eq!(store.end_other_sessions(&stray, at(1)).await.unwrap(), 0);
        assert!(!store.end_session(&stray, at(1)).await.unwrap());
        store.confirm_session(&stray, true, at(9)).await.unwrap();
        store.prolong_session(&stray, at(900), at(999)).await.unwrap();
    }
    assert_eq!(store.session(&mine, at(1)).await.unwrap().unwrap().confirmed_at, Some(at(0)));
    assert!(store.session(&mine, at(100)).await.unwrap().is_none());
    store.prolong_session(&mine, at(120), at(140)).await.unwrap();
    assert!(store.session(&mine, at(100)).await.unwrap().is_none(), "never shortened");
    store.prolong_session(&mine, at(120), at(200)).await.unwrap();
    assert!(store.session(&mine, at(119)).await.unwrap().is_some());
    assert_eq!(store.end_other_sessions(&mine, at(2)).await.unwrap(), 1);
    for (session, alive) in [(mine, true), (other, false), (theirs, true)] {
        assert_eq!(store.session(&session, at(2)).await.unwrap().is_some(), alive);
    }
    store.end_account_sessions(user.id, at(3)).await.unwrap();
    assert!(store.session(&mine, at(3)).await.unwrap().is_none());
    assert!(store.session(&theirs, at(3)).await.unwrap().is_some());
}

/// A change of address is confirmed once, in every organisation that isn't left, and never to one that is taken.
pub async fn an_address_is_changed_once(store: &impl Store) {
    let (one, two, left) = (tenant(store).await, tenant(store).await, tenant(store).await);
    let user = stored_user(store, one, &[Role::Employee]).await;
    let other = stored_user(store, one, &[Role::Employee]).await;
    for tenant in [two, left] {
        let mut tx = store.begin(tenant).await.unwrap();
        tx.users().insert_membership(&user).await.unwrap();
        tx.commit().await.unwrap();
    }
    let gone = User { status: UserStatus::Removed, version: user.version.next(), ..user.clone() };
    let mut tx = store.begin(left).await.unwrap();
    tx.users().update(&gone, user.version).await.unwrap();
    tx.commit().await.unwrap();
    let mut both = vec![one, two];
    both.sort_unstable();
    assert_eq!(store.memberships_of(user.id).await.unwrap(), both);
    let keep = stored_session(store, Some(one), user.id).await;
    let end = stored_session(store, Some(two), user.id).await;
    let change = |email: &str, token: u8, seconds: i64| NewEmailChange {
        user: user.id,
        email: email.to_owned(),
        session: keep.session,
        token_hash: [token; 32],
        created_at: at(seconds),
        expires_at: at(seconds + 60),
    };
    // To one that is taken: nothing changes, and the token isn't used up.
    assert!(store.start_email_change(&change(&other.email, 1, 0), at(-10)).await.unwrap());
    let refused = store.change_email([1; 32], at(1)).await.unwrap_err();
    assert_eq!(refused.constraint(), Some("user_account_email_key"));
    assert!(store.waiting_email_change([1; 32], at(1)).await.unwrap().is_some());
    // Not again at once; then the former token is good no more.
    assert!(!store.start_email_change(&change("new@example.com", 2, 5), at(-5)).await.unwrap());
    assert!(store.start_email_change(&change("new@example.com", 2, 10), at(0)).await.unwrap());
    assert_eq!(store.waiting_email_change([1; 32], at(11)).await.unwrap(), None);
    assert_eq!(store.waiting_email_change([2; 32], at(70)).await.unwrap(), None, "expired");
    assert!(!store.change_email([2; 32], at(70)).await.unwrap());
    let waiting = store.waiting_email_change([2; 32], at(69)).await.unwrap().unwrap();
    assert_eq!(
        (waiting.user, waiting.from, waiting.to.as_str()),
        (user.id, user.email.clone(), "new@example.com")
    );
    assert!(store.change_email([2; 32], at(69)).await.unwrap());
    assert!(!store.change_email([2; 32], at(69)).await.unwrap());
    assert!(store.account_by_email(&user.email).await.unwrap().is_none());
    for (tenant, email) in [(one, "new@example.com"), (two, "new@example.com"), (left, user.email.as_str())] {
        let mut tx = store.read(tenant).await.unwrap();
        assert_eq!(tx.users().get(user.id).await.unwrap().unwrap().email, email);
    }
    assert!(store.session(&keep, at(70)).await.unwrap().is_some());
    assert!(store.session(&end, at(70)).await.unwrap().is_none());
}
