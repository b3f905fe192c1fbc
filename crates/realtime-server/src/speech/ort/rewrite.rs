// SPDX-License-Identifier: MPL-2.0

//! Turns ONNX Runtime's own operations into ones that other runtimes know.
//!
//! When ONNX Runtime writes its own file format it first fuses neighbouring operations into its own, faster ones
//! (`com.microsoft`). Those that the runtime used here does not know are taken apart again into standard ones. Weights in unsigned bytes become signed bytes on the way, which is what the runtime multiplies fastest.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};

use crate::speech::ort::flatbuffer::Malformed;
use crate::speech::ort::graph::{FLOAT, Graph, INT8, Name, Node, Tensor, UINT8, Value};

/// Rewrites a graph and all graphs inside it.
pub fn standard_ops(graph: &mut Graph<'_>) -> Result<(), Malformed> {
    let mut weights = HashSet::new();
    rewrite(graph, "main", &mut weights)?;
    signed_weights(graph, &weights);
    Ok(())
}

/// Takes the fused operations apart, and remembers which weights they multiply with.
fn rewrite<'a>(graph: &mut Graph<'a>, path: &str, weights: &mut HashSet<Name<'a>>) -> Result<(), Malformed> {
    for (index, inner) in graph.inner_mut().enumerate() {
        rewrite(inner, &format!("{path}.{index}"), weights)?;
    }
    let mut parts = Parts { path, made: 0, nodes: Vec::new(), tensors: Vec::new() };
    for node in std::mem::take(&mut graph.nodes) {
        match (node.domain, node.op) {
            ("com.microsoft", "DynamicQuantizeMatMul") => parts.quantize_multiply(node, weights)?,
            ("com.microsoft", "MatMulIntegerToFloat") => parts.multiply_integers(node, weights)?,
            ("com.microsoft", "FusedMatMul") => parts.fused_multiply(node)?,
            ("com.microsoft", "FusedConv") => parts.fused_convolution(node)?,
            _ => parts.nodes.push(node),
        }
    }
    graph.tensors.extend(parts.tensors);
    graph.nodes = in_order(parts.nodes)?;
    Ok(())
}

/// What a graph's operations turn into.
struct Parts<'a, 'p> {
    path: &'p str,
    made: usize,
    nodes: Vec<Node<'a>>,
    tensors: Vec<Tensor<'a>>,
}

/// The inputs of an integer multiplication, in ONNX Runtime's order.
struct Quantized<'a> {
    left: Name<'a>,
    left_scale: Name<'a>,
    left_zero: Name<'a>,
    right: Name<'a>,
    right_scale: Name<'a>,
    right_zero: Name<'a>,
    bias: Name<'a>,
}

impl<'a> Parts<'a, '_> {
    /// A name that no other value has.
    fn fresh(&mut self, what: &str) -> Name<'a> {
        self.made += 1;
        Cow::Owned(format!("{}/standard/{what}.{}", self.path, self.made))
    }

    fn push(&mut self, op: &'a str, inputs: Vec<Name<'a>>, what: &str) -> Name<'a> {
        let output = self.fresh(what);
        self.nodes.push(Node::new(op, inputs, output.clone()));
        output
    }

    /// `DynamicQuantizeMatMul`: quantize the left side, then as below.
    fn quantize_multiply(&mut self, node: Node<'a>, weights: &mut HashSet<Name<'a>>) -> Result<(), Malformed> {
        let (left, left_scale, left_zero) = (self.fresh("bytes"), self.fresh("scale"), self.fresh("zero"));
        let mut quantize = Node::new("DynamicQuantizeLinear", vec![input(&node, 0)], left.clone());
        quantize.outputs.extend([left_scale.clone(), left_zero.clone()]);
        self.nodes.push(quantize);
        let quantized = Quantized {
            left,
            left_scale,
            left_zero,
            right: input(&node, 1),
            right_scale: input(&node, 2),
            right_zero: input(&node, 3),
            bias: input(&node, 4),
        };
        self.multiply(quantized, output(node)?, weights);
        Ok(())
    }

    /// `MatMulIntegerToFloat`: the left side is quantized already.
    fn multiply_integers(&mut self, node: Node<'a>, weights: &mut HashSet<Name<'a>>) -> Result<(), Malformed> {
        let quantized = Quantized {
            left: input(&node, 0),
            right: input(&node, 1),
            left_scale: input(&node, 2),
            right_scale: input(&node, 3),
            left_zero: input(&node, 4),
            right_zero: input(&node, 5),
            bias: input(&node, 6),
        };
        self.multiply(quantized, output(node)?, weights);
        Ok(())
    }

    /// `(left - zero) * (right - zero) * scales + bias`
    fn multiply(&mut self, q: Quantized<'a>, output: Name<'a>, weights: &mut HashSet<Name<'a>>) {
        let mut inputs = vec![q.left, q.right, q.left_zero];
        if !q.right_zero.is_empty() {
            weights.extend([inputs[1].clone(), q.right_zero.clone()]);
            inputs.push(q.right_zero);
        }
        let product = self.push("MatMulInteger", inputs, "product");
        let float = self.fresh("float");
        self.nodes.push(Node::new("Cast", vec![product], float.clone()).with("to", Value::Int(FLOAT.into())));
        let scale = self.push("Mul", vec![q.left_scale, q.right_scale], "scale");
        if q.bias.is_empty() {
            self.nodes.push(Node::new("Mul", vec![float, scale], output));
        } else {
            let scaled = self.push("Mul", vec![float, scale], "scaled");
            self.nodes.push(Node::new("Add", vec![scaled, q.bias], output));
        }
    }

    /// `FusedMatMul`: a product with a factor, the right side perhaps transposed.
    fn fused_multiply(&mut self, node: Node<'a>) -> Result<(), Malformed> {
        let on = |name| matches!(node.attribute(name), Some(Value::Int(value)) if *value != 0);
        if on("transA") || on("transBatchA") || on("transBatchB") {
            return Err(Malformed("a fused product is transposed in an unknown way"));
        }
        let factor = match node.attribute("alpha") {
            Some(Value::Float(factor)) => *factor,
            _ => 1.0,
        };
        let mut right = input(&node, 1);
        if on("transB") {
            let transposed = self.fresh("transposed");
            // The fused products of attention layers have four sides: batch, head, row, column.
            let order = Value::Ints(vec![0, 1, 3, 2]);
            self.nodes.push(Node::new("Transpose", vec![right], transposed.clone()).with("perm", order));
            right = transposed;
        }
        let product = self.push("MatMul", vec![input(&node, 0), right], "product");
        let name = self.fresh("factor");
        let raw = Cow::Owned(factor.to_le_bytes().to_vec());
        self.tensors.push(Tensor { name: name.clone(), dims: Vec::new(), kind: FLOAT, raw });
        self.nodes.push(Node::new("Mul", vec![product, name], output(node)?));
        Ok(())
    }

    /// `FusedConv`: a convolution with the activation behind it.
    fn fused_convolution(&mut self, mut node: Node<'a>) -> Result<(), Malformed> {
        let Some(&Value::Text(activation)) = node.attribute("activation") else {
            return Err(Malformed("a fused convolution has no activation"));
        };
        if node.inputs.len() > 3 || node.attribute("activation_params").is_some() {
            return Err(Malformed("a fused convolution does more than is known"));
        }
        let inputs = std::mem::take(&mut node.inputs);
        let attributes = std::mem::take(&mut node.attributes);
        let convolved = self.push("Conv", inputs, "convolved");
        if let Some(convolution) = self.nodes.last_mut() {
            convolution.attributes = attributes.into_iter().filter(|(name, _)| *name != "activation").collect();
        }
        self.nodes.push(Node::new(activation, vec![convolved], output(node)?));
        Ok(())
    }
}

/// An input by number; one that is absent has the empty name.
fn input<'a>(node: &Node<'a>, number: usize) -> Name<'a> {
    node.inputs.get(number).cloned().unwrap_or_default()
}

fn output<'a>(node: Node<'a>) -> Result<Name<'a>, Malformed> {
    node.outputs.into_iter().next().ok_or(Malformed("an operation has no output"))
}

/// Sorts so that every operation stands behind those whose results it takes, which ONNX asks for.
fn in_order<'a>(nodes: Vec<Node<'a>>) -> Result<Vec<Node<'a>>, Malformed> {
    let mut waits_for = vec![0_usize; nodes.len()];
    let mut wait_for_me: Vec<Vec<usize>> = vec![Vec::new(); nodes.len()];
    {
        let maker: HashMap<&str, usize> =
            nodes.iter().enumerate().flat_map(|(i, node)| node.outputs.iter().map(move |o| (o.as_ref(), i))).collect();
        for (index, node) in nodes.iter().enumerate() {
            for name in node.inputs.iter().chain(&node.captured).filter(|name| !name.is_empty()) {
                if let Some(&maker) = maker.get(name.as_ref()) {
                    waits_for[index] += 1;
                    wait_for_me[maker].push(index);
                }
            }
        }
    }
    let mut ready: Vec<usize> = (0..nodes.len()).rev().filter(|&index| waits_for[index] == 0).collect();
    let mut nodes: Vec<Option<Node<'a>>> = nodes.into_iter().map(Some).collect();
    let mut sorted = Vec::with_capacity(nodes.len());
    while let Some(index) = ready.pop() {
        sorted.extend(nodes[index].take());
        for &next in &wait_for_me[index] {
            waits_for[next] -= 1;
            if waits_for[next] == 0 {
                ready.push(next);
            }
        }
    }
    if sorted.len() < nodes.len() {
        return Err(Malformed("operations wait for one another in a circle"));
    }
    Ok(sorted)
}

/// Moves unsigned weights, and their zero points with them, by 128: the products stay the same.
fn signed_weights<'a>(graph: &mut Graph<'a>, weights: &HashSet<Name<'a>>) {
    for tensor in &mut graph.tensors {
        if tensor.kind == UINT8 && weights.contains(&tensor.name) {
            tensor.raw = tensor.raw.iter().map(|byte| byte.wrapping_sub(128)).collect();
            tensor.kind = INT8;
        }
    }
    for inner in graph.inner_mut() {
        signed_weights(inner, weights);
    }
}
