//! The published schema as a file: made from the permissions, so that they can't drift apart.

use std::fmt::Write as _;

use crate::import::ImportKind;
use crate::policy::{Kind, Permission};

const HEAD: &str = r#"// What policies can ask about. Times and dates are the organisation's own, by its time zone.

// In which circumstances somebody acts. Where one isn't known, a policy that asks for it forbids.
type Circumstances = {
  // The instant, and the date there.
  time: datetime,
  date: datetime,
  // The clock on the wall: 0 to 23, 0 to 59.
  hour: Long,
  minute: Long,
  // 1 is Monday, 7 is Sunday.
  weekday: Long,
  // From where, as far as it is known for certain.
  address?: ipaddr,
  // Whether the log-in was proved by a second factor too.
  second_factor: Bool,
  // "api", "socket" (live events), "job" or "internal".
  channel: String,
};

// Somebody who logged in. What hangs on employment is by the record in force today.
entity User = {
  roles: Set<String>,
  employee?: Employee,
  department?: Department,
  location?: Location,
  level?: Designation,
  employment_type?: String,
};

// An integration with an API key.
entity ServiceAccount = {
  roles: Set<String>,
};

entity Employee = {
  department?: Department,
  location?: Location,
  level?: Designation,
  manager?: Employee,
  // "full_time", "part_time", "contract", "temporary", "intern".
  employment_type?: String,
  // "active", "on_notice", "suspended".
  status?: String,
};

entity LeaveRequest = {
  owner: Employee,
  leave_type: LeaveType,
  minutes: Long,
  // Part of a day counts as a whole one.
  days: Long,
  starts_on: datetime,
  ends_on: datetime,
  // "pending", "approved", "rejected", "cancelled", "withdrawn".
  status: String,
};

entity LeaveBalance = {
  owner: Employee,
};

// What others refer to.
entity Department, Location, Designation, LeaveType;

"#;

/// The kinds that [`HEAD`] tells more about.
const DETAILED: &[Kind] =
    &[Kind::Employee, Kind::LeaveRequest, Kind::LeaveBalance, Kind::Import, Kind::Export];

fn render() -> String {
    let mut schema = HEAD.to_owned();
    let moved: Vec<String> = ImportKind::ALL.iter().map(|kind| format!("\"{}\"", kind.code())).collect();
    let _ = writeln!(
        schema,
        "// Named after what is moved.\nentity Import, Export enum [{}];\n",
        moved.join(", ")
    );
    schema += "// Decided as a whole.\n";
    for kind in Kind::ALL.iter().filter(|kind| !DETAILED.contains(kind)) {
        let _ = writeln!(schema, "entity {} enum [\"all\"];", kind.type_name());
    }
    for permission in Permission::ALL {
        let kinds: Vec<_> = permission.kinds().iter().map(|kind| kind.type_name()).collect();
        let _ = write!(
            schema,
            "\naction \"{}\" appliesTo {{\n  principal: [User, ServiceAccount],\n  resource: [{}],\n  \
             context: Circumstances,\n}};\n",
            permission.code(),
            kinds.join(", "),
        );
    }
    schema
}

/// After a change that is meant: `HRMS_BLESS=1 cargo test -p hrms-core --features cedar schema`, and look at the
/// difference. Organisations have written policies against it: what is taken away breaks them.
#[test]
fn the_schema_is_the_one_in_the_file() {
    if std::env::var_os("HRMS_BLESS").is_some() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/src/policy/hrms.cedarschema");
        std::fs::write(path, render()).unwrap();
        return;
    }
    assert_eq!(render(), super::SCHEMA, "the schema has changed: see the comment of this test");
    super::COMPILED.as_ref().unwrap();
}
