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
use crate::policy::{Details, Kind, LeaveDetails, Permission, Resource};

/// The id of what is decided as a whole.
const ALL: &str = "all";

pub(super) type Failure = Box<dyn std::error::Error + Send + Sync>;
type Attributes = HashMap<String, Value>;

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

fn reference(name: &'static str, id: Uuid) -> Result<Value, Failure> {
    Ok(Value::new_entity_uid(of_uuid(name, id)?))
}

fn text(text: &str) -> Value {
    Value::new_string(text.to_owned())
}

fn day(on: Date) -> Value {
    Value::new_datetime(on.to_string())
}

/// The request and what it mentions.
pub(super) fn put(
    actor: &Actor,
    permission: Permission,
    resource: &Resource,
    zone: &TimeZone,
) -> Result<(Request, Entities), Failure> {
    let mut people = vec![principal(actor)?];
    let thing = thing(permission, resource)?;
    let employees = [(actor.employee(), actor.facts()), (resource.owner, &resource.facts)];
    for (at, (employee, facts)) in employees.into_iter().enumerate() {
        let known = at == 1 && employee == actor.employee();
        if let Some(employee) = employee.filter(|_| !known) {
            let uid = of_uuid("Employee", employee.as_uuid())?;
            if uid != thing.uid() {
                people.push(Entity::new(uid, employment(facts, true)?, HashSet::new())?);
            }
        }
    }
    let action = action(permission)?;
    let (who, what) = (people.first().ok_or("nobody asks")?.uid(), thing.uid());
    if who != what {
        people.push(thing);
    }
    let entities = Entities::from_entities(people, None)?;
    let context = Context::from_pairs(circumstances(actor, zone)?)?;
    Ok((Request::new(who, action, what, context, None)?, entities))
}

/// Who acts, and what is known of them.
pub(super) fn who(actor: &Actor) -> Result<(EntityUid, Entities), Failure> {
    let principal = principal(actor)?;
    Ok((principal.uid(), Entities::from_entities([principal], None)?))
}

fn principal(actor: &Actor) -> Result<Entity, Failure> {
    let (uid, mut attributes) = match *actor.who() {
        Who::User { user, employee, .. } => {
            let mut attributes = match employee {
                Some(_) => employment(actor.facts(), false)?,
                None => Attributes::new(),
            };
            if let Some(employee) = employee {
                attributes.insert("employee".to_owned(), reference("Employee", employee.as_uuid())?);
            }
            (of_uuid("User", user.as_uuid())?, attributes)
        }
        Who::Service { account, .. } => (of_uuid("ServiceAccount", account.as_uuid())?, Attributes::new()),
        Who::System { .. } => return Err("the system isn't asked about".into()),
    };
    let roles = actor.roles().iter().map(|role| text(role.as_str()));
    attributes.insert("roles".to_owned(), Value::new_set(roles));
    Ok(Entity::new(uid, attributes, HashSet::new())?)
}

/// What is known of an employment. Who somebody reports to and how the employment stands is of no use in a principal.
fn employment(facts: &Facts, whole: bool) -> Result<Attributes, Failure> {
    let mut attributes = Attributes::new();
    let references = [
        ("department", "Department", facts.department_id.map(|id| id.as_uuid())),
        ("location", "Location", facts.location_id.map(|id| id.as_uuid())),
        ("level", "Designation", facts.designation_id.map(|id| id.as_uuid())),
        ("manager", "Employee", facts.manager_id.map(|id| id.as_uuid()).filter(|_| whole)),
    ];
    for (name, kind, id) in references {
        if let Some(id) = id {
            attributes.insert(name.to_owned(), reference(kind, id)?);
        }
    }
    attributes.insert("employment_type".to_owned(), text(facts.employment_type.code()));
    if whole {
        attributes.insert("status".to_owned(), text(facts.status.code()));
    }
    Ok(attributes)
}

fn thing(permission: Permission, resource: &Resource) -> Result<Entity, Failure> {
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
    let mut attributes = match (kind, resource.owner) {
        (Kind::Employee, Some(_)) => employment(&resource.facts, true)?,
        (Kind::LeaveRequest | Kind::LeaveBalance, Some(owner)) => {
            HashMap::from([("owner".to_owned(), reference("Employee", owner.as_uuid())?)])
        }
        _ => Attributes::new(),
    };
    if let Details::LeaveRequest(leave) = &resource.details {
        attributes.extend([
            ("leave_type".to_owned(), reference("LeaveType", leave.leave_type_id.as_uuid())?),
            ("minutes".to_owned(), Value::new_long(leave.minutes)),
            ("days".to_owned(), Value::new_long(leave.days)),
            ("starts_on".to_owned(), day(leave.starts_on)),
            ("ends_on".to_owned(), day(leave.ends_on)),
            ("status".to_owned(), text(leave.status.code())),
        ]);
    }
    Ok(Entity::new(uid, attributes, HashSet::new())?)
}

fn circumstances(actor: &Actor, zone: &TimeZone) -> Result<Vec<(String, Value)>, Failure> {
    let context = actor.context();
    let channel = match context.channel {
        Channel::Api => "api",
        Channel::Socket => "socket",
        Channel::Job => "job",
        Channel::Internal => "internal",
    };
    let mut pairs = vec![
        ("second_factor".to_owned(), Value::new_bool(context.second_factor)),
        ("channel".to_owned(), text(channel)),
    ];
    if let Some(at) = context.at {
        let there = at.to_zoned(zone.clone());
        // Whole seconds: that is all that can be told.
        let at = Timestamp::from_second(at.as_second())?;
        let weekday = there.weekday().to_monday_one_offset();
        pairs.extend([
            ("time".to_owned(), Value::new_datetime(at.to_string())),
            ("date".to_owned(), day(there.date())),
            ("hour".to_owned(), Value::new_long(there.hour().into())),
            ("minute".to_owned(), Value::new_long(there.minute().into())),
            ("weekday".to_owned(), Value::new_long(weekday.into())),
        ]);
    }
    if let Some(address) = context.address {
        pairs.push(("address".to_owned(), Value::new_ip(address.to_canonical().to_string())));
    }
    Ok(pairs)
}
