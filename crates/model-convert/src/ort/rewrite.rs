// SPDX-License-Identifier: MPL-2.0

//! Replaces ONNX Runtime's fused operators by operators of the ONNX standard.
//!
//! Before ONNX Runtime writes an `.ort` file it fuses neighbouring operators into operators of its own, in the domain
//! `com.microsoft`. Those that the server's runtime (rten) does not implement are expanded here. Quantized weights are
//! changed from unsigned to signed bytes at the same time, because rten multiplies those fastest.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};

use crate::graph::{Attribute, FLOAT, Graph, INT8, Name, Node, Tensor, UINT8};
use crate::ort::flatbuffer::Malformed;

/// Rewrites a graph and its subgraphs.
pub fn expand_fused_operators(graph: &mut Graph<'_>) -> Result<(), Malformed> {
    let mut weights = HashSet::new();
    rewrite(graph, "main", &mut weights)?;
    signed_weights(graph, &weights);
    Ok(())
}

/// Expands the fused operators, and collects the names of the quantized weights and their zero points.
fn rewrite<'a>(graph: &mut Graph<'a>, path: &str, weights: &mut HashSet<Name<'a>>) -> Result<(), Malformed> {
    for (index, subgraph) in graph.subgraphs_mut().enumerate() {
        rewrite(subgraph, &format!("{path}.{index}"), weights)?;
    }
    let mut expansion = Expansion { path, names: 0, nodes: Vec::new(), initializers: Vec::new() };
    for node in std::mem::take(&mut graph.nodes) {
        match (node.domain, node.op_type) {
            ("com.microsoft", "DynamicQuantizeMatMul") => expansion.quantize_multiply(node, weights)?,
            ("com.microsoft", "MatMulIntegerToFloat") => expansion.multiply_integers(node, weights)?,
            ("com.microsoft", "FusedMatMul") => expansion.fused_multiply(node)?,
            ("com.microsoft", "FusedConv") => expansion.fused_convolution(node)?,
            _ => expansion.nodes.push(node),
        }
    }
    graph.initializers.extend(expansion.initializers);
    graph.nodes = sorted(expansion.nodes)?;
    Ok(())
}

/// The new nodes of a graph.
struct Expansion<'a, 'p> {
    /// The graph's place in the model, which makes new names unique.
    path: &'p str,
    /// How many names were made.
    names: usize,
    nodes: Vec<Node<'a>>,
    initializers: Vec<Tensor<'a>>,
}

/// The inputs of a quantized matrix multiplication.
struct Quantized<'a> {
    left: Name<'a>,
    left_scale: Name<'a>,
    left_zero: Name<'a>,
    right: Name<'a>,
    right_scale: Name<'a>,
    right_zero: Name<'a>,
    bias: Name<'a>,
}

impl<'a> Expansion<'a, '_> {
    /// A new unique name.
    fn fresh(&mut self, what: &str) -> Name<'a> {
        self.names += 1;
        Cow::Owned(format!("{}/standard/{what}.{}", self.path, self.names))
    }

    /// Adds a node and returns the name of its output.
    fn push(&mut self, op_type: &'a str, inputs: Vec<Name<'a>>, what: &str) -> Name<'a> {
        let output = self.fresh(what);
        self.nodes.push(Node::new(op_type, inputs, output.clone()));
        output
    }

    /// `DynamicQuantizeMatMul`: quantizes the left matrix, then multiplies.
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

    /// `MatMulIntegerToFloat`: the left matrix is quantized already.
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

    /// `(left - left_zero) * (right - right_zero) * left_scale * right_scale + bias`
    fn multiply(&mut self, q: Quantized<'a>, output: Name<'a>, weights: &mut HashSet<Name<'a>>) {
        let mut inputs = vec![q.left, q.right, q.left_zero];
        if !q.right_zero.is_empty() {
            weights.extend([inputs[1].clone(), q.right_zero.clone()]);
            inputs.push(q.right_zero);
        }
        let product = self.push("MatMulInteger", inputs, "product");
        let float = self.fresh("float");
        self.nodes.push(Node::new("Cast", vec![product], float.clone()).with("to", Attribute::Int(FLOAT.into())));
        let scale = self.push("Mul", vec![q.left_scale, q.right_scale], "scale");
        if q.bias.is_empty() {
            self.nodes.push(Node::new("Mul", vec![float, scale], output));
        } else {
            let scaled = self.push("Mul", vec![float, scale], "scaled");
            self.nodes.push(Node::new("Add", vec![scaled, q.bias], output));
        }
    }

    /// `FusedMatMul`: a matrix product multiplied by `alpha`, the right matrix optionally transposed.
    fn fused_multiply(&mut self, node: Node<'a>) -> Result<(), Malformed> {
        let on = |name| matches!(node.attribute(name), Some(Attribute::Int(value)) if *value != 0);
        if on("transA") || on("transBatchA") || on("transBatchB") {
            return Err(Malformed("FusedMatMul is transposed in a way that is not supported"));
        }
        let factor = match node.attribute("alpha") {
            Some(Attribute::Float(factor)) => *factor,
            _ => 1.0,
        };
        let mut right = input(&node, 1);
        if on("transB") {
            let transposed = self.fresh("transposed");
            // Used in attention layers only, where the dimensions are batch, head, row, column.
            let order = Attribute::Ints(vec![0, 1, 3, 2]);
            self.nodes.push(Node::new("Transpose", vec![right], transposed.clone()).with("perm", order));
            right = transposed;
        }
        let product = self.push("MatMul", vec![input(&node, 0), right], "product");
        let name = self.fresh("factor");
        let raw_data = Cow::Owned(factor.to_le_bytes().to_vec());
        self.initializers.push(Tensor { name: name.clone(), dims: Vec::new(), data_type: FLOAT, raw_data });
        self.nodes.push(Node::new("Mul", vec![product, name], output(node)?));
        Ok(())
    }

    /// `FusedConv`: a convolution followed by an activation function.
    fn fused_convolution(&mut self, mut node: Node<'a>) -> Result<(), Malformed> {
        let Some(&Attribute::String(activation)) = node.attribute("activation") else {
            return Err(Malformed("FusedConv has no activation"));
        };
        if node.inputs.len() > 3 || node.attribute("activation_params").is_some() {
            return Err(Malformed("FusedConv has inputs or parameters that are not supported"));
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

/// An input by index; the empty name when it is not given.
fn input<'a>(node: &Node<'a>, index: usize) -> Name<'a> {
    node.inputs.get(index).cloned().unwrap_or_default()
}

fn output<'a>(node: Node<'a>) -> Result<Name<'a>, Malformed> {
    node.outputs.into_iter().next().ok_or(Malformed("a node has no output"))
}

/// Sorts the nodes topologically, as ONNX requires. Depends on nothing but the order of the nodes in the file.
fn sorted<'a>(nodes: Vec<Node<'a>>) -> Result<Vec<Node<'a>>, Malformed> {
    let mut missing_inputs = vec![0_usize; nodes.len()];
    let mut consumers: Vec<Vec<usize>> = vec![Vec::new(); nodes.len()];
    {
        let producer: HashMap<&str, usize> =
            nodes.iter().enumerate().flat_map(|(i, node)| node.outputs.iter().map(move |o| (o.as_ref(), i))).collect();
        for (index, node) in nodes.iter().enumerate() {
            for name in node.inputs.iter().chain(&node.implicit_inputs).filter(|name| !name.is_empty()) {
                if let Some(&producer) = producer.get(name.as_ref()) {
                    missing_inputs[index] += 1;
                    consumers[producer].push(index);
                }
            }
        }
    }
    let mut ready: Vec<usize> = (0..nodes.len()).rev().filter(|&index| missing_inputs[index] == 0).collect();
    let mut nodes: Vec<Option<Node<'a>>> = nodes.into_iter().map(Some).collect();
    let mut order = Vec::with_capacity(nodes.len());
    while let Some(index) = ready.pop() {
        order.extend(nodes[index].take());
        for &next in &consumers[index] {
            missing_inputs[next] -= 1;
            if missing_inputs[next] == 0 {
                ready.push(next);
            }
        }
    }
    if order.len() < nodes.len() {
        return Err(Malformed("the nodes form a cycle"));
    }
    Ok(order)
}

/// Subtracts 128 from unsigned weights and their zero points. Since only their difference is used, products stay the same.
fn signed_weights<'a>(graph: &mut Graph<'a>, weights: &HashSet<Name<'a>>) {
    for tensor in &mut graph.initializers {
        if tensor.data_type == UINT8 && weights.contains(&tensor.name) {
            tensor.raw_data = tensor.raw_data.iter().map(|byte| byte.wrapping_sub(128)).collect();
            tensor.data_type = INT8;
        }
    }
    for subgraph in graph.subgraphs_mut() {
        signed_weights(subgraph, weights);
    }
}
