// SPDX-License-Identifier: MPL-2.0

//! Writes a graph as an ONNX file, which is a Protocol Buffers message.
//!
//! Only the few field kinds that ONNX uses are written: numbers, floats and things with a length. The constants are
//! the field numbers of ONNX's schema (`onnx.proto`).

use std::collections::HashSet;

use crate::speech::ort::graph::{Graph, Node, Shape, Side, Tensor, Value};

/// The version of the file format itself; 8 belongs to the operator sets of these models.
const IR_VERSION: i64 = 8;

/// Writes a whole model. `operators` are the operator sets and their versions.
pub fn write(graph: &Graph<'_>, operators: &[(&str, i64)]) -> Vec<u8> {
    let mut model = Message::default();
    model.int(1, IR_VERSION);
    for (domain, version) in operators {
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
    for tensor in &graph.tensors {
        m.message(5, |m| write_tensor(m, tensor));
    }
    // Old files list the weights among the inputs.
    let weights: HashSet<&str> = graph.tensors.iter().map(|tensor| tensor.name.as_ref()).collect();
    for input in graph.inputs.iter().filter(|input| !weights.contains(**input)) {
        m.message(11, |m| write_value(m, input, graph.shapes.get(input)));
    }
    for output in &graph.outputs {
        m.message(12, |m| write_value(m, output, graph.shapes.get(output)));
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
    m.bytes(4, node.op.as_bytes());
    m.bytes(7, node.domain.as_bytes());
    for (name, value) in &node.attributes {
        m.message(5, |m| write_attribute(m, name, value));
    }
}

fn write_attribute(m: &mut Message, name: &str, value: &Value<'_>) {
    m.bytes(1, name.as_bytes());
    let kind = match value {
        Value::Float(value) => {
            m.float(2, *value);
            1
        }
        Value::Int(value) => {
            m.int(3, *value);
            2
        }
        Value::Text(text) => {
            m.bytes(4, text.as_bytes());
            3
        }
        Value::Tensor(tensor) => {
            m.message(5, |m| write_tensor(m, tensor));
            4
        }
        Value::Graph(graph) => {
            m.message(6, |m| write_graph(m, graph));
            5
        }
        Value::Floats(values) => {
            values.iter().for_each(|value| m.float(7, *value));
            6
        }
        Value::Ints(values) => {
            values.iter().for_each(|value| m.int(8, *value));
            7
        }
        Value::Texts(texts) => {
            texts.iter().for_each(|text| m.bytes(9, text.as_bytes()));
            8
        }
    };
    m.int(20, kind);
}

fn write_tensor(m: &mut Message, tensor: &Tensor<'_>) {
    for side in &tensor.dims {
        m.int(1, *side);
    }
    m.int(2, tensor.kind.into());
    m.bytes(8, tensor.name.as_bytes());
    m.bytes(9, &tensor.raw);
}

fn write_value(m: &mut Message, name: &str, shape: Option<&Shape<'_>>) {
    m.bytes(1, name.as_bytes());
    let Some(shape) = shape else { return };
    m.message(2, |kind| {
        kind.message(1, |tensor| {
            tensor.int(1, shape.kind.into());
            tensor.message(2, |sides| {
                for side in &shape.sides {
                    sides.message(1, |m| match side {
                        Side::Fixed(value) => m.int(1, *value),
                        Side::Named(name) => m.bytes(2, name.as_bytes()),
                    });
                }
            });
        });
    });
}

/// A Protocol Buffers message in the making.
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

    fn key(&mut self, field: u64, wire: u64) {
        self.varint(field << 3 | wire);
    }

    fn int(&mut self, field: u64, value: i64) {
        self.key(field, 0);
        self.varint(value.cast_unsigned());
    }

    fn float(&mut self, field: u64, value: f32) {
        self.key(field, 5);
        self.0.extend_from_slice(&value.to_le_bytes());
    }

    fn bytes(&mut self, field: u64, bytes: &[u8]) {
        self.key(field, 2);
        self.varint(bytes.len() as u64);
        self.0.extend_from_slice(bytes);
    }

    fn message(&mut self, field: u64, write: impl FnOnce(&mut Message)) {
        let mut inner = Message::default();
        write(&mut inner);
        self.bytes(field, &inner.0);
    }
}
