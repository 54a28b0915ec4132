//! Which values are there, and how lists nest: Parquet's definition and repetition levels, cut into pages.

use std::ops::Range as Span;

use parquet::basic::Encoding;

use super::PAGE_ROWS;
use super::chunk::{PageContent, Range};
use super::hybrid;

/// The levels of a leaf, for all rows of a chunk.
pub(super) struct Levels {
    rows: usize,
    /// A definition level for each value, nulls counted; empty when all have the same.
    definition: Vec<u32>,
    /// The definition level of every value, where they are the same.
    same: u32,
    /// The level of a value that is there.
    deepest: u32,
    /// A repetition level for each value; empty outside lists.
    repetition: Vec<u32>,
}

/// The part of a chunk that one page takes.
pub(super) struct Part {
    rows: usize,
    /// Levels.
    values: Span<usize>,
    /// Values that are there.
    pub(super) present: Span<usize>,
}

impl Levels {
    /// Levels of a column outside lists: for each row, whether it has a value; empty if none or all have, as `any` says.
    pub(super) fn flat(rows: usize, any: bool, has_value: &[bool]) -> Self {
        let definition = has_value.iter().map(|&has| u32::from(has)).collect();
        Self { rows, definition, same: u32::from(any), deepest: 1, repetition: Vec::new() }
    }

    /// Levels of a leaf in a list; `deepest` is the definition level of a value that is there.
    pub(super) fn nested(rows: usize, definition: Vec<u32>, repetition: Vec<u32>, deepest: u32) -> Self {
        Self { rows, definition, same: deepest, deepest, repetition }
    }

    /// Cuts the chunk into pages by the number of rows alone.
    pub(super) fn pages(&self) -> Vec<Part> {
        if !self.repetition.is_empty() {
            return self.pages_until(|_| false).collect();
        }
        let mut present = 0;
        let starts = (0..self.rows).step_by(PAGE_ROWS);
        starts
            .map(|start| {
                let values = start..self.rows.min(start + PAGE_ROWS);
                let before = present;
                present += match self.definition.get(values.clone()) {
                    Some(levels) => levels.iter().filter(|&&level| level == self.deepest).count(),
                    None if self.same == self.deepest => values.len(),
                    None => 0,
                };
                Part { rows: values.len(), values, present: before..present }
            })
            .collect()
    }

    /// Cuts the chunk into pages. `is_full` is asked after each row, with the values that are there since the last cut.
    pub(super) fn pages_until<'a>(
        &'a self,
        mut is_full: impl FnMut(Span<usize>) -> bool + 'a,
    ) -> impl Iterator<Item = Part> + 'a {
        let (mut rows, mut at, mut present) = (0, 0, 0);
        std::iter::from_fn(move || {
            if rows == self.rows {
                return None;
            }
            let (first_row, first, first_present) = (rows, at, present);
            while rows < self.rows && rows - first_row < PAGE_ROWS {
                loop {
                    present += usize::from(*self.definition.get(at).unwrap_or(&self.same) == self.deepest);
                    at += 1;
                    if self.repetition.get(at).is_none_or(|&level| level == 0) {
                        break;
                    }
                }
                rows += 1;
                if is_full(first_present..present) {
                    break;
                }
            }
            Some(Part { rows: rows - first_row, values: first..at, present: first_present..present })
        })
    }

    /// Appends the levels of a page, as a data page of version 1 has them.
    pub(super) fn encode(&self, part: &Part, page: &mut Vec<u8>) {
        let levels = |levels: &[u32], same: u32, largest: u32, page: &mut Vec<u8>| {
            let start = page.len();
            page.extend_from_slice(&[0; 4]);
            match levels {
                [] => hybrid::repeat(same, part.values.len(), hybrid::width(largest), page),
                levels => hybrid::encode(levels, hybrid::width(largest), page),
            }
            let length = u32::try_from(page.len() - start - 4).unwrap_or(u32::MAX);
            page[start..start + 4].copy_from_slice(&length.to_le_bytes());
        };
        if !self.repetition.is_empty() {
            levels(&self.repetition[part.values.clone()], 0, 1, page);
        }
        levels(self.definition.get(part.values.clone()).unwrap_or_default(), self.same, self.deepest, page);
    }
}

impl Part {
    /// What the page holds; its encoding and range are for the caller to say.
    pub(super) fn content<'a>(&self) -> PageContent<'a> {
        PageContent {
            rows: self.rows,
            values: self.values.len(),
            nulls: self.values.len() - self.present.len(),
            encoding: Encoding::PLAIN,
            range: Range::Untold,
        }
    }
}
