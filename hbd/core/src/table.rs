//! Things under ids, in an order that means something: mostly that of a file.
//!
//! An id names one thing for as long as the daemon lives. It says nothing about where that stands
//! or how many there are: the order is that of the rows, and only of them.

/// Rows in their order, found by id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Table<I, T> {
    rows: Vec<(I, T)>,
    /// The place of each row, by id.
    places: Vec<(I, usize)>,
}

impl<I: Copy + Ord, T> Table<I, T> {
    pub(crate) fn len(&self) -> usize {
        self.rows.len()
    }

    /// Where the thing stands among the others.
    pub(crate) fn place(&self, id: I) -> Option<usize> {
        let found = self.places.binary_search_by_key(&id, |(id, _)| *id);
        Some(self.places[found.ok()?].1)
    }

    /// What stands at a place.
    pub(crate) fn at(&self, place: usize) -> Option<(I, &T)> {
        self.rows.get(place).map(|(id, thing)| (*id, thing))
    }

    pub fn get(&self, id: I) -> Option<&T> {
        Some(&self.rows[self.place(id)?].1)
    }

    pub fn get_mut(&mut self, id: I) -> Option<&mut T> {
        let place = self.place(id)?;
        Some(&mut self.rows[place].1)
    }

    pub fn ids(&self) -> impl Iterator<Item = I> {
        self.rows.iter().map(|(id, _)| *id)
    }

    pub fn iter(&self) -> impl Iterator<Item = (I, &T)> {
        self.rows.iter().map(|(id, thing)| (*id, thing))
    }

    pub fn iter_mut(&mut self) -> impl Iterator<Item = (I, &mut T)> {
        self.rows.iter_mut().map(|(id, thing)| (*id, thing))
    }

    pub fn values(&self) -> impl Iterator<Item = &T> {
        self.rows.iter().map(|(_, thing)| thing)
    }

    pub fn values_mut(&mut self) -> impl Iterator<Item = &mut T> {
        self.rows.iter_mut().map(|(_, thing)| thing)
    }
}

impl<I: Copy + Ord, T> FromIterator<(I, T)> for Table<I, T> {
    /// # Panics
    /// If two rows have one id: whoever gives ids never gives one twice.
    fn from_iter<R: IntoIterator<Item = (I, T)>>(rows: R) -> Self {
        let rows: Vec<(I, T)> = rows.into_iter().collect();
        let places = rows.iter().enumerate().map(|(place, (id, _))| (*id, place));
        let mut places: Vec<(I, usize)> = places.collect();
        places.sort_unstable();
        let twice = places.windows(2).any(|pair| pair[0].0 == pair[1].0);
        assert!(!twice, "an id names one thing");
        Self { rows, places }
    }
}

#[cfg(test)]
mod tests;
