// SPDX-License-Identifier: MPL-2.0

//! Converts ONNX Runtime's own model format (`.ort`) to ONNX.
//!
//! Moonshine's speech recognition models are published as `.ort` files only, which no other runtime loads. Such a file
//! is a FlatBuffer that holds the same graph and weights as the ONNX model it was made from, with some operators fused.

mod flatbuffer;
mod read;
mod rewrite;
#[cfg(test)]
mod tests;

pub use crate::ort::flatbuffer::Malformed;

use crate::onnx;
use crate::ort::flatbuffer::Buffer;

/// Whether the file has the file identifier of this format.
pub fn is_ort(file: &[u8]) -> bool {
    Buffer::new(file).identifier() == Some(b"ORTM")
}

/// Converts a file to ONNX.
pub fn to_onnx(file: &[u8]) -> Result<Vec<u8>, Malformed> {
    if !is_ort(file) {
        return Err(Malformed("it is not an ONNX Runtime model"));
    }
    let buffer = Buffer::new(file);
    let session = buffer.root()?;
    let model = session.table(1)?.ok_or(Malformed("it has no model"))?;
    let mut graph = read::graph(model.table(7)?.ok_or(Malformed("the model has no graph"))?, "main")?;
    let mut opsets = Vec::new();
    for opset in model.tables(1)? {
        // ONNX Runtime lists every operator set that it knows; these models use two.
        if matches!(opset.string(0)?, "" | "com.microsoft") {
            opsets.push((opset.string(0)?, opset.i64(1)?));
        }
    }
    rewrite::expand_fused_operators(&mut graph)?;
    Ok(onnx::write(&graph, &opsets))
}
