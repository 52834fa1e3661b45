//! How much an organisation can write.

/// The most policies of one organisation, those that aren't enabled included.
pub const MAX_POLICIES: usize = 200;
