//! A question in Cedar's terms, from the values that a service has at hand.

use std::collections::{HashMap, HashSet};
use std::sync::LazyLock;

use cedar_policy::{
    Context, Entities, Entity, EntityId, EntityTypeName, EntityUid, Request, RestrictedExpression as Value,
};
use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use uuid::Uuid;

use crate::actor::{Actor, Channel, Who};
use crate::employment::Facts;
use crate::policy::cedar::mentions::Mentions;
use crate::policy::{Details, Kind, LeaveDetails, Permission, Resource};

/// The id of what is decided as a whole.
const ALL: &str = "all";

pub(super) type Failure = Box<dyn std::error::Error + Send + Sync>;

/// Attributes that somebody could look at; others cost no more than to be left out.
struct Attributes<'a> {
    wanted: &'a Mentions,
    values: HashMap<String, Value>,
}

impl<'a> Attributes<'a> {
    fn new(wanted: &'a Mentions) -> Self {
        Self { wanted, values: HashMap::new() }
    }

    fn set(&mut self, name: &str, value: impl FnOnce() -> Value) {
        if self.wanted.has(name) {
            self.values.insert(name.to_owned(), value());
        }
    }

    fn refer(&mut self, name: &str, kind: &'static str, id: Uuid) -> Result<(), Failure> {
        let uid = of_uuid(kind, id)?;
        self.set(name, || Value::new_entity_uid(uid));
        Ok(())
    }

    fn of(self, uid: EntityUid) -> Result<Entity, Failure> {
        Ok(Entity::new(uid, self.values, HashSet::new())?)
    }
}

/// Names of types and actions, read once.
struct Names {
    types: HashMap<&'static str, EntityTypeName>,
    actions: HashMap<Permission, EntityUid>,
}

static NAMES: LazyLock<Names> = LazyLock::new(|| {
    let kinds = Kind::ALL.iter().map(|kind| kind.type_name());
    let others = ["User", "ServiceAccount", "Department", "Location", "Designation", "LeaveType", "Action"];
    let types = others.into_iter().chain(kinds);
    let types: HashMap<_, EntityTypeName> =
        types.filter_map(|name| Some((name, name.parse().ok()?))).collect();
    let action = |permission: &Permission| {
        let name = types.get("Action")?.clone();
        Some((*permission, EntityUid::from_type_name_and_id(name, EntityId::new(permission.code()))))
    };
    let actions = Permission::ALL.iter().filter_map(action).collect();
    Names { types, actions }
});

pub(super) fn type_name(name: &'static str) -> Result<EntityTypeName, Failure> {
    Ok(NAMES.types.get(name).ok_or("a type without name")?.clone())
}

pub(super) fn action(permission: Permission) -> Result<EntityUid, Failure> {
    Ok(NAMES.actions.get(&permission).ok_or("an action without name")?.clone())
}

fn uid(name: &'static str, id: impl AsRef<str>) -> Result<EntityUid, Failure> {
    Ok(EntityUid::from_type_name_and_id(type_name(name)?, EntityId::new(id)))
}

fn of_uuid(name: &'static str, id: Uuid) -> Result<EntityUid, Failure> {
    uid(name, id.as_hyphenated().encode_lower(&mut Uuid::encode_buffer()))
}

fn text(text: &str) -> Value {
    Value::new_string(text.to_owned())
}

fn day(on: Date) -> Value {
    Value::new_datetime(on.to_string())
}

/// The request, and of what it is about the attributes that are `wanted`.
pub(super) fn put(
    actor: &Actor,
    permission: Permission,
    resource: &Resource,
    zone: &TimeZone,
    wanted: &Mentions,
) -> Result<(Request, Entities), Failure> {
    let mut people = vec![principal(actor, wanted)?];
    let thing = thing(permission, resource, wanted)?;
    let employees = [(actor.employee(), actor.facts()), (resource.owner, &resource.facts)];
    for (at, (employee, facts)) in employees.into_iter().enumerate() {
        let known = at == 1 && employee == actor.employee();
        if let Some(employee) = employee.filter(|_| !known) {
            let uid = of_uuid("Employee", employee.as_uuid())?;
            if uid != thing.uid() {
                people.push(employment(facts, true, wanted)?.of(uid)?);
            }
        }
    }
    let action = action(permission)?;
    let (who, what) = (people.first().ok_or("nobody asks")?.uid(), thing.uid());
    if who != what {
        people.push(thing);
    }
    let entities = Entities::from_entities(people, None)?;
    let context = Context::from_pairs(circumstances(actor, zone, wanted)?.values)?;
    Ok((Request::new(who, action, what, context, None)?, entities))
}

/// Who acts, and all that is known of them.
pub(super) fn who(actor: &Actor) -> Result<(EntityUid, Entities), Failure> {
    let principal = principal(actor, &Mentions::all())?;
    Ok((principal.uid(), Entities::from_entities([principal], None)?))
}

fn principal(actor: &Actor, wanted: &Mentions) -> Result<Entity, Failure> {
    let mut attributes = Attributes::new(wanted);
    let uid = match *actor.who() {
        Who::User { user, employee, .. } => {
            if let Some(employee) = employee {
                attributes = employment(actor.facts(), false, wanted)?;
                attributes.refer("employee", "Employee", employee.as_uuid())?;
            }
            of_uuid("User", user.as_uuid())?
        }
        Who::Service { account, .. } => of_uuid("ServiceAccount", account.as_uuid())?,
        Who::System { .. } => return Err("the system isn't asked about".into()),
    };
    attributes.set("roles", || Value::new_set(actor.roles().iter().map(|role| text(role.as_str()))));
    attributes.of(uid)
}

/// What is known of an employment. Who somebody reports to and how the employment stands is of no use in a principal.
fn employment<'a>(facts: &Facts, whole: bool, wanted: &'a Mentions) -> Result<Attributes<'a>, Failure> {
    let mut attributes = Attributes::new(wanted);
    let references = [
        ("department", "Department", facts.department_id.map(|id| id.as_uuid())),
        ("location", "Location", facts.location_id.map(|id| id.as_uuid())),
        ("level", "Designation", facts.designation_id.map(|id| id.as_uuid())),
        ("manager", "Employee", facts.manager_id.map(|id| id.as_uuid()).filter(|_| whole)),
    ];
    for (name, kind, id) in references {
        if let Some(id) = id {
            attributes.refer(name, kind, id)?;
        }
    }
    attributes.set("employment_type", || text(facts.employment_type.code()));
    if whole {
        attributes.set("status", || text(facts.status.code()));
    }
    Ok(attributes)
}

fn thing(permission: Permission, resource: &Resource, wanted: &Mentions) -> Result<Entity, Failure> {
    let kind = permission.kind_of(resource);
    let name = kind.type_name();
    let uid = match (kind, resource.owner, &resource.details) {
        (Kind::Employee | Kind::LeaveBalance, Some(owner), _) => of_uuid(name, owner.as_uuid())?,
        (Kind::LeaveRequest, _, Details::LeaveRequest(LeaveDetails { id: Some(id), .. })) => {
            of_uuid(name, id.as_uuid())?
        }
        (Kind::Import | Kind::Export, _, Details::Data(what)) => uid(name, what.code())?,
        _ => uid(name, ALL)?,
    };
    let mut attributes = Attributes::new(wanted);
    match (kind, resource.owner) {
        (Kind::Employee, Some(_)) => attributes = employment(&resource.facts, true, wanted)?,
        (Kind::LeaveRequest | Kind::LeaveBalance, Some(owner)) => {
            attributes.refer("owner", "Employee", owner.as_uuid())?;
        }
        _ => {}
    }
    if let Details::LeaveRequest(leave) = &resource.details {
        attributes.refer("leave_type", "LeaveType", leave.leave_type_id.as_uuid())?;
        attributes.set("minutes", || Value::new_long(leave.minutes));
        attributes.set("days", || Value::new_long(leave.days));
        attributes.set("starts_on", || day(leave.starts_on));
        attributes.set("ends_on", || day(leave.ends_on));
        attributes.set("status", || text(leave.status.code()));
    }
    attributes.of(uid)
}

fn circumstances<'a>(
    actor: &Actor,
    zone: &TimeZone,
    wanted: &'a Mentions,
) -> Result<Attributes<'a>, Failure> {
    let context = actor.context();
    let channel = match context.channel {
        Channel::Api => "api",
        Channel::Socket => "socket",
        Channel::Job => "job",
        Channel::Internal => "internal",
    };
    let mut pairs = Attributes::new(wanted);
    pairs.set("second_factor", || Value::new_bool(context.second_factor));
    pairs.set("channel", || text(channel));
    if let Some(at) = context.at {
        let there = at.to_zoned(zone.clone());
        // Whole seconds: that is all that can be told.
        let at = Timestamp::from_second(at.as_second())?;
        let weekday = there.weekday().to_monday_one_offset();
        pairs.set("time", || Value::new_datetime(at.to_string()));
        pairs.set("date", || day(there.date()));
        pairs.set("hour", || Value::new_long(there.hour().into()));
        pairs.set("minute", || Value::new_long(there.minute().into()));
        pairs.set("weekday", || Value::new_long(weekday.into()));
    }
    if let Some(address) = context.address {
        pairs.set("address", || Value::new_ip(address.to_canonical().to_string()));
    }
    Ok(pairs)
}
