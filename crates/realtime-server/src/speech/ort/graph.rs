// SPDX-License-Identifier: MPL-2.0

//! A neural network as data: operations, the names that connect them, and the weights.
//!
//! The numbers in [`Graph::read`] are the field numbers of ONNX Runtime's schema for its own file format (`ort.fbs`).
//! Weights stay where they are, in the file's bytes: only what has to change is copied.

use std::borrow::Cow;
use std::collections::HashMap;

use crate::speech::ort::flatbuffer::{Malformed, Table};

/// A name of the file, or one that was made up beside them.
pub type Name<'a> = Cow<'a, str>;

/// Graphs may hold graphs (the branches of an `If`); honest files nest two or three deep.
const MAX_DEPTH: usize = 8;

/// The number of a 32 bit floating point type in ONNX, for weights and for `Cast`.
pub const FLOAT: i32 = 1;
/// The number of the unsigned byte type in ONNX.
pub const UINT8: i32 = 2;
/// The number of the signed byte type in ONNX.
pub const INT8: i32 = 3;

/// Weights, or any other constant.
#[derive(Debug, Clone, PartialEq)]
pub struct Tensor<'a> {
    pub name: Name<'a>,
    pub dims: Vec<i64>,
    pub kind: i32,
    pub raw: Cow<'a, [u8]>,
}

/// A setting of an operation.
#[derive(Debug, Clone, PartialEq)]
pub enum Value<'a> {
    Float(f32),
    Int(i64),
    Text(&'a str),
    Tensor(Tensor<'a>),
    Graph(Graph<'a>),
    Floats(Vec<f32>),
    Ints(Vec<i64>),
    Texts(Vec<&'a str>),
}

/// One operation.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Node<'a> {
    pub name: Name<'a>,
    pub domain: &'a str,
    pub op: &'a str,
    pub inputs: Vec<Name<'a>>,
    pub outputs: Vec<Name<'a>>,
    /// What the graphs inside this operation take from outside.
    pub captured: Vec<Name<'a>>,
    pub attributes: Vec<(&'a str, Value<'a>)>,
}

impl<'a> Node<'a> {
    /// An operation of the standard set.
    pub fn new(op: &'a str, inputs: Vec<Name<'a>>, output: Name<'a>) -> Self {
        Self { name: output.clone(), op, inputs, outputs: vec![output], ..Self::default() }
    }

    /// The same with one more setting.
    pub fn with(mut self, name: &'a str, value: Value<'a>) -> Self {
        self.attributes.push((name, value));
        self
    }

    /// A setting by name.
    pub fn attribute(&self, name: &str) -> Option<&Value<'a>> {
        self.attributes.iter().find(|(key, _)| *key == name).map(|(_, value)| value)
    }
}

/// One side of a tensor's shape.
#[derive(Debug, Clone, PartialEq)]
pub enum Side<'a> {
    Fixed(i64),
    Named(&'a str),
}

/// Type and shape of a graph's input or output.
#[derive(Debug, Clone, PartialEq)]
pub struct Shape<'a> {
    pub kind: i32,
    pub sides: Vec<Side<'a>>,
}

/// A network, or a branch of one.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Graph<'a> {
    pub name: Name<'a>,
    pub nodes: Vec<Node<'a>>,
    pub tensors: Vec<Tensor<'a>>,
    pub inputs: Vec<&'a str>,
    pub outputs: Vec<&'a str>,
    pub shapes: HashMap<&'a str, Shape<'a>>,
}

impl<'a> Graph<'a> {
    /// Reads a graph and all graphs inside it.
    pub fn read(table: Table<'_, 'a>, name: &'a str) -> Result<Self, Malformed> {
        read_graph(table, name, 0)
    }

    /// The graphs directly inside this one.
    pub fn inner_mut(&mut self) -> impl Iterator<Item = &mut Graph<'a>> {
        self.nodes.iter_mut().flat_map(|node| &mut node.attributes).filter_map(|(_, value)| match value {
            Value::Graph(graph) => Some(graph),
            _ => None,
        })
    }
}

fn read_graph<'a>(table: Table<'_, 'a>, name: &'a str, depth: usize) -> Result<Graph<'a>, Malformed> {
    if depth > MAX_DEPTH {
        return Err(Malformed("graphs are nested too deep"));
    }
    let mut shapes = HashMap::new();
    for value in table.tables(1)? {
        if let Some(shape) = read_shape(value)? {
            shapes.insert(value.text(0)?, shape);
        }
    }
    Ok(Graph {
        name: name.into(),
        nodes: table.tables(2)?.into_iter().map(|node| read_node(node, depth)).collect::<Result<_, _>>()?,
        tensors: table.tables(0)?.into_iter().map(read_tensor).collect::<Result<_, _>>()?,
        inputs: table.texts(5)?,
        outputs: table.texts(6)?,
        shapes,
    })
}

fn read_node<'a>(table: Table<'_, 'a>, depth: usize) -> Result<Node<'a>, Malformed> {
    let names = |number| Ok(table.texts(number)?.into_iter().map(Name::Borrowed).collect());
    Ok(Node {
        name: table.text(0)?.into(),
        domain: table.text(2)?,
        op: table.text(5)?,
        inputs: names(8)?,
        outputs: names(9)?,
        captured: names(12)?,
        attributes: table
            .tables(10)?
            .into_iter()
            .map(|attribute| read_attribute(attribute, depth))
            .collect::<Result<_, _>>()?,
    })
}

fn read_attribute<'a>(table: Table<'_, 'a>, depth: usize) -> Result<(&'a str, Value<'a>), Malformed> {
    let name = table.text(0)?;
    let value = match table.i32(2)? {
        1 => Value::Float(table.f32(3)?),
        2 => Value::Int(table.i64(4)?),
        3 => Value::Text(table.text(5)?),
        4 => Value::Tensor(read_tensor(table.table(6)?.ok_or(Malformed("a constant has no value"))?)?),
        5 => Value::Graph(read_graph(table.table(7)?.ok_or(Malformed("a branch has no graph"))?, name, depth + 1)?),
        6 => Value::Floats(table.f32s(8)?),
        7 => Value::Ints(table.i64s(9)?),
        8 => Value::Texts(table.texts(10)?),
        _ => return Err(Malformed("a setting is of an unknown kind")),
    };
    Ok((name, value))
}

fn read_tensor<'a>(table: Table<'_, 'a>) -> Result<Tensor<'a>, Malformed> {
    Ok(Tensor { name: table.text(0)?.into(), dims: table.i64s(2)?, kind: table.i32(3)?, raw: table.bytes(4)?.into() })
}

/// The shape of a value, `None` when it is no tensor or says nothing.
fn read_shape<'a>(value: Table<'_, 'a>) -> Result<Option<Shape<'a>>, Malformed> {
    const TENSOR: u8 = 1;
    let Some(kind) = value.table(2)? else { return Ok(None) };
    if kind.u8(1)? != TENSOR {
        return Ok(None);
    }
    let Some(tensor) = kind.table(2)? else { return Ok(None) };
    let mut sides = Vec::new();
    if let Some(shape) = tensor.table(1)? {
        for dimension in shape.tables(0)? {
            sides.push(match dimension.table(0)? {
                Some(side) if !side.text(2)?.is_empty() => Side::Named(side.text(2)?),
                Some(side) => Side::Fixed(side.i64(1)?),
                None => Side::Fixed(0),
            });
        }
    }
    Ok(Some(Shape { kind: tensor.i32(0)?, sides }))
}
