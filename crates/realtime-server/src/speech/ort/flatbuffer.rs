// SPDX-License-Identifier: MPL-2.0

//! A reader for FlatBuffers that trusts nothing.
//!
//! A FlatBuffer is a heap of tables that point at one another with offsets; a table says in a small directory where
//! each of its numbered fields lies. Every offset here is checked against the buffer, so that a broken file gives an
//! [`Malformed`] and never a panic. Offsets may also point twice at the same place: a budget keeps a crafted file
//! from growing without end while it is read.

use std::cell::Cell;
use std::fmt;

/// The file is not what it claims to be; says what was being read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Malformed(pub &'static str);

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "malformed model file: {}", self.0)
    }
}

impl std::error::Error for Malformed {}

type Result<T> = std::result::Result<T, Malformed>;

/// Tables that one file may have us visit. The largest model in use has some ten thousand.
const MAX_TABLES: usize = 1 << 20;

/// A whole file.
pub struct Buffer<'a> {
    bytes: &'a [u8],
    tables_left: Cell<usize>,
    bytes_left: Cell<usize>,
}

impl<'a> Buffer<'a> {
    /// Looks at `bytes` without reading them yet.
    pub fn new(bytes: &'a [u8]) -> Self {
        // Honest files hand out each byte about once.
        let bytes_left = Cell::new(bytes.len().saturating_mul(2));
        Self { bytes, tables_left: Cell::new(MAX_TABLES), bytes_left }
    }

    /// The four letters behind the first offset that tell kinds of files apart.
    pub fn identifier(&self) -> Option<&'a [u8]> {
        self.bytes.get(4..8)
    }

    /// The table from which all others can be reached.
    pub fn root(&self) -> Result<Table<'_, 'a>> {
        let at = self.follow(0)?;
        self.table(at)
    }

    fn array<const N: usize>(&self, at: usize) -> Result<[u8; N]> {
        let end = at.checked_add(N).ok_or(Malformed("an offset is too large"))?;
        let slice = self.bytes.get(at..end).ok_or(Malformed("an offset points behind the end"))?;
        slice.try_into().map_err(|_| Malformed("an offset points behind the end"))
    }

    fn u32(&self, at: usize) -> Result<usize> {
        usize::try_from(u32::from_le_bytes(self.array(at)?)).map_err(|_| Malformed("an offset is too large"))
    }

    fn u16(&self, at: usize) -> Result<usize> {
        Ok(u16::from_le_bytes(self.array(at)?).into())
    }

    /// Follows the offset at `at` to what it points at.
    fn follow(&self, at: usize) -> Result<usize> {
        at.checked_add(self.u32(at)?).ok_or(Malformed("an offset is too large"))
    }

    fn table(&self, at: usize) -> Result<Table<'_, 'a>> {
        self.visit()?;
        let back = i32::from_le_bytes(self.array(at)?);
        let directory = i64::try_from(at)
            .ok()
            .and_then(|at| usize::try_from(at - i64::from(back)).ok())
            .ok_or(Malformed("a table's directory lies outside the file"))?;
        let directory_len = self.u16(directory)?;
        Ok(Table { buffer: self, at, directory, directory_len })
    }

    /// The bytes of the vector at `at`, whose items are `size` bytes each.
    fn items(&self, at: usize, size: usize) -> Result<&'a [u8]> {
        let len = self.u32(at)?.checked_mul(size).ok_or(Malformed("a list is too long"))?;
        let start = at + 4;
        let end = start.checked_add(len).ok_or(Malformed("a list is too long"))?;
        let items = self.bytes.get(start..end).ok_or(Malformed("a list is longer than the file"))?;
        let left = self.bytes_left.get().checked_sub(len).ok_or(Malformed("lists overlap"))?;
        self.bytes_left.set(left);
        Ok(items)
    }

    fn text(&self, at: usize) -> Result<&'a str> {
        self.visit()?;
        std::str::from_utf8(self.items(at, 1)?).map_err(|_| Malformed("a name is not text"))
    }

    fn visit(&self) -> Result<()> {
        let left = self.tables_left.get().checked_sub(1).ok_or(Malformed("too many tables"))?;
        self.tables_left.set(left);
        Ok(())
    }
}

/// One table. Its fields are known by number; a field that is absent has a default.
#[derive(Clone, Copy)]
pub struct Table<'b, 'a> {
    buffer: &'b Buffer<'a>,
    at: usize,
    directory: usize,
    directory_len: usize,
}

impl<'b, 'a> Table<'b, 'a> {
    /// Where the field lies, `None` when it is absent.
    fn field(&self, number: usize) -> Result<Option<usize>> {
        let entry = 4 + 2 * number;
        if entry + 2 > self.directory_len {
            return Ok(None);
        }
        Ok(match self.buffer.u16(self.directory + entry)? {
            0 => None,
            offset => Some(self.at + offset),
        })
    }

    fn scalar<const N: usize>(&self, number: usize) -> Result<[u8; N]> {
        self.field(number)?.map_or(Ok([0; N]), |at| self.buffer.array(at))
    }

    fn target(&self, number: usize) -> Result<Option<usize>> {
        self.field(number)?.map(|at| self.buffer.follow(at)).transpose()
    }

    /// A byte, 0 when absent.
    pub fn u8(&self, number: usize) -> Result<u8> {
        Ok(u8::from_le_bytes(self.scalar(number)?))
    }

    /// A 32 bit number, 0 when absent.
    pub fn i32(&self, number: usize) -> Result<i32> {
        Ok(i32::from_le_bytes(self.scalar(number)?))
    }

    /// A 64 bit number, 0 when absent.
    pub fn i64(&self, number: usize) -> Result<i64> {
        Ok(i64::from_le_bytes(self.scalar(number)?))
    }

    /// A floating point number, 0 when absent.
    pub fn f32(&self, number: usize) -> Result<f32> {
        Ok(f32::from_le_bytes(self.scalar(number)?))
    }

    /// A text, empty when absent.
    pub fn text(&self, number: usize) -> Result<&'a str> {
        self.target(number)?.map_or(Ok(""), |at| self.buffer.text(at))
    }

    /// A list of bytes, empty when absent.
    pub fn bytes(&self, number: usize) -> Result<&'a [u8]> {
        self.target(number)?.map_or(Ok(&[]), |at| self.buffer.items(at, 1))
    }

    /// A list of 64 bit numbers, empty when absent.
    pub fn i64s(&self, number: usize) -> Result<Vec<i64>> {
        self.numbers(number, i64::from_le_bytes)
    }

    /// A list of floating point numbers, empty when absent.
    pub fn f32s(&self, number: usize) -> Result<Vec<f32>> {
        self.numbers(number, f32::from_le_bytes)
    }

    fn numbers<const N: usize, T>(&self, number: usize, from: fn([u8; N]) -> T) -> Result<Vec<T>> {
        let Some(at) = self.target(number)? else { return Ok(Vec::new()) };
        let (chunks, _) = self.buffer.items(at, N)?.as_chunks();
        Ok(chunks.iter().copied().map(from).collect())
    }

    /// A table, `None` when absent.
    pub fn table(&self, number: usize) -> Result<Option<Table<'b, 'a>>> {
        self.target(number)?.map(|at| self.buffer.table(at)).transpose()
    }

    /// A list of tables, empty when absent.
    pub fn tables(&self, number: usize) -> Result<Vec<Table<'b, 'a>>> {
        self.targets(number)?.into_iter().map(|at| self.buffer.table(at)).collect()
    }

    /// A list of texts, empty when absent.
    pub fn texts(&self, number: usize) -> Result<Vec<&'a str>> {
        self.targets(number)?.into_iter().map(|at| self.buffer.text(at)).collect()
    }

    /// What the offsets of a list point at.
    fn targets(&self, number: usize) -> Result<Vec<usize>> {
        let Some(at) = self.target(number)? else { return Ok(Vec::new()) };
        let count = self.buffer.items(at, 4)?.len() / 4;
        (0..count).map(|index| self.buffer.follow(at + 4 + 4 * index)).collect()
    }
}
