// SPDX-License-Identifier: MPL-2.0

//! Builds the ONNX graph of the image classifier EfficientNet-Lite0 around its published weights.
//!
//! A PyTorch file holds weights only, so the architecture is written here: "EfficientNet" (Tan and Le, 2019) without
//! squeeze-and-excitation and with ReLU6 activations. Batch normalisation is folded into the convolution before it.

use std::borrow::Cow;
use std::collections::HashMap;

use anyhow::{Result, bail, ensure};

use crate::graph::{Attribute, Dimension, FLOAT, Graph, Name, Node, Tensor as Initializer, TensorType};
use crate::onnx;
use crate::pytorch::{Tensor, Weights};

/// Width and height of the input image.
const IMAGE_SIZE: usize = 224;
/// The number of ImageNet classes.
const CLASSES: usize = 1000;
/// Names of the model's input and output, which the server looks up.
const INPUT: &str = "image";
const OUTPUT: &str = "probabilities";

/// Each stage: number of blocks, kernel size, stride of the first block, expansion ratio, output channels.
const STAGES: [(usize, usize, usize, usize, usize); 7] = [
    (1, 3, 1, 1, 16),
    (2, 3, 2, 6, 24),
    (2, 5, 2, 6, 40),
    (3, 3, 2, 6, 80),
    (3, 5, 1, 6, 112),
    (4, 5, 2, 6, 192),
    (1, 3, 1, 6, 320),
];
/// Batch normalisation's epsilon.
const EPSILON: f32 = 1e-3;
/// The version of the ONNX operator set.
const OPSET: i64 = 17;

/// Builds the model.
pub fn to_onnx(weights: &Weights) -> Result<Vec<u8>> {
    let mut builder = Builder { weights, graph: Graph::default(), size: IMAGE_SIZE };
    builder.constant("zero", &[], &[0.0]);
    builder.constant("six", &[], &[6.0]);
    let stem = Convolution { weights: "_conv_stem".into(), norm: "_bn0".into(), stride: 2, activated: true };
    let mut value = builder.convolve(INPUT.into(), &stem)?;
    let (mut channels, mut number) = (32, 0);
    for (blocks, kernel, first_stride, expansion, out) in STAGES {
        for block in 0..blocks {
            let stride = if block == 0 { first_stride } else { 1 };
            let shape = Block { number, kernel, stride, expands: expansion > 1, adds: stride == 1 && channels == out };
            value = builder.block(value, &shape)?;
            channels = out;
            number += 1;
        }
    }
    let head = Convolution { weights: "_conv_head".into(), norm: "_bn1".into(), stride: 1, activated: true };
    value = builder.convolve(value, &head)?;
    builder.classify(value)?;
    Ok(onnx::write(&builder.graph, &[("", OPSET)]))
}

/// A convolution followed by batch normalisation.
struct Convolution {
    /// The prefix of the names of its tensors.
    weights: String,
    /// The same of the batch normalisation.
    norm: String,
    stride: usize,
    /// Whether ReLU6 follows.
    activated: bool,
}

/// An inverted residual block.
struct Block {
    number: usize,
    kernel: usize,
    stride: usize,
    /// Whether it starts with a convolution that expands the channels.
    expands: bool,
    /// Whether its input is added to its output.
    adds: bool,
}

struct Builder<'w> {
    weights: &'w Weights,
    graph: Graph<'static>,
    /// Width and height of the current value.
    size: usize,
}

impl Builder<'_> {
    /// Adds a block: expansion, depthwise convolution, projection.
    fn block(&mut self, input: String, block: &Block) -> Result<String> {
        let number = block.number;
        let layer = |name: &str, norm: &str, stride, activated| Convolution {
            weights: format!("_blocks.{number}.{name}"),
            norm: format!("_blocks.{number}.{norm}"),
            stride,
            activated,
        };
        let mut value = input.clone();
        if block.expands {
            value = self.convolve(value, &layer("_expand_conv", "_bn0", 1, true))?;
        }
        let depthwise = layer("_depthwise_conv", "_bn1", block.stride, true);
        let kernel = self.weights.get(&format!("{}.weight", depthwise.weights))?.shape.last();
        ensure!(kernel == Some(&block.kernel), "{} has an unexpected kernel size", depthwise.weights);
        value = self.convolve(value, &depthwise)?;
        value = self.convolve(value, &layer("_project_conv", "_bn2", 1, false))?;
        if !block.adds {
            return Ok(value);
        }
        Ok(self.node("Add", vec![value, input], format!("_blocks.{number}.sum"), vec![]))
    }

    fn convolve(&mut self, input: String, layer: &Convolution) -> Result<String> {
        let Convolution { weights: name, norm, stride, activated } = layer;
        let (weights, bias) = self.folded(name, norm)?;
        let &[out, depth, kernel, _] = weights.shape.as_slice() else { bail!("{name} is not a 2D convolution") };
        let groups = if depth == 1 && kernel > 1 { out } else { 1 };
        let size = self.size.div_ceil(*stride);
        // TensorFlow's "same" padding, with which the weights were trained: an odd pixel goes to the end.
        let padding = ((size - 1) * stride + kernel).saturating_sub(self.size);
        let (before, after) = (padding / 2, padding - padding / 2);
        self.size = size;
        self.constant(&format!("{name}.weights"), &weights.shape, &weights.data);
        self.constant(&format!("{name}.bias"), &[out], &bias);
        let attributes = vec![
            ("kernel_shape", ints([kernel, kernel])),
            ("strides", ints([*stride, *stride])),
            ("pads", ints([before, before, after, after])),
            ("group", Attribute::Int(groups as i64)),
        ];
        let inputs = vec![input, format!("{name}.weights"), format!("{name}.bias")];
        let value = self.node("Conv", inputs, format!("{name}.out"), attributes);
        if !activated {
            return Ok(value);
        }
        Ok(self.node("Clip", vec![value, "zero".into(), "six".into()], format!("{name}.relu6"), vec![]))
    }

    /// Weights and bias of a convolution that includes the batch normalisation.
    fn folded(&self, name: &str, norm: &str) -> Result<(Tensor, Vec<f32>)> {
        let mut weights = self.weights.get(&format!("{name}.weight"))?.clone();
        let part = |part: &str| Ok::<_, anyhow::Error>(&self.weights.get(&format!("{norm}.{part}"))?.data);
        let (scale, shift, mean, variance) =
            (part("weight")?, part("bias")?, part("running_mean")?, part("running_var")?);
        let out = weights.shape.first().copied().unwrap_or_default();
        let fits = [scale, shift, mean, variance].iter().all(|part| part.len() == out);
        ensure!(fits && out > 0, "{norm} and {name} have different numbers of channels");
        let each = weights.data.len() / out;
        let mut bias = Vec::with_capacity(out);
        for (channel, kernel) in weights.data.chunks_mut(each.max(1)).enumerate() {
            let factor = scale[channel] / (variance[channel] + EPSILON).sqrt();
            kernel.iter_mut().for_each(|weight| *weight *= factor);
            bias.push(shift[channel] - mean[channel] * factor);
        }
        Ok((weights, bias))
    }

    /// Adds global average pooling, the fully connected layer and softmax, and describes input and output.
    fn classify(&mut self, input: String) -> Result<()> {
        let (weights, bias) = (self.weights.get("_fc.weight")?, self.weights.get("_fc.bias")?);
        ensure!(bias.data.len() == CLASSES, "the classifier has {} classes instead of {CLASSES}", bias.data.len());
        self.constant("fc.weights", &weights.shape, &weights.data);
        self.constant("fc.bias", &bias.shape, &bias.data);
        let value = self.node("GlobalAveragePool", vec![input], "mean".into(), vec![]);
        let value = self.node("Flatten", vec![value], "features".into(), vec![("axis", Attribute::Int(1))]);
        let inputs = vec![value, "fc.weights".into(), "fc.bias".into()];
        let value = self.node("Gemm", inputs, "scores".into(), vec![("transB", Attribute::Int(1))]);
        self.node("Softmax", vec![value], OUTPUT.into(), vec![("axis", Attribute::Int(1))]);
        let tensor_type = |shape: &[usize]| TensorType {
            data_type: FLOAT,
            shape: shape.iter().map(|size| Dimension::Fixed(*size as i64)).collect(),
        };
        self.graph.name = "EfficientNet-Lite0".into();
        self.graph.inputs = vec![INPUT];
        self.graph.outputs = vec![OUTPUT];
        self.graph.types = HashMap::from([
            (INPUT, tensor_type(&[1, 3, IMAGE_SIZE, IMAGE_SIZE])),
            (OUTPUT, tensor_type(&[1, CLASSES])),
        ]);
        Ok(())
    }

    /// Adds a node and returns the name of its output.
    fn node(
        &mut self,
        op_type: &'static str,
        inputs: Vec<String>,
        output: String,
        attributes: Vec<(&'static str, Attribute<'static>)>,
    ) -> String {
        let inputs = inputs.into_iter().map(Name::Owned).collect();
        let mut node = Node::new(op_type, inputs, Cow::Owned(output.clone()));
        node.attributes = attributes;
        self.graph.nodes.push(node);
        output
    }

    fn constant(&mut self, name: &str, shape: &[usize], data: &[f32]) {
        let raw_data: Vec<u8> = data.iter().flat_map(|value| value.to_le_bytes()).collect();
        let dims = shape.iter().map(|size| *size as i64).collect();
        let raw_data = raw_data.into();
        self.graph.initializers.push(Initializer { name: Cow::Owned(name.into()), dims, data_type: FLOAT, raw_data });
    }
}

fn ints<const N: usize>(values: [usize; N]) -> Attribute<'static> {
    Attribute::Ints(values.iter().map(|value| *value as i64).collect())
}
