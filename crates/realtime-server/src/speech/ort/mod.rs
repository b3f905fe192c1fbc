// SPDX-License-Identifier: MPL-2.0

//! From ONNX Runtime's own model format (`.ort`) to plain ONNX, in memory.
//!
//! The speech recogniser's weights are published in the `.ort` format only, which nothing but ONNX Runtime reads. It
//! holds the same network in another wrapping: a FlatBuffer with some operations fused. Here it is read, taken apart and
//! written as the ONNX that the server's own runtime loads; the file on disk stays as it was published.

mod flatbuffer;
pub mod graph;
pub mod onnx;
mod rewrite;

pub use crate::speech::ort::flatbuffer::Malformed;

use crate::speech::ort::flatbuffer::Buffer;
use crate::speech::ort::graph::Graph;

/// Converts a whole file. Whatever the bytes are, the answer is a model or an error.
pub fn to_onnx(file: &[u8]) -> Result<Vec<u8>, Malformed> {
    let buffer = Buffer::new(file);
    if buffer.identifier() != Some(b"ORTM") {
        return Err(Malformed("it does not begin like an ONNX Runtime model"));
    }
    let session = buffer.root()?;
    let model = session.table(1)?.ok_or(Malformed("there is no model in it"))?;
    let mut graph = Graph::read(model.table(7)?.ok_or(Malformed("the model has no graph"))?, "main")?;
    let mut operators = Vec::new();
    for set in model.tables(1)? {
        // ONNX Runtime lists every set it knows, but only two are used.
        if matches!(set.text(0)?, "" | "com.microsoft") {
            operators.push((set.text(0)?, set.i64(1)?));
        }
    }
    crate::speech::ort::rewrite::standard_ops(&mut graph)?;
    Ok(crate::speech::ort::onnx::write(&graph, &operators))
}

#[cfg(test)]
mod tests;
