// SPDX-License-Identifier: MPL-2.0

//! A minimal FlatBuffers writer, which makes `.ort` files for the tests.

/// The value of a table's field.
pub enum Field<'a> {
    U8(u8),
    I32(i32),
    I64(i64),
    F32(f32),
    String(&'a str),
    Bytes(&'a [u8]),
    I64s(&'a [i64]),
    Strings(&'a [&'a str]),
    Table(Fields<'a>),
    Tables(Vec<Fields<'a>>),
}

/// The fields of a table by number.
pub type Fields<'a> = Vec<(usize, Field<'a>)>;

/// Writes a file.
pub fn file(root: &Fields<'_>) -> Vec<u8> {
    let mut out = b"\0\0\0\0ORTM".to_vec();
    let target = table(&mut out, root);
    set_offset(&mut out, 0, target);
    out
}

/// Writes a table behind its vtable, then what it refers to, and returns its position.
fn table(out: &mut Vec<u8>, fields: &Fields<'_>) -> usize {
    /// Every field gets the room of the largest scalar.
    const SLOT: usize = 8;
    let count = fields.iter().map(|(number, _)| number + 1).max().unwrap_or_default();
    let slot = |number| fields.iter().position(|field| field.0 == number).map_or(0, |index| 4 + SLOT * index);
    let size = 4 + SLOT * fields.len();
    let vtable = out.len();
    for entry in [4 + 2 * count, size].into_iter().chain((0..count).map(slot)) {
        out.extend((entry as u16).to_le_bytes());
    }
    let at = out.len();
    out.extend(((at - vtable) as i32).to_le_bytes());
    out.resize(at + size, 0);
    for (index, (_, value)) in fields.iter().enumerate() {
        let slot = at + 4 + SLOT * index;
        let mut scalar = |bytes: &[u8]| out[slot..slot + bytes.len()].copy_from_slice(bytes);
        match value {
            Field::U8(value) => scalar(&value.to_le_bytes()),
            Field::I32(value) => scalar(&value.to_le_bytes()),
            Field::I64(value) => scalar(&value.to_le_bytes()),
            Field::F32(value) => scalar(&value.to_le_bytes()),
            reference => {
                let target = referenced(out, reference);
                set_offset(out, slot, target);
            }
        }
    }
    at
}

/// Writes a value that tables hold an offset to, and returns its position.
fn referenced(out: &mut Vec<u8>, value: &Field<'_>) -> usize {
    match value {
        Field::String(string) => vector(out, string.len(), string.as_bytes()),
        Field::Bytes(bytes) => vector(out, bytes.len(), bytes),
        Field::I64s(values) => {
            let bytes: Vec<u8> = values.iter().flat_map(|value| value.to_le_bytes()).collect();
            vector(out, values.len(), &bytes)
        }
        Field::Strings(strings) => offsets(out, strings, |out, string| vector(out, string.len(), string.as_bytes())),
        Field::Table(fields) => table(out, fields),
        Field::Tables(tables) => offsets(out, tables, table),
        Field::U8(_) | Field::I32(_) | Field::I64(_) | Field::F32(_) => unreachable!("scalars are stored in the table"),
    }
}

fn vector(out: &mut Vec<u8>, len: usize, bytes: &[u8]) -> usize {
    let at = out.len();
    out.extend((len as u32).to_le_bytes());
    out.extend(bytes);
    at
}

fn offsets<T>(out: &mut Vec<u8>, items: &[T], write: fn(&mut Vec<u8>, &T) -> usize) -> usize {
    let at = vector(out, items.len(), &vec![0; 4 * items.len()]);
    for (index, item) in items.iter().enumerate() {
        let target = write(out, item);
        set_offset(out, at + 4 + 4 * index, target);
    }
    at
}

/// Offsets count from their own position.
fn set_offset(out: &mut [u8], at: usize, target: usize) {
    out[at..at + 4].copy_from_slice(&((target - at) as u32).to_le_bytes());
}
