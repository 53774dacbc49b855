//! A sparse vector that is cheap to clone and to change: the overlay's tables.
//!
//! A clone shares all pages; a write copies the one page that it touches. Knows nothing of what it holds.
//! Invariant: `len` is the number of places that hold something.

use std::sync::Arc;

/// Places per page: a lookup costs two loads, a write copies one page, a clone one pointer per page.
const PAGE_PLACES: usize = 256;

#[derive(Clone)]
pub(super) struct Paged<T> {
    pages: Vec<Option<Arc<[Option<T>; PAGE_PLACES]>>>,
    len: usize,
}

impl<T> Default for Paged<T> {
    fn default() -> Self {
        Paged { pages: Vec::new(), len: 0 }
    }
}

impl<T: Clone> Paged<T> {
    #[inline]
    pub fn get(&self, place: usize) -> Option<&T> {
        self.pages.get(place / PAGE_PLACES)?.as_ref()?[place % PAGE_PLACES].as_ref()
    }

    pub fn len(&self) -> usize {
        self.len
    }

    pub fn set(&mut self, place: usize, value: T) {
        let number = place / PAGE_PLACES;
        if number >= self.pages.len() {
            self.pages.resize(number + 1, None);
        }
        let page = self.pages[number].get_or_insert_with(|| Arc::new([const { None }; PAGE_PLACES]));
        let before = Arc::make_mut(page)[place % PAGE_PLACES].replace(value);
        self.len += usize::from(before.is_none());
    }

    pub fn clear(&mut self, place: usize) {
        let Some(Some(page)) = self.pages.get_mut(place / PAGE_PLACES) else { return };
        if page[place % PAGE_PLACES].is_some() {
            Arc::make_mut(page)[place % PAGE_PLACES] = None;
            self.len -= 1;
        }
    }
}
