//! Every code that a problem can have, served at `/problems`. A test keeps it complete.

use serde::Serialize;

/// A code and what it means.
#[derive(Debug, Serialize)]
pub(crate) struct Entry {
    /// The code.
    pub(crate) code: &'static str,
    /// What it means, in one sentence.
    pub(crate) meaning: &'static str,
}

macro_rules! catalogue {
    ($($code:literal: $meaning:literal;)+) => {
        /// Every code, in order.
        pub(crate) fn catalogue() -> &'static [Entry] {
            &[$(Entry { code: $code, meaning: $meaning }),+]
        }
    };
}

catalogue! {
    "api-key.account-disabled": "The service account is disabled.";
    "api-key.ended": "The API key was revoked or has expired.";
    "api-key.not-yours": "The API key could do more than the caller holds.";
    "approval-chain.code-taken": "Another approval chain for the same kind of thing has this code.";
    "approval-delegation.over": "The delegation is over already.";
    "approval-delegation.own": "Nobody is their own delegate, makes themselves one, or hands on the decisions of those above them.";
    "approval.already-theirs": "The decision is given to somebody who can make it already.";
    "approval.another-level": "Another level of the approval chain is asked than the one that was meant.";
    "approval.cannot-decide": "This person can't decide on it: they can't log in, aren't employed today, or it is about them.";
    "approval.not-asked": "The caller isn't asked, and didn't say that they decide in place of those who are.";
    "approval.not-open": "This waits for no decision any more.";
    "approval.not-yours": "This waits for somebody else's decision.";
    "approval.own": "Nobody decides on what is theirs.";
    "auth.api-key-invalid": "This is not a valid API key, or not any more.";
    "auth.credential-missing": "The request needs a bearer token.";
    "auth.incomplete": "The session lacks what `pending` names; it can do nothing else.";
    "auth.invalid-credentials": "Organisation, e-mail address or password is wrong, or log-in isn't possible.";
    "auth.invalid-email-token": "The token of the message isn't good, or not any more; ask for the change again.";
    "auth.invalid-otp": "The password is right, but the one-time code isn't, or was used already.";
    "auth.invalid-refresh-token": "The refresh token isn't good, or not any more; log in again.";
    "auth.invalid-reset-token": "The token of the message isn't good, or not any more; ask for a new one.";
    "auth.no-session": "The credential has no session.";
    "auth.nothing-pending": "The session has passed the second factor, or needs none.";
    "auth.otp-not-enrolled": "The account has no second factor.";
    "auth.otp-required": "The password is right, and the account has a second factor: send a one-time code too.";
    "auth.password-needs-factor": "The password is long enough only with a second factor; change it first.";
    "auth.second-factor-needed": "An organisation requires the second factor of the caller.";
    "auth.second-factor-required": "The session has to pass the second factor first.";
    "auth.session-ended": "The session has ended: logged out, disabled, suspended or expired.";
    "auth.step-up-required": "The caller has to prove anew who they are: `POST /api/v1/auth/step-up`.";
    "auth.token-expired": "The access token has expired; refresh it.";
    "auth.token-invalid": "The access token isn't one of ours, or was changed.";
    "auth.too-many-attempts": "Too many attempts; wait as long as `Retry-After` says.";
    "auth.totp-not-started": "No second factor is being set up, or not any more.";
    "auth.totp-unavailable": "Second factors can't be set up on this installation.";
    "calendar-feed.too-many": "The user has as many calendar feeds as anybody may have.";
    "common.busy": "The service has as much to do as it can; try again.";
    "common.conflict": "The present state of things forbids it.";
    "common.forbidden": "The caller may not do this.";
    "common.idempotency-key-taken": "Another request with this idempotency key was accepted.";
    "common.internal": "Something went wrong on our side.";
    "common.invalid": "Fields of the input are at fault; `errors` names them.";
    "common.not-found": "There is nothing there, as far as the caller may know.";
    "common.stale": "The object changed since it was read.";
    "common.unavailable": "The service can't answer now; try again.";
    "cursor.invalid": "The cursor isn't one of this list.";
    "department.code-taken": "Another department has this code.";
    "department.cycle": "A department can't be part of itself.";
    "department.head-not-employed": "The head isn't employed on the first day.";
    "department.in-use": "Departments, heads or employment records still name the department.";
    "designation.code-taken": "Another designation has this code.";
    "designation.in-use": "Employment records still name the designation.";
    "employee.email-taken": "Another employee has this e-mail address.";
    "employee.manager-not-employed": "The manager isn't employed on the first day of the relation.";
    "employee.not-employed": "There is no employment on a day that the change is about.";
    "employee.number-taken": "Another employee has this number.";
    "employee.own-details": "Nobody changes this of themselves.";
    "employee.records-overlap": "Two employment records would be in force on the same day.";
    "employee.reporting-cycle": "The employee would be above themselves in the reporting line.";
    "employee.still-employed": "An employment already covers the day or begins after it.";
    "event.ticket-refused": "The ticket was used, has expired, or never was one.";
    "event.too-many-connections": "There are as many live connections as there may be.";
    "event.unknown-position": "The event to go on from isn't in the log.";
    "holiday-calendar.code-taken": "Another holiday calendar has this code.";
    "holiday-calendar.in-use": "Locations have or had the holiday calendar, or it had holidays.";
    "holiday-choice.none-left": "The employee has chosen as many restricted holidays of that year as may be.";
    "holiday-choice.not-restricted": "The day isn't a restricted holiday where the employee works.";
    "holiday-choice.notice-too-short": "There are too few days until the restricted holiday.";
    "holiday-choice.on-leave": "The employee has leave on the day: it would be more of it.";
    "holiday-choice.past": "The day isn't ahead any more.";
    "holiday-choice.taken": "The employee has chosen this day already.";
    "holiday.taken": "The calendar has a holiday on this day already.";
    "http.body-timeout": "The body took too long to arrive.";
    "http.body-too-large": "The body is larger than this endpoint takes.";
    "http.body-unreadable": "The body ended before it was complete.";
    "http.encoding-not-supported": "Bodies are taken without `Content-Encoding` only.";
    "http.host-invalid": "The request names no host, more than one, or one that can't be read.";
    "http.host-unknown": "The request is for a host that isn't served here.";
    "http.if-match-invalid": "If-Match isn't exactly one entity tag.";
    "http.if-match-required": "A change needs the object's ETag in If-Match.";
    "http.json-too-deep": "The JSON of the body nests too deeply.";
    "http.malformed-form": "The form can't be read, or doesn't have exactly one file.";
    "http.malformed-json": "The body isn't JSON.";
    "http.method-not-allowed": "The address doesn't take this method.";
    "http.query-too-long": "The query is too long or has too many parameters.";
    "http.rate-limited": "Too many requests; wait as long as `Retry-After` says.";
    "http.unsupported-media-type": "The body has a content type that isn't taken here.";
    "idempotency.key-invalid": "Idempotency-Key isn't 1 to 255 visible ASCII characters.";
    "idempotency.key-reused": "The idempotency key was used for a different request.";
    "idempotency.still-running": "The first request with this idempotency key is still running.";
    "import.duplicate-column": "Two columns have the same name or fill the same field, or a column has no name.";
    "import.empty-file": "The file has no header row.";
    "import.missing-columns": "The file lacks columns that must be there.";
    "import.not-utf8": "The header row isn't UTF-8 text.";
    "import.settings": "Key, mapping or defaults name something that isn't there.";
    "import.unknown-columns": "The file has columns that are no field and not in the mapping.";
    "invitation.already-invited": "An invitation to this address is waiting.";
    "invitation.already-member": "Somebody with this address is a user already.";
    "invitation.invalid-token": "The invitation isn't good any more: accepted, revoked, expired or sent again.";
    "invitation.inviter-gone": "Whoever invited couldn't do so any more; ask for a new invitation.";
    "invitation.not-pending": "The invitation isn't waiting any more.";
    "invitation.other-account": "The invitation is for another account than the caller's.";
    "invitation.proof-required": "The address has an account: send its password, or accept while logged in.";
    "invitation.too-soon": "The invitation was sent a moment ago; wait as long as `Retry-After` says.";
    "job.duplicate": "Another job for the same thing waits or runs.";
    "job.ended": "The job has ended.";
    "job.internal": "The system's own jobs can't be cancelled.";
    "job.not-failed": "The job neither failed nor was cancelled.";
    "leave-claim.claimed-already": "There is a claim for work on this day already.";
    "leave-claim.not-a-day-off": "The day that was worked wasn't one off.";
    "leave-claim.not-allowed": "By the leave policy, leave of this type can't be claimed like that.";
    "leave-claim.nothing-to-encash": "By the leave policy and the balance, nothing can be paid out.";
    "leave-claim.too-late": "The time in which it could be claimed is over.";
    "leave-claim.used": "Leave that was granted for the claim was used, moved or has lapsed, or is asked for.";
    "leave-closing.already-closed": "The days are closed already.";
    "leave-closing.not-last": "Only the last closed period is opened again.";
    "leave-closing.pending-requests": "Requests of days that are to be closed wait for a decision.";
    "leave-grant.below-used": "Approved leave needs more of the grant.";
    "leave-grant.by-policy": "The leave was credited by a leave policy, which says how much it is.";
    "leave-grant.overlaps": "Another grant by hand is for some of the same days.";
    "leave-policy-assignment.overlaps": "The employee has a policy for this leave type within the period already.";
    "leave-policy.code-taken": "Another leave policy has this code.";
    "leave-policy.everyone-has-one": "The leave type has a policy for everyone already.";
    "leave-policy.own": "Nobody writes the leave policy that applies to themselves, but owners.";
    "leave-type.code-taken": "Another leave type has this code.";
    "leave-type.taken": "Leave of this type was taken: whether it is paid stays.";
    "leave.attachment-missing": "Leave of this length isn't approved without a file that is attached to it.";
    "leave.attachment-type": "A file is neither PDF nor JPEG nor PNG.";
    "leave.back-dated": "The leave began too long ago to be asked for.";
    "leave.before-opening": "The opening balance says what was left later: leave of earlier days is part of it.";
    "leave.blocked": "Leave can't be taken on a day of the request.";
    "leave.coverage-too-low": "Fewer people of a department would be there than have to be.";
    "leave.day-full": "Together with other leave of the employee it would be more than is worked on a day.";
    "leave.insufficient-balance": "More leave was asked for than is left.";
    "leave.max-consecutive": "Too many days of leave would follow each other.";
    "leave.max-per-period": "There would be too many days of this leave in a month, quarter or year.";
    "leave.no-half-days": "This leave is taken in whole days.";
    "leave.no-hours": "This leave isn't taken in hours.";
    "leave.no-working-day": "There is no working day in the period.";
    "leave.not-beside": "Leave of this kind can't be taken right before or after the leave that is there.";
    "leave.not-cancellable": "The request can't be cancelled in its state.";
    "leave.not-employed": "The employee isn't employed on a day of the request.";
    "leave.not-pending": "The request was decided or withdrawn already.";
    "leave.not-within": "What would remain of the leave isn't a part of it.";
    "leave.notice-too-short": "The leave has to be asked for earlier.";
    "leave.overlaps": "Another request of the employee covers some of these days.";
    "leave.period-closed": "The days are in a closed period: what they say stays.";
    "leave.self-approval": "Nobody decides on their own leave.";
    "leave.self-grant": "Nobody grants leave to themselves.";
    "leave.too-early": "The leave can't be asked for yet.";
    "leave.too-far-ahead": "The day lies too far ahead to look leave up or ask for it.";
    "leave.too-long": "The request covers too many days.";
    "leave.too-many-attachments": "A request has as many files as it can have.";
    "leave.waiting-period": "The employee hasn't been there for long enough to take this leave.";
    "location.code-taken": "Another location has this code.";
    "location.in-use": "Employees still work at the location.";
    "mail.not-configured": "Mail isn't set up on this installation.";
    "notification.bad-link": "The link to stop messages is no good.";
    "notification.channel-taken": "There is a channel of this name.";
    "notification.not-configured": "This service sends nothing to programs elsewhere.";
    "notification.not-yours": "An inbox is for the person whose it is: not for programs, nor for operators who act through somebody.";
    "notification.sent": "The notification was taken already.";
    "notification.text-fixed": "What is told about security is always said in the same words.";
    "notification.too-many-channels": "The organisation has as many channels of its own as it can have.";
    "notification.too-many-texts": "The organisation has as many texts of its own as it can have.";
    "notification.waiting": "The notification is still being sent.";
    "operator.email-taken": "Another account has this e-mail address.";
    "operator.last": "The platform would be left without an operator who can log in.";
    "organization.closed": "The organisation is closed; reopen it first.";
    "organization.hold-over": "The organisation was closed too long ago to be reopened.";
    "organization.not-closed": "The organisation isn't closed.";
    "organization.slug-taken": "Another organisation has this short name.";
    "policy.asking": "Somebody of the organisation is trying or asking about policies at this moment; try again after `Retry-After`.";
    "policy.dry-run-too-large": "The dry run would take more decisions than it may.";
    "policy.name-taken": "Another policy has this name.";
    "policy.too-many": "The organisation has as many policies as it can have.";
    "role.built-in": "Built-in roles can't be changed or removed.";
    "role.code-taken": "Another role has this code.";
    "role.in-use": "Somebody still has the role.";
    "role.not-yours": "The role holds, or would hold, more than the caller does.";
    "schedule.name-taken": "Another schedule has this name.";
    "schedule.too-many": "The organisation has as many schedules as there may be.";
    "service-account.not-yours": "The service account could do more than the caller holds.";
    "support.barred": "This isn't open to operators who act through a user's rights.";
    "support.ended": "The grant of support access has ended.";
    "support.not-allowed": "The organisation doesn't allow support access.";
    "support.not-yours": "The grant of support access is another operator's.";
    "support.organization-inactive": "The organisation is suspended or closed.";
    "user.account-shared": "The account is used elsewhere too; an operator of the service has to do that.";
    "user.email-taken": "Another account has this e-mail address.";
    "user.employee-taken": "Another user is this employee.";
    "user.last-owner": "The organisation would be left without an owner.";
    "user.link-not-yours": "Whoever is linked to the employee would see what the caller may not.";
    "user.own-employee": "Somebody else has to change which employee the caller is.";
    "user.own-second-factor": "Somebody else has to reset the caller's second factor.";
    "user.password-not-theirs": "Somebody else chose the account's password and could log in as the employee: it has to be reset by mail first.";
    "user.removed": "The user was removed; they can be invited again.";
    "user.role-not-yours": "The role holds more than the caller could give or take.";
    "webhook.disabled": "The webhook is disabled; enable it first.";
    "webhook.event-gone": "The event is no longer kept in the log.";
    "webhook.not-configured": "This service sends no webhooks.";
    "webhook.not-wanted": "The webhook doesn't ask for events of this type any more.";
    "webhook.too-many": "The organisation has as many webhooks as it can have.";
    "websocket.bad-handshake": "The WebSocket handshake is faulty.";
    "websocket.origin-refused": "Pages of this origin may not open a WebSocket.";
    "websocket.upgrade-required": "The address is a WebSocket.";
    "work-pattern.code-taken": "Another working pattern has this code.";
    "work-pattern.in-use": "A location or an employee has the working pattern, or had it once.";
    "work-pattern.own": "Somebody else has to change when the caller works.";
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::path::Path;

    use super::*;

    /// Collects the codes in the sources below a folder, apart from tests.
    fn codes_in(folder: &Path, found: &mut BTreeSet<String>) {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.ends_with("tests") || path.ends_with("tests.rs") {
                continue;
            }
            if path.is_dir() {
                codes_in(&path, found);
                continue;
            }
            let text = std::fs::read_to_string(&path).unwrap_or_default();
            let text = text.split("#[cfg(test)]").next().unwrap_or_default();
            // They are what `DomainError::code` answers, and what problems are made with.
            for (at, _) in text.match_indices("fn code(&self)") {
                let body = text[at..].split("\n    }\n").next().unwrap_or_default();
                found.extend(body.split('"').filter(|word| is_code(word)).map(str::to_owned));
            }
            for start in ["Problem::new(", "Self::new(", "unauthenticated(", "Refused {"] {
                for (at, _) in text.match_indices(start) {
                    let argument = text[at..].split('"').nth(1).unwrap_or_default();
                    if is_code(argument) {
                        found.insert(argument.to_owned());
                    }
                }
            }
        }
    }

    fn is_code(word: &str) -> bool {
        word.split_once('.').is_some_and(|(feature, code)| {
            let name = |part: &str| {
                !part.is_empty()
                    && part.chars().all(|c| c.is_ascii_lowercase() || c == '-' || c.is_ascii_digit())
            };
            name(feature) && name(code)
        })
    }

    #[test]
    fn every_code_in_the_sources_is_explained_and_nothing_else() {
        let here = Path::new(env!("CARGO_MANIFEST_DIR"));
        let mut used = BTreeSet::new();
        codes_in(&here.join("src"), &mut used);
        codes_in(&here.join("../hrms-core/src"), &mut used);
        let listed: BTreeSet<String> = catalogue().iter().map(|entry| entry.code.to_owned()).collect();
        assert_eq!(listed, used);
        assert!(catalogue().is_sorted_by_key(|entry| entry.code));
    }
}
