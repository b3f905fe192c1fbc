// SPDX-License-Identifier: MPL-2.0

//! The in-memory form of a model: a graph of operators in the terms of ONNX.
//!
//! The readers build it and [`crate::onnx`] writes it. Weights are borrowed from the input file where they need no
//! change.

use std::borrow::Cow;
use std::collections::HashMap;

/// The name of a value or node: read from the file, or made up during conversion.
pub type Name<'a> = Cow<'a, str>;

/// `TensorProto.DataType.FLOAT`: 32 bit floating point.
pub const FLOAT: i32 = 1;
/// `TensorProto.DataType.UINT8`.
pub const UINT8: i32 = 2;
/// `TensorProto.DataType.INT8`.
pub const INT8: i32 = 3;

/// A constant tensor, for example the weights of a layer.
#[derive(Debug, Clone, PartialEq)]
pub struct Tensor<'a> {
    pub name: Name<'a>,
    pub dims: Vec<i64>,
    pub data_type: i32,
    /// The elements in row-major order, little endian.
    pub raw_data: Cow<'a, [u8]>,
}

/// The value of a node's attribute.
#[derive(Debug, Clone, PartialEq)]
pub enum Attribute<'a> {
    Float(f32),
    Int(i64),
    String(&'a str),
    Tensor(Tensor<'a>),
    Graph(Graph<'a>),
    Floats(Vec<f32>),
    Ints(Vec<i64>),
    Strings(Vec<&'a str>),
}

/// One application of an operator.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Node<'a> {
    pub name: Name<'a>,
    pub domain: &'a str,
    pub op_type: &'a str,
    /// An optional input that is not given has the empty name.
    pub inputs: Vec<Name<'a>>,
    pub outputs: Vec<Name<'a>>,
    /// Values of this graph that the node's subgraphs use. ONNX does not store them; sorting needs them.
    pub implicit_inputs: Vec<Name<'a>>,
    pub attributes: Vec<(&'a str, Attribute<'a>)>,
}

impl<'a> Node<'a> {
    /// A node of the default operator set with one output.
    pub fn new(op_type: &'a str, inputs: Vec<Name<'a>>, output: Name<'a>) -> Self {
        Self { name: output.clone(), op_type, inputs, outputs: vec![output], ..Self::default() }
    }

    /// Adds an attribute.
    pub fn with(mut self, name: &'a str, value: Attribute<'a>) -> Self {
        self.attributes.push((name, value));
        self
    }

    /// An attribute by name.
    pub fn attribute(&self, name: &str) -> Option<&Attribute<'a>> {
        self.attributes.iter().find(|(key, _)| *key == name).map(|(_, value)| value)
    }
}

/// One dimension of a shape.
#[derive(Debug, Clone, PartialEq)]
pub enum Dimension<'a> {
    Fixed(i64),
    /// Known only when the model runs.
    Symbolic(&'a str),
}

/// Element type and shape of a graph's input or output.
#[derive(Debug, Clone, PartialEq)]
pub struct TensorType<'a> {
    pub data_type: i32,
    pub shape: Vec<Dimension<'a>>,
}

/// A model's graph, or the body of a control flow operator such as `If`.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Graph<'a> {
    pub name: Name<'a>,
    pub nodes: Vec<Node<'a>>,
    pub initializers: Vec<Tensor<'a>>,
    pub inputs: Vec<&'a str>,
    pub outputs: Vec<&'a str>,
    /// Only looked up by name, so that its order cannot reach the output file.
    pub types: HashMap<&'a str, TensorType<'a>>,
}

impl<'a> Graph<'a> {
    /// The graphs directly inside this one.
    pub fn subgraphs_mut(&mut self) -> impl Iterator<Item = &mut Graph<'a>> {
        self.nodes.iter_mut().flat_map(|node| &mut node.attributes).filter_map(|(_, value)| match value {
            Attribute::Graph(graph) => Some(graph),
            _ => None,
        })
    }
}
