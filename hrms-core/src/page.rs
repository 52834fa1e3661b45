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

/// The most rows that one page may take to be filled, when most of them can't be shown.
const MOST_READ: usize = 10_000;

/// A page in the making, out of rows of which not all may be shown: reads on until it is full.
///
/// Where all rows may be shown it is one read of exactly the rows asked for.
pub(crate) struct Filling<T, S> {
    limit: usize,
    sifts: bool,
    request: PageRequest<S>,
    read: usize,
    items: Vec<T>,
    last: Option<Position>,
}

impl<T, S: Clone> Filling<T, S> {
    /// Begins a page; `sifts` says whether rows have to be asked about one by one.
    pub(crate) fn new(page: &PageRequest<S>, sifts: bool) -> Self {
        let mut request = page.clone();
        if sifts {
            request.limit = MAX_LIMIT;
        }
        let limit = usize::from(page.limit);
        Self { limit, sifts, request, read: 0, items: Vec::new(), last: None }
    }

    /// What to ask storage for next.
    pub(crate) fn request(&self) -> &PageRequest<S> {
        &self.request
    }

    /// Takes the rows that storage gave, one more than asked for if there are more; the page, once it is full.
    ///
    /// A page that took too many rows ends early, with a place to go on from.
    pub(crate) fn take(
        &mut self,
        mut rows: Vec<T>,
        may: impl Fn(&T) -> bool,
        position: impl Fn(&T) -> Position,
    ) -> Option<Page<T>> {
        if !self.sifts {
            return Some(Page::from_rows(rows, self.request.limit, position));
        }
        let asked = usize::from(self.request.limit);
        let more = rows.len() > asked;
        rows.truncate(asked);
        self.read += rows.len();
        self.request.after = rows.last().map(&position);
        for row in rows {
            if !may(&row) {
                continue;
            }
            if self.items.len() == self.limit {
                return Some(self.page(true));
            }
            self.last = Some(position(&row));
            self.items.push(row);
        }
        if more && self.read < MOST_READ {
            return None;
        }
        if more {
            self.last = self.request.after.take();
        }
        Some(self.page(more))
    }

    fn page(&mut self, more: bool) -> Page<T> {
        let next = if more { self.last.take() } else { None };
        Page { items: std::mem::take(&mut self.items), next }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn position(row: &u32) -> Position {
        Position { key: format!("{row:08}"), id: Uuid::from_u128(u128::from(*row)) }
    }

    fn storage(all: &[u32], request: &PageRequest<()>) -> Vec<u32> {
        let after = request.after.as_ref().map(|after| after.key.parse::<u32>().unwrap());
        let rows = all.iter().copied().filter(|row| after.is_none_or(|after| *row > after));
        rows.take(usize::from(request.limit) + 1).collect()
    }

    fn page(all: &[u32], request: &PageRequest<()>, sifts: bool, may: fn(&u32) -> bool) -> Page<u32> {
        let mut filling = Filling::new(request, sifts);
        loop {
            let rows = storage(all, filling.request());
            if let Some(page) = filling.take(rows, may, position) {
                return page;
            }
        }
    }

    #[test]
    fn pages_stay_full_and_visit_each_row_that_may_be_seen_once() {
        let all: Vec<u32> = (0..1500).collect();
        for limit in [1, 7, 50, 200] {
            let mut request = PageRequest { limit, ..PageRequest::default() };
            let mut seen = Vec::new();
            loop {
                let page = page(&all, &request, true, |row| row % 97 == 0);
                assert!(page.next.is_none() || page.items.len() == usize::from(limit));
                seen.extend(page.items);
                let Some(next) = page.next else { break };
                assert_eq!(Some(&next), seen.last().map(position).as_ref(), "it names a row that was shown");
                request.after = Some(next);
            }
            let expected: Vec<u32> = all.iter().copied().filter(|row| row % 97 == 0).collect();
            assert_eq!(seen, expected, "limit {limit}");
        }
    }

    #[test]
    fn a_page_of_nothing_ends() {
        let all: Vec<u32> = (0..25_000).collect();
        let mut request = PageRequest { limit: 5, ..PageRequest::default() };
        let mut pages = 0;
        loop {
            let page = page(&all, &request, true, |row| *row == 24_999);
            pages += 1;
            let Some(next) = page.next else {
                assert_eq!(page.items, [24_999]);
                break;
            };
            assert!(page.items.is_empty());
            request.after = Some(next);
        }
        assert_eq!(pages, 3);
    }

    #[test]
    fn without_sifting_it_is_one_read() {
        let all: Vec<u32> = (0..30).collect();
        let request = PageRequest { limit: 10, ..PageRequest::default() };
        let mut filling = Filling::new(&request, false);
        assert_eq!(filling.request().limit, 10);
        let page = filling.take(storage(&all, &request), |_| false, position).unwrap();
        assert_eq!((page.items.len(), page.next), (10, Some(position(&9))));
    }
}
