// SPDX-License-Identifier: MPL-2.0

//! A trace from a stream of bytes, line by line.

use super::{Line, LineError};
use std::fs::File;
use std::io::{self, BufRead, BufReader};
use std::path::Path;

/// Reads a trace line by line, as long as there are bytes.
pub struct Reader<R> {
    input: R,
    number: usize,
    bytes: Vec<u8>,
}

/// A line that could not be read.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {number}: {error}")]
pub struct BadLine {
    /// Its number, from 1.
    pub number: usize,
    /// Why.
    pub error: LineError,
}

impl<R: BufRead> Reader<R> {
    /// Reads from a stream.
    pub fn new(input: R) -> Self {
        Self { input, number: 0, bytes: Vec::new() }
    }

    /// The next line of the trace; `None` at the end.
    fn next_line(&mut self) -> io::Result<Option<Result<Line, BadLine>>> {
        loop {
            self.bytes.clear();
            if self.input.read_until(b'\n', &mut self.bytes)? == 0 {
                return Ok(None);
            }
            self.number += 1;
            match Line::parse(self.number, &String::from_utf8_lossy(&self.bytes)) {
                Ok(None) => {}
                Ok(Some(line)) => return Ok(Some(Ok(line))),
                Err(error) => return Ok(Some(Err(BadLine { number: self.number, error }))),
            }
        }
    }
}

impl<R: BufRead> Iterator for Reader<R> {
    type Item = io::Result<Result<Line, BadLine>>;

    fn next(&mut self) -> Option<Self::Item> {
        self.next_line().transpose()
    }
}

/// All lines of a file, and those that could not be read.
pub fn read_file(path: &Path) -> io::Result<(Vec<Line>, Vec<BadLine>)> {
    let (mut lines, mut bad) = (Vec::new(), Vec::new());
    for line in Reader::new(BufReader::with_capacity(1 << 16, File::open(path)?)) {
        match line? {
            Ok(line) => lines.push(line),
            Err(line) => bad.push(line),
        }
    }
    Ok((lines, bad))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bad_line_is_told_with_its_number_and_the_others_count() {
        let text = b"{\"trace\":\"t\"}\n\n{\"dir\":\"c\",\"ev\":{\"type\":\"a\"}}\r\n{\"dir\":\"c\",\"ev\":{\"ty\n\xff\xfe\n{\"dir\":\"s\",\"ev\":{\"type\":\"b\"}}";
        let lines: Vec<_> = Reader::new(&text[..]).map(|line| line.expect("no error of the stream")).collect();
        let numbers: Vec<_> = lines
            .iter()
            .map(|line| match line {
                Ok(line) => (line.number, true),
                Err(line) => (line.number, false),
            })
            .collect();
        assert_eq!(numbers, [(3, true), (4, false), (5, false), (6, true)]);
        assert!(
            lines[1].as_ref().expect_err("unreadable").to_string().starts_with("line 4: not a line of a trace: EOF")
        );
    }
}
