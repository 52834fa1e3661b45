//! One account in several organisations, removal, and invitations.

use crate::contract::fixture::{Subject, all_at_once, at, id, tenant};
use crate::contract::{stored_session, stored_user};
use crate::error::StoreError;
use crate::id::{EmployeeId, InvitationId, UserId};
use crate::invitation::{Delivery, Invitation, InvitationFilter, InvitationStatus, StoredInvitation};
use crate::job::Requester;
use crate::organization::OrganizationStatus;
use crate::page::PageRequest;
use crate::policy::Role;
use crate::store::Version;
use crate::user::{User, UserFilter, UserStatus};

/// An invitation that isn't stored yet, made at second 0 and good for 100 seconds.
#[must_use]
pub fn invitation(email: &str) -> StoredInvitation {
    let by = UserId::from_uuid(id());
    StoredInvitation {
        invitation: Invitation {
            id: InvitationId::from_uuid(id()),
            email: email.into(),
            name: "Zoë".into(),
            roles: vec![Role::Employee.into(), Role::Hr.into()],
            employee_id: None,
            status: InvitationStatus::Pending,
            delivery: Delivery::Queued,
            invited_by: Some(by),
            accepted_by: None,
            created_at: at(0),
            updated_at: at(0),
            requested_at: at(0),
            expires_at: at(100),
            version: Version::FIRST,
        },
        inviter: Requester::User {
            user: by,
            employee: None,
            roles: Vec::new(),
            grants: Vec::new(),
            support: None,
        },
        token_hash: None,
        generation: 1,
    }
}

/// One account is a member of several organisations, with what each of them says; each sees its own.
pub async fn an_account_has_memberships_of_its_own(store: &impl Subject) {
    let (one, two, three) = (tenant(store).await, tenant(store).await, tenant(store).await);
    let first = stored_user(store, one, &[Role::Admin]).await;
    let second = User { name: "Another name".into(), roles: vec![Role::Employee.into()], ..first.clone() };
    let mut tx = store.begin(two).await.unwrap();
    tx.users().insert_membership(&second).await.unwrap();
    let again = tx.users().insert_membership(&second).await.unwrap_err();
    assert!(matches!(again.constraint(), Some("membership_pkey" | "membership_email_key")), "{again:?}");
    drop(tx);
    let mut tx = store.begin(two).await.unwrap();
    tx.users().insert_membership(&second).await.unwrap();
    tx.commit().await.unwrap();
    for (tenant, expected) in [(one, Some(&first)), (two, Some(&second)), (three, None)] {
        let mut tx = store.read(tenant).await.unwrap();
        assert_eq!(tx.users().get(first.id).await.unwrap().as_ref(), expected);
    }
    let slug = async |tenant| store.organization(tenant).await.unwrap().unwrap().slug;
    for tenant in [one, two] {
        let found = store.candidate(Some(&slug(tenant).await), &first.email).await.unwrap().unwrap();
        assert_eq!((found.tenant, found.user), (Some(tenant), first.id));
    }
    assert!(store.candidate(Some(&slug(three).await), &first.email).await.unwrap().is_none());
    let known = store.account_by_email(&first.email).await.unwrap().unwrap();
    assert_eq!(
        (known.account.id, known.account.password_hash.as_str(), known.active),
        (first.id, "hash", true)
    );
    assert!(store.account_by_email("nobody@example.com").await.unwrap().is_none());

    let mine = async || -> Vec<_> {
        let all = store.organizations_of(first.id).await.unwrap();
        let mut ids: Vec<_> = all.into_iter().map(|organization| organization.id).collect();
        ids.sort_unstable();
        ids
    };
    let mut both = vec![one, two];
    both.sort_unstable();
    assert_eq!(mine().await, both);
    // A session here says nothing there.
    let session = stored_session(store, Some(one), first.id).await;
    let mut tx = store.read(two).await.unwrap();
    let today = jiff::civil::date(2026, 11, 21);
    assert!(tx.users().standing(first.id, session.session, at(1), today).await.unwrap().is_none());
    drop(tx);

    let disabled = User { status: UserStatus::Disabled, ..second };
    let mut tx = store.begin(two).await.unwrap();
    tx.users().update(&disabled, disabled.version).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(mine().await, [one]);
    let mut organization = store.organization(one).await.unwrap().unwrap();
    organization.status = OrganizationStatus::Suspended;
    store.update_organization_status(&organization, organization.version).await.unwrap();
    assert!(mine().await.is_empty());
    assert!(store.organizations_of(UserId::from_uuid(id())).await.unwrap().is_empty());
}

/// Whoever was removed can still be read, is in nobody's way, and can come back.
pub async fn the_removed_stay_readable_and_can_return(store: &impl Subject) {
    let tenant = tenant(store).await;
    let before = stored_user(store, tenant, &[Role::Admin]).await;
    let session = stored_session(store, Some(tenant), before.id).await;
    let removed = User {
        status: UserStatus::Removed,
        updated_at: at(5),
        version: before.version.next(),
        ..before.clone()
    };
    let mut tx = store.begin(tenant).await.unwrap();
    tx.users().update(&removed, before.version).await.unwrap();
    assert_eq!(tx.users().get(before.id).await.unwrap(), Some(removed.clone()));
    let page = PageRequest::default();
    for (status, found) in
        [(None, false), (Some(UserStatus::Disabled), false), (Some(UserStatus::Removed), true)]
    {
        let filter = UserFilter { status, ..Default::default() };
        assert_eq!(!tx.users().list(&filter, &page).await.unwrap().is_empty(), found, "{status:?}");
    }
    assert!(tx.users().hold_active_with_role(Role::Admin).await.unwrap().is_empty());
    tx.commit().await.unwrap();
    let today = jiff::civil::date(2026, 11, 21);
    let mut tx = store.read(tenant).await.unwrap();
    assert!(tx.users().rights(before.id, today).await.unwrap().is_none());
    assert!(tx.users().standing(before.id, session.session, at(6), today).await.unwrap().is_none());
    drop(tx);
    assert!(store.organizations_of(before.id).await.unwrap().is_empty());
    let slug = store.organization(tenant).await.unwrap().unwrap().slug;
    assert!(store.candidate(Some(&slug), &before.email).await.unwrap().is_none());

    let back = User { status: UserStatus::Active, version: removed.version.next(), ..before.clone() };
    let mut tx = store.begin(tenant).await.unwrap();
    tx.users().update(&back, removed.version).await.unwrap();
    tx.commit().await.unwrap();
    assert!(store.candidate(Some(&slug), &before.email).await.unwrap().is_some());
}

/// Invitations read back as they were written, by every filter; a stale write does nothing.
pub async fn invitations_read_back_as_written(store: &impl Subject) {
    let tenant = tenant(store).await;
    let (one, mut two) = (invitation("a@example.com"), invitation("b@example.com"));
    two.invitation.created_at = at(1);
    let mut tx = store.begin(tenant).await.unwrap();
    for each in [&one, &two] {
        tx.invitations().insert(each).await.unwrap();
    }
    assert_eq!(tx.invitations().get(one.invitation.id).await.unwrap(), Some(one.clone()));
    let mut changed = two.clone();
    changed.invitation.status = InvitationStatus::Accepted;
    changed.invitation.delivery = Delivery::Sent;
    changed.invitation.accepted_by = Some(UserId::from_uuid(id()));
    changed.invitation.requested_at = at(2);
    changed.invitation.expires_at = at(102);
    changed.invitation.version = two.invitation.version.next();
    changed.token_hash = Some([7; 32]);
    changed.generation = 2;
    tx.invitations().update(&changed, two.invitation.version).await.unwrap();
    let stale = tx.invitations().update(&changed, two.invitation.version).await;
    assert!(matches!(stale, Err(StoreError::Stale)));
    assert_eq!(tx.invitations().hold(two.invitation.id).await.unwrap(), Some(changed.clone()));
    let (one, two) = (one.invitation, changed.invitation);
    let status = |status, seconds| InvitationFilter { status: Some((status, at(seconds))), email: None };
    for (filter, expected) in [
        (InvitationFilter::default(), vec![one.clone(), two.clone()]),
        (InvitationFilter { email: Some(one.email.clone()), status: None }, vec![one.clone()]),
        (status(InvitationStatus::Pending, 99), vec![one.clone()]),
        (status(InvitationStatus::Pending, 100), vec![]),
        (status(InvitationStatus::Expired, 99), vec![]),
        (status(InvitationStatus::Expired, 100), vec![one.clone()]),
        (status(InvitationStatus::Accepted, 0), vec![two.clone()]),
        (status(InvitationStatus::Revoked, 0), vec![]),
    ] {
        let found = tx.invitations().list(&filter, &PageRequest::default()).await.unwrap();
        assert_eq!(found, expected, "{filter:?}");
    }
    let first = PageRequest { limit: 1, descending: true, ..Default::default() };
    let rows = tx.invitations().list(&InvitationFilter::default(), &first).await.unwrap();
    assert_eq!(rows, [two, one]);
    tx.commit().await.unwrap();
}

/// One invitation waits for an address; one that has expired gives way.
pub async fn one_invitation_waits_for_an_address(store: &impl Subject) {
    let tenant = tenant(store).await;
    let one = invitation("a@example.com");
    let mut tx = store.begin(tenant).await.unwrap();
    tx.invitations().insert(&one).await.unwrap();
    tx.commit().await.unwrap();
    let mut second = invitation("a@example.com");
    second.invitation.created_at = at(99);
    let mut tx = store.begin(tenant).await.unwrap();
    let refused = tx.invitations().insert(&second).await.unwrap_err();
    assert_eq!(refused.constraint(), Some("invitation_pending_key"), "{refused:?}");
    drop(tx);
    second.invitation.created_at = at(100);
    let mut tx = store.begin(tenant).await.unwrap();
    tx.invitations().insert(&second).await.unwrap();
    let old = tx.invitations().get(one.invitation.id).await.unwrap().unwrap();
    assert_eq!(old.invitation.status, InvitationStatus::Expired);
    tx.commit().await.unwrap();

    let mut stray = invitation("c@example.com");
    stray.invitation.employee_id = Some(EmployeeId::from_uuid(id()));
    let mut tx = store.begin(tenant).await.unwrap();
    let refused = match tx.invitations().insert(&stray).await {
        Err(refused) => refused,
        Ok(()) => tx.commit().await.unwrap_err(),
    };
    assert!(matches!(refused.constraint(), Some("invitation_employee_fkey" | "foreign_key")), "{refused:?}");
}

/// No look or change reaches another organisation's invitations.
pub async fn invitations_of_tenants_never_meet(store: &impl Subject) {
    let (mine, theirs) = (tenant(store).await, tenant(store).await);
    let other = invitation("a@example.com");
    let mut tx = store.begin(theirs).await.unwrap();
    tx.invitations().insert(&other).await.unwrap();
    tx.commit().await.unwrap();
    let mut tx = store.begin(mine).await.unwrap();
    let id = other.invitation.id;
    assert_eq!(tx.invitations().get(id).await.unwrap(), None);
    assert_eq!(tx.invitations().hold(id).await.unwrap(), None);
    let found = tx.invitations().list(&InvitationFilter::default(), &PageRequest::default()).await.unwrap();
    assert!(found.is_empty());
    let written = tx.invitations().update(&other, other.invitation.version).await;
    assert!(matches!(written, Err(StoreError::Stale)));
    // Each organisation may wait for the same address, and a new invitation ends no other organisation's.
    let mut same = invitation("a@example.com");
    same.invitation.created_at = at(200);
    tx.invitations().insert(&same).await.unwrap();
    tx.commit().await.unwrap();
    let mut tx = store.read(theirs).await.unwrap();
    assert_eq!(tx.invitations().get(id).await.unwrap(), Some(other));
}

/// Of several who hold the same invitation, each sees what the former did.
pub async fn held_invitations_are_used_once(store: &impl Subject) {
    let tenant = tenant(store).await;
    let one = invitation("a@example.com");
    let mut tx = store.begin(tenant).await.unwrap();
    tx.invitations().insert(&one).await.unwrap();
    tx.commit().await.unwrap();
    let accepts = (0..6).map(async |_| {
        let mut tx = store.begin(tenant).await.unwrap();
        let mut held = tx.invitations().hold(one.invitation.id).await.unwrap().unwrap();
        if held.invitation.status != InvitationStatus::Pending {
            return false;
        }
        let expected = held.invitation.version;
        held.invitation.status = InvitationStatus::Accepted;
        held.invitation.version = expected.next();
        tx.invitations().update(&held, expected).await.unwrap();
        tx.commit().await.is_ok()
    });
    let accepted = all_at_once(accepts).await.into_iter().filter(|accepted| *accepted).count();
    assert_eq!(accepted, 1);
}
