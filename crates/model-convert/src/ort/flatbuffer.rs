// SPDX-License-Identifier: MPL-2.0

//! A bounds-checked reader for FlatBuffers.
//!
//! A FlatBuffer consists of tables that refer to each other by offset; the vtable of a table holds the positions of its
//! numbered fields. Every offset is checked against the buffer, so that a damaged file is an error and never a panic.
//! Since several offsets may point at the same data, the number of tables and bytes read is limited: a small crafted
//! file cannot expand without bound.

use std::cell::Cell;
use std::fmt;

/// The file violates its format; holds the reason.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Malformed(pub &'static str);

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "malformed file: {}", self.0)
    }
}

impl std::error::Error for Malformed {}

type Result<T> = std::result::Result<T, Malformed>;

/// Limit of tables and strings read. The largest model in use has about ten thousand.
const MAX_TABLES: usize = 1 << 20;

/// A file.
pub struct Buffer<'a> {
    bytes: &'a [u8],
    tables_left: Cell<usize>,
    bytes_left: Cell<usize>,
}

impl<'a> Buffer<'a> {
    /// Wraps a file without reading it.
    pub fn new(bytes: &'a [u8]) -> Self {
        // A well-formed file has each byte read about once.
        let bytes_left = Cell::new(bytes.len().saturating_mul(2));
        Self { bytes, tables_left: Cell::new(MAX_TABLES), bytes_left }
    }

    /// The file identifier: the four bytes after the root offset.
    pub fn identifier(&self) -> Option<&'a [u8]> {
        self.bytes.get(4..8)
    }

    /// The root table.
    pub fn root(&self) -> Result<Table<'_, 'a>> {
        let at = self.follow(0)?;
        self.table(at)
    }

    fn array<const N: usize>(&self, at: usize) -> Result<[u8; N]> {
        let end = at.checked_add(N).ok_or(Malformed("an offset is too large"))?;
        let slice = self.bytes.get(at..end).ok_or(Malformed("an offset points past the end"))?;
        slice.try_into().map_err(|_| Malformed("an offset points past the end"))
    }

    fn u32(&self, at: usize) -> Result<usize> {
        usize::try_from(u32::from_le_bytes(self.array(at)?)).map_err(|_| Malformed("an offset is too large"))
    }

    fn u16(&self, at: usize) -> Result<usize> {
        Ok(u16::from_le_bytes(self.array(at)?).into())
    }

    /// The target of the offset stored at `at`.
    fn follow(&self, at: usize) -> Result<usize> {
        at.checked_add(self.u32(at)?).ok_or(Malformed("an offset is too large"))
    }

    fn table(&self, at: usize) -> Result<Table<'_, 'a>> {
        self.visit()?;
        let back = i32::from_le_bytes(self.array(at)?);
        let vtable = i64::try_from(at)
            .ok()
            .and_then(|at| usize::try_from(at - i64::from(back)).ok())
            .ok_or(Malformed("a vtable lies outside the file"))?;
        let vtable_len = self.u16(vtable)?;
        Ok(Table { buffer: self, at, vtable, vtable_len })
    }

    /// The bytes of the vector at `at` with elements of `size` bytes.
    fn vector(&self, at: usize, size: usize) -> Result<&'a [u8]> {
        let len = self.u32(at)?.checked_mul(size).ok_or(Malformed("a vector is too long"))?;
        let start = at + 4;
        let end = start.checked_add(len).ok_or(Malformed("a vector is too long"))?;
        let bytes = self.bytes.get(start..end).ok_or(Malformed("a vector is longer than the file"))?;
        let left = self.bytes_left.get().checked_sub(len).ok_or(Malformed("vectors overlap"))?;
        self.bytes_left.set(left);
        Ok(bytes)
    }

    fn string(&self, at: usize) -> Result<&'a str> {
        self.visit()?;
        std::str::from_utf8(self.vector(at, 1)?).map_err(|_| Malformed("a string is not UTF-8"))
    }

    fn visit(&self) -> Result<()> {
        let left = self.tables_left.get().checked_sub(1).ok_or(Malformed("there are too many tables"))?;
        self.tables_left.set(left);
        Ok(())
    }
}

/// A table. Fields are identified by number; an absent field has its default value.
#[derive(Clone, Copy)]
pub struct Table<'b, 'a> {
    buffer: &'b Buffer<'a>,
    at: usize,
    vtable: usize,
    vtable_len: usize,
}

impl<'b, 'a> Table<'b, 'a> {
    /// The position of a field, `None` when it is absent.
    fn position(&self, field: usize) -> Result<Option<usize>> {
        let entry = 4 + 2 * field;
        if entry + 2 > self.vtable_len {
            return Ok(None);
        }
        Ok(match self.buffer.u16(self.vtable + entry)? {
            0 => None,
            offset => Some(self.at + offset),
        })
    }

    fn scalar<const N: usize>(&self, field: usize) -> Result<[u8; N]> {
        self.position(field)?.map_or(Ok([0; N]), |at| self.buffer.array(at))
    }

    fn target(&self, field: usize) -> Result<Option<usize>> {
        self.position(field)?.map(|at| self.buffer.follow(at)).transpose()
    }

    /// A byte, 0 when absent.
    pub fn u8(&self, field: usize) -> Result<u8> {
        Ok(u8::from_le_bytes(self.scalar(field)?))
    }

    /// A 32 bit integer, 0 when absent.
    pub fn i32(&self, field: usize) -> Result<i32> {
        Ok(i32::from_le_bytes(self.scalar(field)?))
    }

    /// A 64 bit integer, 0 when absent.
    pub fn i64(&self, field: usize) -> Result<i64> {
        Ok(i64::from_le_bytes(self.scalar(field)?))
    }

    /// A 32 bit float, 0 when absent.
    pub fn f32(&self, field: usize) -> Result<f32> {
        Ok(f32::from_le_bytes(self.scalar(field)?))
    }

    /// A string, empty when absent.
    pub fn string(&self, field: usize) -> Result<&'a str> {
        self.target(field)?.map_or(Ok(""), |at| self.buffer.string(at))
    }

    /// A vector of bytes, empty when absent.
    pub fn bytes(&self, field: usize) -> Result<&'a [u8]> {
        self.target(field)?.map_or(Ok(&[]), |at| self.buffer.vector(at, 1))
    }

    /// A vector of 64 bit integers, empty when absent.
    pub fn i64s(&self, field: usize) -> Result<Vec<i64>> {
        self.scalars(field, i64::from_le_bytes)
    }

    /// A vector of 32 bit floats, empty when absent.
    pub fn f32s(&self, field: usize) -> Result<Vec<f32>> {
        self.scalars(field, f32::from_le_bytes)
    }

    fn scalars<const N: usize, T>(&self, field: usize, from: fn([u8; N]) -> T) -> Result<Vec<T>> {
        let Some(at) = self.target(field)? else { return Ok(Vec::new()) };
        let (chunks, _) = self.buffer.vector(at, N)?.as_chunks();
        Ok(chunks.iter().copied().map(from).collect())
    }

    /// A table, `None` when absent.
    pub fn table(&self, field: usize) -> Result<Option<Table<'b, 'a>>> {
        self.target(field)?.map(|at| self.buffer.table(at)).transpose()
    }

    /// A vector of tables, empty when absent.
    pub fn tables(&self, field: usize) -> Result<Vec<Table<'b, 'a>>> {
        self.targets(field)?.into_iter().map(|at| self.buffer.table(at)).collect()
    }

    /// A vector of strings, empty when absent.
    pub fn strings(&self, field: usize) -> Result<Vec<&'a str>> {
        self.targets(field)?.into_iter().map(|at| self.buffer.string(at)).collect()
    }

    /// The targets of a vector of offsets.
    fn targets(&self, field: usize) -> Result<Vec<usize>> {
        let Some(at) = self.target(field)? else { return Ok(Vec::new()) };
        let count = self.buffer.vector(at, 4)?.len() / 4;
        (0..count).map(|index| self.buffer.follow(at + 4 + 4 * index)).collect()
    }
}
