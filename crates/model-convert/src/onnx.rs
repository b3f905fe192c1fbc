// SPDX-License-Identifier: MPL-2.0

//! Writes a graph as an ONNX file, which is a Protocol Buffers message.
//!
//! The integers passed to [`Message`]'s methods are field numbers of ONNX's schema, `onnx.proto`. Fields are written in
//! a fixed order: the same graph always gives the same bytes, whose hash `get-models.sh` checks.

use std::collections::HashSet;

use crate::graph::{Attribute, Dimension, Graph, Node, Tensor, TensorType};

/// The version of the file format; 8 is the one that operator set 17 was released with.
const IR_VERSION: i64 = 8;

/// Writes a model. `opsets` are the domains and versions of the operator sets it uses.
pub fn write(graph: &Graph<'_>, opsets: &[(&str, i64)]) -> Vec<u8> {
    let mut model = Message::default();
    model.int(1, IR_VERSION);
    for (domain, version) in opsets {
        model.message(8, |set| {
            set.bytes(1, domain.as_bytes());
            set.int(2, *version);
        });
    }
    model.message(7, |m| write_graph(m, graph));
    model.0
}

fn write_graph(m: &mut Message, graph: &Graph<'_>) {
    for node in &graph.nodes {
        m.message(1, |m| write_node(m, node));
    }
    m.bytes(2, graph.name.as_bytes());
    for tensor in &graph.initializers {
        m.message(5, |m| write_tensor(m, tensor));
    }
    // Up to IR version 3 initializers had to be listed as inputs, too.
    let initializers: HashSet<&str> = graph.initializers.iter().map(|tensor| tensor.name.as_ref()).collect();
    for input in graph.inputs.iter().filter(|input| !initializers.contains(**input)) {
        m.message(11, |m| write_value(m, input, graph.types.get(input)));
    }
    for output in &graph.outputs {
        m.message(12, |m| write_value(m, output, graph.types.get(output)));
    }
}

fn write_node(m: &mut Message, node: &Node<'_>) {
    for input in &node.inputs {
        m.bytes(1, input.as_bytes());
    }
    for output in &node.outputs {
        m.bytes(2, output.as_bytes());
    }
    m.bytes(3, node.name.as_bytes());
    m.bytes(4, node.op_type.as_bytes());
    m.bytes(7, node.domain.as_bytes());
    for (name, value) in &node.attributes {
        m.message(5, |m| write_attribute(m, name, value));
    }
}

fn write_attribute(m: &mut Message, name: &str, value: &Attribute<'_>) {
    m.bytes(1, name.as_bytes());
    let attribute_type = match value {
        Attribute::Float(value) => {
            m.float(2, *value);
            1
        }
        Attribute::Int(value) => {
            m.int(3, *value);
            2
        }
        Attribute::String(string) => {
            m.bytes(4, string.as_bytes());
            3
        }
        Attribute::Tensor(tensor) => {
            m.message(5, |m| write_tensor(m, tensor));
            4
        }
        Attribute::Graph(graph) => {
            m.message(6, |m| write_graph(m, graph));
            5
        }
        Attribute::Floats(values) => {
            values.iter().for_each(|value| m.float(7, *value));
            6
        }
        Attribute::Ints(values) => {
            values.iter().for_each(|value| m.int(8, *value));
            7
        }
        Attribute::Strings(strings) => {
            strings.iter().for_each(|string| m.bytes(9, string.as_bytes()));
            8
        }
    };
    m.int(20, attribute_type);
}

fn write_tensor(m: &mut Message, tensor: &Tensor<'_>) {
    for dim in &tensor.dims {
        m.int(1, *dim);
    }
    m.int(2, tensor.data_type.into());
    m.bytes(8, tensor.name.as_bytes());
    m.bytes(9, &tensor.raw_data);
}

fn write_value(m: &mut Message, name: &str, tensor_type: Option<&TensorType<'_>>) {
    m.bytes(1, name.as_bytes());
    let Some(tensor_type) = tensor_type else { return };
    m.message(2, |m| {
        m.message(1, |m| {
            m.int(1, tensor_type.data_type.into());
            m.message(2, |m| {
                for dimension in &tensor_type.shape {
                    m.message(1, |m| match dimension {
                        Dimension::Fixed(value) => m.int(1, *value),
                        Dimension::Symbolic(name) => m.bytes(2, name.as_bytes()),
                    });
                }
            });
        });
    });
}

/// A Protocol Buffers message that is being encoded.
#[derive(Default)]
struct Message(Vec<u8>);

impl Message {
    fn varint(&mut self, mut value: u64) {
        while value >= 0x80 {
            self.0.push((value & 0x7f) as u8 | 0x80);
            value >>= 7;
        }
        self.0.push(value as u8);
    }

    fn tag(&mut self, field: u64, wire_type: u64) {
        self.varint(field << 3 | wire_type);
    }

    fn int(&mut self, field: u64, value: i64) {
        self.tag(field, 0);
        self.varint(value.cast_unsigned());
    }

    fn float(&mut self, field: u64, value: f32) {
        self.tag(field, 5);
        self.0.extend_from_slice(&value.to_le_bytes());
    }

    fn bytes(&mut self, field: u64, bytes: &[u8]) {
        self.tag(field, 2);
        self.varint(bytes.len() as u64);
        self.0.extend_from_slice(bytes);
    }

    fn message(&mut self, field: u64, write: impl FnOnce(&mut Message)) {
        let mut inner = Message::default();
        write(&mut inner);
        self.bytes(field, &inner.0);
    }
}
