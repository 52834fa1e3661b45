//! Keyset pages: a position in a total order instead of a row count.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// The largest page.
pub const MAX_LIMIT: u16 = 200;
/// The page size when the caller doesn't say.
pub const DEFAULT_LIMIT: u16 = 50;

/// Where a page ended: the sort key and the id of its last item.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Position {
    /// Text form of the sort key of the last item.
    pub key: String,
    /// The last item's id, which breaks ties.
    pub id: Uuid,
}

/// Which page of a collection, sorted how.
#[derive(Clone, Debug)]
pub struct PageRequest<S> {
    /// The order; ids break ties in the same direction.
    pub sort: S,
    /// Whether the order is reversed.
    pub descending: bool,
    /// At most this many items, 1 to [`MAX_LIMIT`].
    pub limit: u16,
    /// Start behind this position.
    pub after: Option<Position>,
}

impl<S: Default> Default for PageRequest<S> {
    fn default() -> Self {
        Self { sort: S::default(), descending: false, limit: DEFAULT_LIMIT, after: None }
    }
}

/// One page of a collection.
#[derive(Clone, Debug)]
pub struct Page<T> {
    /// The items, in the order asked for.
    pub items: Vec<T>,
    /// Where the next page starts; `None` on the last one.
    pub next: Option<Position>,
}

impl<T> Page<T> {
    /// Makes a page from up to `limit + 1` rows; the one too many only tells that there is more.
    pub fn from_rows(mut rows: Vec<T>, limit: u16, position: impl Fn(&T) -> Position) -> Self {
        let more = rows.len() > usize::from(limit);
        rows.truncate(usize::from(limit));
        let next = if more { rows.last().map(position) } else { None };
        Self { items: rows, next }
    }

    /// The same page with each item changed.
    pub fn map<U>(self, f: impl FnMut(T) -> U) -> Page<U> {
        Page { items: self.items.into_iter().map(f).collect(), next: self.next }
    }
}
