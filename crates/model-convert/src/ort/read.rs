// SPDX-License-Identifier: MPL-2.0

//! Reads the graph of an `.ort` file.
//!
//! The numbers passed to [`Table`]'s methods are field numbers of ONNX Runtime's FlatBuffers schema, `ort.fbs`.

use std::collections::HashMap;

use crate::graph::{Attribute, Dimension, Graph, Name, Node, Tensor, TensorType};
use crate::ort::flatbuffer::{Malformed, Table};

/// Limits recursion on a crafted file. Real models nest two or three graphs.
const MAX_DEPTH: usize = 8;

/// Reads a graph and its subgraphs.
pub fn graph<'a>(table: Table<'_, 'a>, name: &'a str) -> Result<Graph<'a>, Malformed> {
    read_graph(table, name, 0)
}

fn read_graph<'a>(table: Table<'_, 'a>, name: &'a str, depth: usize) -> Result<Graph<'a>, Malformed> {
    if depth > MAX_DEPTH {
        return Err(Malformed("graphs are nested too deeply"));
    }
    let mut types = HashMap::new();
    for value in table.tables(1)? {
        if let Some(tensor_type) = read_type(value)? {
            types.insert(value.string(0)?, tensor_type);
        }
    }
    Ok(Graph {
        name: name.into(),
        nodes: table.tables(2)?.into_iter().map(|node| read_node(node, depth)).collect::<Result<_, _>>()?,
        initializers: table.tables(0)?.into_iter().map(read_tensor).collect::<Result<_, _>>()?,
        inputs: table.strings(5)?,
        outputs: table.strings(6)?,
        types,
    })
}

fn read_node<'a>(table: Table<'_, 'a>, depth: usize) -> Result<Node<'a>, Malformed> {
    let names = |field| Ok(table.strings(field)?.into_iter().map(Name::Borrowed).collect());
    Ok(Node {
        name: table.string(0)?.into(),
        domain: table.string(2)?,
        op_type: table.string(5)?,
        inputs: names(8)?,
        outputs: names(9)?,
        implicit_inputs: names(12)?,
        attributes: table
            .tables(10)?
            .into_iter()
            .map(|attribute| read_attribute(attribute, depth))
            .collect::<Result<_, _>>()?,
    })
}

fn read_attribute<'a>(table: Table<'_, 'a>, depth: usize) -> Result<(&'a str, Attribute<'a>), Malformed> {
    let name = table.string(0)?;
    let value = match table.i32(2)? {
        1 => Attribute::Float(table.f32(3)?),
        2 => Attribute::Int(table.i64(4)?),
        3 => Attribute::String(table.string(5)?),
        4 => Attribute::Tensor(read_tensor(table.table(6)?.ok_or(Malformed("a tensor attribute has no value"))?)?),
        5 => {
            let subgraph = table.table(7)?.ok_or(Malformed("a graph attribute has no graph"))?;
            Attribute::Graph(read_graph(subgraph, name, depth + 1)?)
        }
        6 => Attribute::Floats(table.f32s(8)?),
        7 => Attribute::Ints(table.i64s(9)?),
        8 => Attribute::Strings(table.strings(10)?),
        _ => return Err(Malformed("an attribute has an unknown type")),
    };
    Ok((name, value))
}

fn read_tensor<'a>(table: Table<'_, 'a>) -> Result<Tensor<'a>, Malformed> {
    Ok(Tensor {
        name: table.string(0)?.into(),
        dims: table.i64s(2)?,
        data_type: table.i32(3)?,
        raw_data: table.bytes(4)?.into(),
    })
}

/// The type of a value; `None` when it is not a tensor or the file does not say.
fn read_type<'a>(value: Table<'_, 'a>) -> Result<Option<TensorType<'a>>, Malformed> {
    const TENSOR: u8 = 1;
    let Some(info) = value.table(2)? else { return Ok(None) };
    if info.u8(1)? != TENSOR {
        return Ok(None);
    }
    let Some(tensor) = info.table(2)? else { return Ok(None) };
    let mut shape = Vec::new();
    if let Some(dimensions) = tensor.table(1)? {
        for dimension in dimensions.tables(0)? {
            shape.push(match dimension.table(0)? {
                Some(value) if !value.string(2)?.is_empty() => Dimension::Symbolic(value.string(2)?),
                Some(value) => Dimension::Fixed(value.i64(1)?),
                None => Dimension::Fixed(0),
            });
        }
    }
    Ok(Some(TensorType { data_type: tensor.i32(0)?, shape }))
}
