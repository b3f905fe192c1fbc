// SPDX-License-Identifier: MPL-2.0

//! Reads Python's serialisation format, pickle, as plain data.
//!
//! A pickle is a program for a stack machine that may call any Python function. Here a call is only recorded, with the
//! name of the function and its arguments. Opcodes that PyTorch's weight files do not use are an error.

use std::collections::HashMap;

use anyhow::{Context, Result, anyhow, bail};

/// A Python value.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// `None`.
    None,
    /// `True` and `False`.
    Bool(bool),
    /// An `int`.
    Int(i64),
    /// A `str`.
    Text(String),
    /// A tuple or a list.
    List(Vec<Value>),
    /// A dictionary.
    Dict(Vec<(Value, Value)>),
    /// The qualified name of a class or function.
    Global(String),
    /// The identifier of data that is stored outside of the pickle.
    PersistentId(Box<Value>),
    /// A call: the name of the callable, and its arguments.
    Call(String, Vec<Value>),
}

impl Value {
    /// The string.
    pub fn text(&self) -> Result<&str> {
        if let Self::Text(text) = self { Ok(text) } else { Err(anyhow!("expected a string, found {self:?}")) }
    }

    /// The integer as a size.
    pub fn count(&self) -> Result<usize> {
        match self {
            Self::Int(number) => usize::try_from(*number).context("a size is negative"),
            other => bail!("expected an integer, found {other:?}"),
        }
    }

    /// The elements of a tuple or a list.
    pub fn list(&self) -> Result<&[Value]> {
        if let Self::List(values) = self { Ok(values) } else { Err(anyhow!("expected a list, found {self:?}")) }
    }
}

/// Reads one pickle from the start of `bytes` and removes it from there.
pub fn read(bytes: &mut &[u8]) -> Result<Value> {
    let mut reader = Reader { bytes, stack: Vec::new(), marks: Vec::new(), memo: HashMap::new() };
    while reader.step()? {}
    reader.pop()
}

/// Removes the first `count` bytes.
pub fn take<'a>(bytes: &mut &'a [u8], count: usize) -> Result<&'a [u8]> {
    let (taken, rest) = bytes.split_at_checked(count).context("the file is truncated")?;
    *bytes = rest;
    Ok(taken)
}

struct Reader<'a, 'b> {
    bytes: &'a mut &'b [u8],
    stack: Vec<Value>,
    marks: Vec<usize>,
    memo: HashMap<u32, Value>,
}

impl Reader<'_, '_> {
    /// Executes one opcode. `false` after the last one.
    fn step(&mut self) -> Result<bool> {
        match self.byte()? {
            b'.' => return Ok(false),
            // The version of the protocol.
            0x80 => drop(self.byte()?),
            b'(' => self.marks.push(self.stack.len()),
            b'N' => self.stack.push(Value::None),
            0x88 => self.stack.push(Value::Bool(true)),
            0x89 => self.stack.push(Value::Bool(false)),
            b'K' => self.int(1)?,
            b'M' => self.int(2)?,
            b'J' => self.int(4)?,
            0x8a => {
                let length = self.byte()?;
                self.int(length.into())?;
            }
            b'X' => self.text()?,
            b')' | b']' => self.stack.push(Value::List(Vec::new())),
            b'}' => self.stack.push(Value::Dict(Vec::new())),
            b't' => {
                let values = self.since_mark()?;
                self.stack.push(Value::List(values));
            }
            count @ 0x85..=0x87 => {
                let first = self.stack.len().checked_sub(usize::from(count) - 0x84).context("the stack is empty")?;
                let values = self.stack.split_off(first);
                self.stack.push(Value::List(values));
            }
            b'e' => {
                let more = self.since_mark()?;
                let Some(Value::List(values)) = self.stack.last_mut() else { bail!("APPENDS needs a list") };
                values.extend(more);
            }
            b's' => {
                let (value, key) = (self.pop()?, self.pop()?);
                self.put_all([(key, value)])?;
            }
            b'u' => self.set_items()?,
            b'c' => {
                let (module, name) = (self.line()?, self.line()?);
                self.stack.push(Value::Global(format!("{module}.{name}")));
            }
            b'Q' => {
                let name = self.pop()?;
                self.stack.push(Value::PersistentId(Box::new(name)));
            }
            b'R' => self.call()?,
            // The state set on an object: only metadata in the files in question.
            b'b' => drop(self.pop()?),
            b'q' => self.memo_put(1)?,
            b'r' => self.memo_put(4)?,
            b'h' => self.memo_get(1)?,
            b'j' => self.memo_get(4)?,
            other => bail!("opcode {other:#04x} is not supported"),
        }
        Ok(true)
    }

    fn text(&mut self) -> Result<()> {
        let length = self.number(4)? as usize;
        let text = str::from_utf8(take(self.bytes, length)?)?.to_owned();
        self.stack.push(Value::Text(text));
        Ok(())
    }

    fn set_items(&mut self) -> Result<()> {
        let mut values = self.since_mark()?.into_iter();
        let pairs: Vec<_> = std::iter::from_fn(|| Some((values.next()?, values.next()?))).collect();
        self.put_all(pairs)
    }

    fn call(&mut self) -> Result<()> {
        let (values, callee) = (self.pop()?, self.pop()?);
        let (Value::List(values), Value::Global(name)) = (values, callee) else {
            bail!("REDUCE needs a function and a tuple")
        };
        // Made empty and filled by the opcodes of a plain dictionary.
        let is_dict = name == "collections.OrderedDict" && values.is_empty();
        self.stack.push(if is_dict { Value::Dict(Vec::new()) } else { Value::Call(name, values) });
        Ok(())
    }

    fn put_all(&mut self, pairs: impl IntoIterator<Item = (Value, Value)>) -> Result<()> {
        let Some(Value::Dict(dict)) = self.stack.last_mut() else { bail!("SETITEM needs a dictionary") };
        dict.extend(pairs);
        Ok(())
    }

    fn byte(&mut self) -> Result<u8> {
        Ok(take(self.bytes, 1)?[0])
    }

    fn number(&mut self, size: usize) -> Result<u32> {
        Ok(take(self.bytes, size)?.iter().rev().fold(0, |number, byte| number << 8 | u32::from(*byte)))
    }

    /// Pushes a little-endian integer of `size` bytes, unsigned up to two bytes and signed above.
    fn int(&mut self, size: usize) -> Result<()> {
        let bytes = take(self.bytes, size)?;
        let number = match *bytes {
            [low] => low.into(),
            [low, high] => u16::from_le_bytes([low, high]).into(),
            [a, b, c, d] => i32::from_le_bytes([a, b, c, d]).into(),
            // Longer ones occur only as the magic number: its lower eight bytes are kept.
            _ => bytes.iter().rev().fold(0_i64, |number, byte| number.wrapping_shl(8) | i64::from(*byte)),
        };
        self.stack.push(Value::Int(number));
        Ok(())
    }

    fn line(&mut self) -> Result<String> {
        let length = self.bytes.iter().position(|byte| *byte == b'\n').context("the file is truncated")?;
        let line = str::from_utf8(take(self.bytes, length)?)?.to_owned();
        self.byte()?;
        Ok(line)
    }

    fn pop(&mut self) -> Result<Value> {
        self.stack.pop().context("the stack is empty")
    }

    fn since_mark(&mut self) -> Result<Vec<Value>> {
        let mark = self.marks.pop().filter(|mark| *mark <= self.stack.len()).context("a mark is missing")?;
        Ok(self.stack.split_off(mark))
    }

    /// Copies the top of the stack to the memo. Later changes do not reach the copy; the files in question do not need that.
    fn memo_put(&mut self, size: usize) -> Result<()> {
        let number = self.number(size)?;
        let value = self.stack.last().context("the stack is empty")?.clone();
        self.memo.insert(number, value);
        Ok(())
    }

    fn memo_get(&mut self, size: usize) -> Result<()> {
        let number = self.number(size)?;
        let value = self.memo.get(&number).context("the memo has no such entry")?.clone();
        self.stack.push(value);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_written_by_python_are_read() {
        // pickle.dumps({"a": (1, 300, -2, None, True), "b": ["x", "x"]}, protocol=2), and one more byte
        let mut bytes: &[u8] = b"\x80\x02}q\x00(X\x01\x00\x00\x00aq\x01(K\x01M,\x01J\xfe\xff\xff\xffN\x88tq\x02\
            X\x01\x00\x00\x00bq\x03]q\x04(X\x01\x00\x00\x00xq\x05h\x05eu.!";
        let text = |text: &str| Value::Text(text.into());
        let numbers = vec![Value::Int(1), Value::Int(300), Value::Int(-2), Value::None, Value::Bool(true)];
        let expected = vec![(text("a"), Value::List(numbers)), (text("b"), Value::List(vec![text("x"), text("x")]))];
        assert_eq!(read(&mut bytes).expect("a pickle"), Value::Dict(expected));
        assert_eq!(bytes, b"!");
    }

    #[test]
    fn a_call_is_recorded_and_not_made() {
        let mut bytes: &[u8] = b"\x80\x02cos\nsystem\nX\x02\x00\x00\x00ls\x85R.";
        let value = read(&mut bytes).expect("a pickle");
        assert_eq!(value, Value::Call("os.system".into(), vec![Value::Text("ls".into())]));
    }

    #[test]
    fn a_damaged_pickle_is_an_error() {
        for bytes in
            [&b""[..], b"t.", b"R.", b"s.", b"u.", b"\x87.", b"X\xff\xff\xff\xff.", b"h\x01.", b"c\n", b"\xff", b"."]
        {
            assert!(read(&mut { bytes }).is_err(), "{bytes:?}");
        }
    }
}
