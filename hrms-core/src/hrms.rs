//! The entry point: services over a store, a clock, ids and a policy.

mod work;

use std::fmt;
use std::sync::Arc;

use jiff::civil::Date;
use jiff::tz::TimeZone;
use tokio::sync::Notify;

use crate::actor::{Actor, Who};
use crate::audit::{self, AnchorSigner};
use crate::clock::{Clock, SystemClock};
use crate::error::CommonError;
use crate::event::{EventBus, EventType, EventTypes};
use crate::hint::Fanout;
use crate::id::{IdSource, RandomIds};
use crate::identity;
use crate::job::JobRegistry;
use crate::mail::{Mailer, NoMailer};
use crate::notification::{self, Channel, NotificationType, Notifier};
use crate::password::HashingPool;
use crate::policy::{Decision, Permission, Policy, Resource, RolePolicy, Scope, Visibility, written};
use crate::rate_limit::{RateLimiter, RateLimits};
use crate::sealed::{NoBox, SecretBox};
use crate::store::{Directory, Store, Tx};
use crate::webhook::{NoWebhookSender, WebhookSender};

pub use work::Work;

/// The HR system: hand it to a front end, or call its services from your own code.
///
/// Cheap to clone; all clones share the same parts.
#[derive(Clone)]
pub struct Hrms(Arc<Parts>);

struct Parts {
    store: Arc<dyn Store>,
    directory: Arc<dyn Directory + Send + Sync>,
    clock: Arc<dyn Clock>,
    ids: Arc<dyn IdSource>,
    policy: Arc<dyn Policy>,
    bus: EventBus,
    event_types: EventTypes,
    job_bell: Notify,
    job_registry: JobRegistry,
    fanout: Option<Arc<dyn Fanout>>,
    rate_limits: RateLimits,
    identity: identity::State,
    written_policies: written::State,
    audit_backlog: audit::Backlog,
    audit_growth: audit::Growth,
    anchor_signer: Option<Arc<dyn AnchorSigner>>,
    mailer: Arc<dyn Mailer>,
    webhook_sender: Arc<dyn WebhookSender>,
    notifiers: Arc<Vec<Arc<dyn Notifier>>>,
    channels: Vec<Arc<dyn Channel>>,
    public_url: Option<String>,
    secret_box: Arc<dyn SecretBox>,
    hold_days: u16,
    event_days: Option<u16>,
    operators_need_second_factor: bool,
}

impl fmt::Debug for Hrms {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Hrms").field("policy", &self.0.policy).finish_non_exhaustive()
    }
}

/// Puts an [`Hrms`] together; every part but the store has a default.
pub struct Builder {
    parts: Parts,
}

impl fmt::Debug for Builder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Builder").finish_non_exhaustive()
    }
}

impl Builder {
    /// Tells the time by this clock.
    #[must_use]
    pub fn clock(mut self, clock: impl Clock + 'static) -> Self {
        self.parts.clock = Arc::new(clock);
        self
    }

    /// Takes ids from this source.
    #[must_use]
    pub fn ids(mut self, ids: impl IdSource + 'static) -> Self {
        self.parts.ids = Arc::new(ids);
        self
    }

    /// Decides by this policy.
    #[must_use]
    pub fn policy(mut self, policy: impl Policy + 'static) -> Self {
        self.parts.policy = Arc::new(policy);
        self
    }

    /// Knows these kinds of jobs: what may be put on a schedule. Without it, [`JobRegistry::standard`].
    #[must_use]
    pub fn jobs(mut self, registry: JobRegistry) -> Self {
        self.parts.job_registry = registry;
        self
    }

    /// Sends messages with this. Without it, none are sent.
    #[must_use]
    pub fn mailer(mut self, mailer: impl Mailer + 'static) -> Self {
        self.parts.mailer = Arc::new(mailer);
        self
    }

    /// Sends webhooks with this. Without it, none can be added. Their secrets need a
    /// [`secret_box`](Self::secret_box).
    #[must_use]
    pub fn webhook_sender(mut self, sender: impl WebhookSender + 'static) -> Self {
        self.parts.webhook_sender = Arc::new(sender);
        self
    }

    /// Encrypts secrets that are stored, such as those of second factors, with this. Without it nobody can
    /// set up a second factor.
    #[must_use]
    pub fn secret_box(mut self, secret_box: impl SecretBox + 'static) -> Self {
        self.parts.secret_box = Arc::new(secret_box);
        self
    }

    /// Where people reach the service, as in `https://hr.example.com`: what links in messages begin with.
    /// Without it messages have no links, but what would be in them.
    #[must_use]
    pub fn public_url(mut self, url: impl Into<String>) -> Self {
        self.parts.public_url = Some(url.into().trim_end_matches('/').to_owned());
        self
    }

    /// For how many days a closed organisation can be reopened when nobody says, 1 to 365. Default 30.
    #[must_use]
    pub fn hold_days(mut self, days: u16) -> Self {
        self.parts.hold_days = days.clamp(1, 365);
        self
    }

    /// Whether operators of the service need a second factor. Default: no. Who has none, also in a session that is
    /// open, can do nothing but set one up.
    #[must_use]
    pub fn operators_need_second_factor(mut self, need: bool) -> Self {
        self.parts.operators_need_second_factor = need;
        self
    }

    /// Keeps events in the logs for so many days, 30 at least, instead of for ever. What was removed can't be
    /// replayed, nor sent again.
    #[must_use]
    pub fn keep_events(mut self, days: u16) -> Self {
        self.parts.event_days = Some(days.max(30));
        self
    }

    /// Counts rate limits by this limiter, which other nodes may share, instead of in this process.
    #[must_use]
    pub fn rate_limiter(mut self, limiter: impl RateLimiter + 'static) -> Self {
        self.parts.rate_limits.share(Arc::new(limiter));
        self
    }

    /// Passes hints on to the other nodes with this. Without it they look by themselves, a little later.
    #[must_use]
    pub fn fanout(mut self, fanout: impl Fanout + 'static) -> Self {
        self.parts.fanout = Some(Arc::new(fanout));
        self
    }

    /// Anchors the audit logs with this signer.
    #[must_use]
    pub fn anchor_signer(mut self, signer: impl AnchorSigner + 'static) -> Self {
        self.parts.anchor_signer = Some(Arc::new(signer));
        self
    }

    /// Declares a type of event of one's own. An event of a type that nobody declared can't be committed.
    #[must_use]
    pub fn event_type(mut self, event_type: EventType) -> Self {
        self.parts.event_types.add(event_type);
        self
    }

    /// Tells people about events by this, too.
    #[must_use]
    pub fn notifier(mut self, notifier: impl Notifier + 'static) -> Self {
        Arc::make_mut(&mut self.parts.notifiers).push(Arc::new(notifier));
        self
    }

    /// Lets people be told by this channel, too. Its name must be its own.
    #[must_use]
    pub fn notification_channel(mut self, channel: impl Channel + 'static) -> Self {
        self.parts.channels.push(Arc::new(channel));
        self
    }

    /// Puts it together.
    #[must_use]
    pub fn build(self) -> Hrms {
        Hrms(Arc::new(self.parts))
    }
}

impl Hrms {
    /// Starts to put an HR system together over a store.
    pub fn builder<S: Store + Directory + 'static>(store: S) -> Builder {
        let store = Arc::new(store);
        Builder {
            parts: Parts {
                store: store.clone(),
                directory: store,
                clock: Arc::new(SystemClock),
                ids: Arc::new(RandomIds),
                policy: Arc::new(RolePolicy),
                bus: EventBus::default(),
                event_types: EventTypes::default(),
                job_bell: Notify::new(),
                job_registry: JobRegistry::standard(),
                fanout: None,
                rate_limits: RateLimits::default(),
                identity: identity::State::default(),
                written_policies: written::State::default(),
                audit_backlog: audit::Backlog::default(),
                audit_growth: audit::Growth::default(),
                anchor_signer: None,
                mailer: Arc::new(NoMailer),
                webhook_sender: Arc::new(NoWebhookSender),
                notifiers: notification::standard_notifiers(),
                channels: notification::standard_channels(),
                public_url: None,
                secret_box: Arc::new(NoBox),
                hold_days: 30,
                event_days: None,
                operators_need_second_factor: false,
            },
        }
    }

    /// An HR system over a store, with the system's clock and the default policy.
    pub fn new<S: Store + Directory + 'static>(store: S) -> Self {
        Self::builder(store).build()
    }

    /// The clock that everything here goes by.
    #[must_use]
    pub fn clock(&self) -> &dyn Clock {
        &*self.0.clock
    }

    /// Today's date in UTC: by it the rows are chosen that an actor may see, and lists are shown.
    #[must_use]
    pub fn today(&self) -> Date {
        self.0.clock.today(&TimeZone::UTC)
    }

    /// The source of ids.
    #[must_use]
    pub fn ids(&self) -> &dyn IdSource {
        &*self.0.ids
    }

    /// The policy that decides.
    #[must_use]
    pub fn policy(&self) -> &dyn Policy {
        &*self.0.policy
    }

    /// What crosses tenants. Not for services that act inside one.
    #[must_use]
    pub fn directory(&self) -> &(dyn Directory + Send + Sync) {
        &*self.0.directory
    }

    /// What sends messages.
    #[must_use]
    pub fn mailer(&self) -> &dyn Mailer {
        &*self.0.mailer
    }

    /// What sends webhooks.
    #[must_use]
    pub fn webhook_sender(&self) -> &dyn WebhookSender {
        &*self.0.webhook_sender
    }

    /// What tells people about events.
    pub(crate) fn notifiers(&self) -> Arc<Vec<Arc<dyn Notifier>>> {
        Arc::clone(&self.0.notifiers)
    }

    /// The channels by which people can be told besides the inbox.
    #[must_use]
    pub fn notification_channels(&self) -> &[Arc<dyn Channel>] {
        &self.0.channels
    }

    /// Every type of notification.
    pub fn notification_types(&self) -> impl Iterator<Item = &'static NotificationType> {
        self.0.notifiers.iter().flat_map(|notifier| notifier.types())
    }

    /// The type of notification of this name.
    #[must_use]
    pub fn notification_type(&self, name: &str) -> Option<&'static NotificationType> {
        self.notification_types().find(|known| known.name == name)
    }

    /// What encrypts secrets that are stored.
    #[must_use]
    pub fn secret_box(&self) -> &dyn SecretBox {
        &*self.0.secret_box
    }

    /// Where people reach the service, without a slash at the end.
    #[must_use]
    pub fn public_url(&self) -> Option<&str> {
        self.0.public_url.as_deref()
    }

    /// For how many days a closed organisation can be reopened when nobody says.
    #[must_use]
    pub fn hold_days(&self) -> u16 {
        self.0.hold_days
    }

    /// Whether operators of the service need a second factor.
    #[must_use]
    pub fn operators_need_second_factor(&self) -> bool {
        self.0.operators_need_second_factor
    }

    /// For how many days events are kept; `None` for ever.
    #[must_use]
    pub fn event_days(&self) -> Option<u16> {
        self.0.event_days
    }

    /// How often somebody may do something.
    #[must_use]
    pub fn rate_limits(&self) -> &RateLimits {
        &self.0.rate_limits
    }

    /// Where passwords are hashed; started at its first use.
    pub(crate) fn hashing(&self) -> &HashingPool {
        self.0.identity.hashing()
    }

    /// Audit entries that wait to be written.
    pub(crate) fn audit_backlog(&self) -> &audit::Backlog {
        &self.0.audit_backlog
    }

    /// Audit logs that grew since they were anchored.
    pub(crate) fn audit_growth(&self) -> &audit::Growth {
        &self.0.audit_growth
    }

    /// Who signs anchors, if anybody does.
    pub(crate) fn anchor_signer(&self) -> Option<&dyn AnchorSigner> {
        self.0.anchor_signer.as_deref()
    }

    /// What the identity service remembers in this process.
    pub(crate) fn identity_state(&self) -> &identity::State {
        &self.0.identity
    }

    /// The written policies that this process has compiled.
    pub(crate) fn written_policies(&self) -> &written::State {
        &self.0.written_policies
    }

    /// Opens units of work without an actor: to find out who acts.
    pub(crate) fn store(&self) -> &dyn Store {
        &*self.0.store
    }

    /// Tells listeners in this process that a tenant's event log has grown.
    #[must_use]
    pub fn bus(&self) -> &EventBus {
        &self.0.bus
    }

    /// The kinds of jobs that are known.
    #[must_use]
    pub fn job_registry(&self) -> &JobRegistry {
        &self.0.job_registry
    }

    /// The types of events that can be emitted.
    #[must_use]
    pub fn event_types(&self) -> &EventTypes {
        &self.0.event_types
    }

    /// Rings when a job was enqueued in this process.
    pub(crate) fn job_bell(&self) -> &Notify {
        &self.0.job_bell
    }

    /// What passes hints on to other nodes, if anything does.
    pub(crate) fn fanout(&self) -> Option<&dyn Fanout> {
        self.0.fanout.as_deref()
    }

    /// Opens a read-only unit of work for `actor`.
    ///
    /// # Errors
    /// When storage can't be reached.
    pub async fn read(&self, actor: &Actor) -> Result<Box<dyn Tx>, CommonError> {
        Ok(self.0.store.read(actor.tenant()).await?)
    }

    /// Refuses unless `actor` may use `permission` on `resource`.
    ///
    /// # Errors
    /// [`CommonError::Forbidden`].
    pub fn require(
        &self,
        actor: &Actor,
        permission: Permission,
        resource: &Resource,
    ) -> Result<(), CommonError> {
        bar_programs(actor, permission)?;
        self.require_unbarred(actor, permission)?;
        match self.0.policy.decide(actor, permission, resource) {
            Decision::Allow => Ok(()),
            Decision::Deny => Err(CommonError::Forbidden { permission }),
        }
    }

    /// Some things operators of the service may not do in an organisation, whatever any policy says.
    fn require_unbarred(&self, actor: &Actor, permission: Permission) -> Result<(), CommonError> {
        match actor.support() {
            Some(_) if permission.is_barred_to_support() => Err(CommonError::Forbidden { permission }),
            _ => Ok(()),
        }
    }

    /// Which rows to ask storage for, where `permission` opens them to `actor`. Where
    /// [`Policy::narrows`] says so, each of them has still to be asked about.
    ///
    /// # Errors
    /// [`CommonError::Forbidden`] when it opens none at all.
    pub fn visibility(&self, actor: &Actor, permission: Permission) -> Result<Visibility, CommonError> {
        bar_programs(actor, permission)?;
        self.require_unbarred(actor, permission)?;
        if actor.rules().is_some_and(|rules| rules.may_permit(permission)) {
            return Ok(Visibility::ALL);
        }
        let seen = self.0.policy.visibility(actor, permission);
        if seen.is_nothing() { Err(CommonError::Forbidden { permission }) } else { Ok(seen) }
    }

    /// Adds to resources what only grants of wide reach look at: the managers and departments above.
    /// No statement for actors without such grants, one or two for all of the resources otherwise.
    ///
    /// Not for [`Permission::EmployeeReadAbsence`], which everybody has with a wide reach: see
    /// [`Hrms::complete_for_all`].
    ///
    /// # Errors
    /// When storage fails.
    pub(crate) async fn complete<'a>(
        &self,
        tx: &mut dyn Tx,
        actor: &Actor,
        resources: impl IntoIterator<Item = &'a mut Resource> + Send,
        on: Date,
    ) -> Result<(), CommonError> {
        let wanted = |permission| permission != Permission::EmployeeReadAbsence;
        self.complete_where(tx, actor, wanted, resources, on).await
    }

    /// The same for every permission.
    ///
    /// # Errors
    /// When storage fails.
    pub(crate) async fn complete_for_all<'a>(
        &self,
        tx: &mut dyn Tx,
        actor: &Actor,
        resources: impl IntoIterator<Item = &'a mut Resource> + Send,
        on: Date,
    ) -> Result<(), CommonError> {
        self.complete_where(tx, actor, |_| true, resources, on).await
    }

    async fn complete_where<'a>(
        &self,
        tx: &mut dyn Tx,
        actor: &Actor,
        wanted: impl Fn(Permission) -> bool + Send,
        resources: impl IntoIterator<Item = &'a mut Resource> + Send,
        on: Date,
    ) -> Result<(), CommonError> {
        let grants = || actor.grants().iter().filter(|grant| wanted(grant.permission));
        let reaches = |scope| grants().any(|grant| grant.scope == scope);
        let (managers, departments) = (reaches(Scope::ReportsTree), reaches(Scope::DepartmentTree));
        if !managers && !departments {
            return Ok(());
        }
        let mut resources: Vec<&mut Resource> = resources.into_iter().collect();
        if managers {
            let owners: Vec<_> = resources.iter().filter_map(|resource| resource.owner).collect();
            let above = tx.employment().managers_above(&owners, on).await?;
            for resource in &mut resources {
                let found = resource.owner.and_then(|owner| above.get(&owner));
                resource.managers_above = found.cloned().unwrap_or_default();
            }
        }
        if departments {
            let tree = tx.departments().tree().await?;
            for resource in &mut resources {
                let department = resource.facts.department_id;
                resource.departments_above = department.map(|id| tree.above(id)).unwrap_or_default();
            }
        }
        Ok(())
    }
}

/// What programs may not do, whatever grants or policies say.
fn bar_programs(actor: &Actor, permission: Permission) -> Result<(), CommonError> {
    match actor.who() {
        Who::Service { .. } if !permission.is_for_programs() => Err(CommonError::Forbidden { permission }),
        _ => Ok(()),
    }
}
