//! The contract suite on every engine.

mod sqlite_memory {
    hrms_core::store_contract!(crate::all::support::sqlite_memory());
}

mod sqlite_file {
    hrms_core::store_contract!(crate::all::support::sqlite_file());
}

mod postgres {
    hrms_core::store_contract!(crate::all::support::postgres());
}
