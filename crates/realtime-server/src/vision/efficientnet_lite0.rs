// SPDX-License-Identifier: MPL-2.0

//! EfficientNet-Lite0: the network that recognises a thousand kinds of things.
//!
//! The file has its weights only; how they are connected is written down here, as in "EfficientNet" (Tan and Le, 2019)
//! without squeeze-and-excitation and with ReLU6. Each convolution takes in the batch normalisation behind it, and the
//! whole becomes an ONNX model in memory for the server's runtime.

use crate::speech::ort::graph::{self, FLOAT, Graph, Name, Node, Shape, Side, Value};
use crate::speech::ort::onnx;
use crate::vision::weights::{Tensor, Weights};
use anyhow::{Result, ensure};
use std::borrow::Cow;
use std::collections::HashMap;

/// Both sides of the picture that the network looks at.
pub const SIDE: u32 = 224;
/// How many kinds of things it knows.
pub const CLASSES: usize = 1000;
/// The names of the model's input and output.
pub const INPUT: &str = "picture";
pub const OUTPUT: &str = "likelihoods";

/// The stages: how many blocks, the size of their filters, the step of the first one, how many times the channels
/// are widened inside, and how many come out.
const STAGES: [(usize, usize, usize, usize, usize); 7] = [
    (1, 3, 1, 1, 16),
    (2, 3, 2, 6, 24),
    (2, 5, 2, 6, 40),
    (3, 3, 2, 6, 80),
    (3, 5, 1, 6, 112),
    (4, 5, 2, 6, 192),
    (1, 3, 1, 6, 320),
];
/// What keeps batch normalisation from dividing by zero.
const EPSILON: f32 = 1e-3;
/// The version of ONNX's operators.
const OPERATORS: i64 = 17;

/// The model as ONNX.
pub fn to_onnx(weights: &Weights) -> Result<Vec<u8>> {
    let mut builder = Builder { weights, graph: Graph::default(), side: SIDE as usize };
    builder.constant("zero", &[], &[0.0]);
    builder.constant("six", &[], &[6.0]);
    let stem = Convolution { weights: "_conv_stem".into(), norm: "_bn0".into(), step: 2, clipped: true };
    let mut at = builder.convolve(INPUT.into(), &stem)?;
    let (mut channels, mut number) = (32, 0);
    for (blocks, size, first_step, widening, out) in STAGES {
        for block in 0..blocks {
            let step = if block == 0 { first_step } else { 1 };
            at = builder.block(at, number, size, step, widening > 1, step == 1 && channels == out)?;
            channels = out;
            number += 1;
        }
    }
    let head = Convolution { weights: "_conv_head".into(), norm: "_bn1".into(), step: 1, clipped: true };
    at = builder.convolve(at, &head)?;
    builder.classify(at)?;
    Ok(onnx::write(&builder.graph, &[("", OPERATORS)]))
}

/// A convolution with the names of its tensors.
struct Convolution {
    weights: String,
    norm: String,
    step: usize,
    clipped: bool,
}

struct Builder<'w> {
    weights: &'w Weights,
    graph: Graph<'static>,
    /// Both sides of the picture at this point.
    side: usize,
}

impl Builder<'_> {
    /// Widens, filters each channel by itself, and narrows; where nothing changes its size, what came in is added.
    fn block(
        &mut self,
        input: String,
        number: usize,
        size: usize,
        step: usize,
        wide: bool,
        adds: bool,
    ) -> Result<String> {
        let layer = |name: &str, norm: &str, step, clipped| Convolution {
            weights: format!("_blocks.{number}.{name}"),
            norm: format!("_blocks.{number}.{norm}"),
            step,
            clipped,
        };
        let mut at = input.clone();
        if wide {
            at = self.convolve(at, &layer("_expand_conv", "_bn0", 1, true))?;
        }
        let filter = layer("_depthwise_conv", "_bn1", step, true);
        let found = self.weights.get(&format!("{}.weight", filter.weights))?.sides.last();
        ensure!(found == Some(&size), "{} has filters of another size", filter.weights);
        at = self.convolve(at, &filter)?;
        at = self.convolve(at, &layer("_project_conv", "_bn2", 1, false))?;
        if !adds {
            return Ok(at);
        }
        Ok(self.node("Add", vec![at, input], format!("_blocks.{number}.sum"), vec![]))
    }

    fn convolve(&mut self, input: String, layer: &Convolution) -> Result<String> {
        let Convolution { weights: name, norm, step, clipped } = layer;
        let (weights, bias) = self.folded(name, norm)?;
        let &[out, depth, size, _] = weights.sides.as_slice() else { anyhow::bail!("{name} is no convolution") };
        let groups = if depth == 1 && size > 1 { out } else { 1 };
        let to = self.side.div_ceil(*step);
        // As TensorFlow pads: what is odd goes to the end.
        let padding = ((to - 1) * step + size).saturating_sub(self.side);
        let (before, after) = (padding / 2, padding - padding / 2);
        self.side = to;
        self.constant(&format!("{name}.weights"), &weights.sides, &weights.numbers);
        self.constant(&format!("{name}.bias"), &[out], &bias);
        let settings = vec![
            ("kernel_shape", ints([size, size])),
            ("strides", ints([*step, *step])),
            ("pads", ints([before, before, after, after])),
            ("group", Value::Int(groups as i64)),
        ];
        let inputs = vec![input, format!("{name}.weights"), format!("{name}.bias")];
        let at = self.node("Conv", inputs, format!("{name}.out"), settings);
        if !clipped {
            return Ok(at);
        }
        Ok(self.node("Clip", vec![at, "zero".into(), "six".into()], format!("{name}.clipped"), vec![]))
    }

    /// The weights of a convolution and the batch normalisation behind it as those of one convolution with a bias.
    fn folded(&self, name: &str, norm: &str) -> Result<(Tensor, Vec<f32>)> {
        let mut weights = self.weights.get(&format!("{name}.weight"))?.clone();
        let part = |part: &str| Ok::<_, anyhow::Error>(&self.weights.get(&format!("{norm}.{part}"))?.numbers);
        let (scale, shift, mean, variance) =
            (part("weight")?, part("bias")?, part("running_mean")?, part("running_var")?);
        let out = weights.sides.first().copied().unwrap_or_default();
        let fits = [scale, shift, mean, variance].iter().all(|numbers| numbers.len() == out);
        ensure!(fits && out > 0, "{norm} does not fit {name}");
        let each = weights.numbers.len() / out;
        let mut bias = Vec::with_capacity(out);
        for (channel, numbers) in weights.numbers.chunks_mut(each.max(1)).enumerate() {
            let factor = scale[channel] / (variance[channel] + EPSILON).sqrt();
            numbers.iter_mut().for_each(|number| *number *= factor);
            bias.push(shift[channel] - mean[channel] * factor);
        }
        Ok((weights, bias))
    }

    fn classify(&mut self, input: String) -> Result<()> {
        let (weights, bias) = (self.weights.get("_fc.weight")?, self.weights.get("_fc.bias")?);
        ensure!(bias.numbers.len() == CLASSES, "the network knows another number of things");
        self.constant("fc.weights", &weights.sides, &weights.numbers);
        self.constant("fc.bias", &bias.sides, &bias.numbers);
        let at = self.node("GlobalAveragePool", vec![input], "mean".into(), vec![]);
        let at = self.node("Flatten", vec![at], "features".into(), vec![("axis", Value::Int(1))]);
        let inputs = vec![at, "fc.weights".into(), "fc.bias".into()];
        let at = self.node("Gemm", inputs, "scores".into(), vec![("transB", Value::Int(1))]);
        self.node("Softmax", vec![at], OUTPUT.into(), vec![("axis", Value::Int(1))]);
        let sides = |sides: &[i64]| sides.iter().map(|side| Side::Fixed(*side)).collect();
        let side = i64::from(SIDE);
        self.graph.name = "EfficientNet-Lite0".into();
        self.graph.inputs = vec![INPUT];
        self.graph.outputs = vec![OUTPUT];
        self.graph.shapes = HashMap::from([
            (INPUT, Shape { kind: FLOAT, sides: sides(&[1, 3, side, side]) }),
            (OUTPUT, Shape { kind: FLOAT, sides: sides(&[1, CLASSES as i64]) }),
        ]);
        Ok(())
    }

    fn node(
        &mut self,
        op: &'static str,
        inputs: Vec<String>,
        output: String,
        settings: Vec<(&'static str, Value<'static>)>,
    ) -> String {
        let inputs = inputs.into_iter().map(Name::Owned).collect();
        let mut node = Node::new(op, inputs, Cow::Owned(output.clone()));
        node.attributes = settings;
        self.graph.nodes.push(node);
        output
    }

    fn constant(&mut self, name: &str, sides: &[usize], numbers: &[f32]) {
        let raw: Vec<u8> = numbers.iter().flat_map(|number| number.to_le_bytes()).collect();
        let dims = sides.iter().map(|side| *side as i64).collect();
        self.graph.tensors.push(graph::Tensor { name: Cow::Owned(name.into()), dims, kind: FLOAT, raw: raw.into() });
    }
}

fn ints<const N: usize>(values: [usize; N]) -> Value<'static> {
    Value::Ints(values.iter().map(|value| *value as i64).collect())
}
