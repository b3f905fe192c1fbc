// SPDX-License-Identifier: MPL-2.0

//! What the neural networks have in common: how they are loaded and run.
//!
//! A [`Network`] is a model with its own few threads. Every network has a pool of its own, so that the short work of
//! one (is this speech?) never waits behind the long work of another (what was said in these twenty seconds?).

use std::sync::Arc;

use anyhow::{Context, Result, anyhow};
use rten::{Dimension, Model, NodeId, RunOptions, ThreadPool, Value, ValueOrView};
use rten_tensor::Tensor;
use rten_tensor::prelude::*;

use crate::speech::models::{ModelDir, ModelFile};

/// A model that is ready to run. Can be shared between threads.
pub struct Network {
    model: Model,
    options: RunOptions,
    name: String,
}

impl Network {
    /// Loads an ONNX file of the models' folder.
    pub fn load(dir: &ModelDir, file: ModelFile, pool: &Arc<ThreadPool>) -> Result<Self> {
        let name = dir.file(file).display().to_string();
        let model = Model::load(dir.read(file)?).with_context(|| format!("cannot load {name}"))?;
        Ok(Self { model, options: RunOptions::default().with_thread_pool(Some(pool.clone())), name })
    }

    /// The number of an input, an output or a value between them.
    pub fn node(&self, name: &str) -> Result<NodeId> {
        self.model.find_node(name).ok_or_else(|| anyhow!("{} has no value named {name}", self.name))
    }

    /// Names and numbers of the inputs.
    pub fn inputs(&self) -> impl Iterator<Item = (&str, NodeId)> {
        self.named(self.model.input_ids())
    }

    /// Names and numbers of the outputs.
    pub fn outputs(&self) -> impl Iterator<Item = (&str, NodeId)> {
        self.named(self.model.output_ids())
    }

    fn named<'a>(&'a self, ids: &'a [NodeId]) -> impl Iterator<Item = (&'a str, NodeId)> {
        ids.iter().filter_map(|&id| Some((self.model.node_info(id)?.name()?, id)))
    }

    /// The length of one side of an input, when the model fixes it.
    pub fn side(&self, input: NodeId, side: usize) -> Result<usize> {
        let shape = self.model.node_info(input).and_then(|info| info.shape());
        match shape.as_deref().and_then(|shape| shape.get(side)) {
            Some(&Dimension::Fixed(length)) => Ok(length),
            _ => Err(anyhow!("{} does not say how large its inputs are", self.name)),
        }
    }

    /// Runs the model.
    pub fn run(&self, inputs: Vec<(NodeId, ValueOrView)>, outputs: &[NodeId]) -> Result<Vec<Value>> {
        let results = self.model.run(inputs, outputs, Some(self.options.clone()));
        results.with_context(|| format!("{} failed", self.name))
    }

    /// An output as floats.
    pub fn floats(&self, value: Option<Value>) -> Result<Tensor<f32>> {
        let tensor = value.and_then(|value| value.into_tensor());
        tensor.ok_or_else(|| anyhow!("{} gave something that is not a list of floats", self.name))
    }

    /// An output as integers.
    pub fn integers(&self, value: Option<Value>) -> Result<Vec<i32>> {
        let tensor: Option<Tensor<i32>> = value.and_then(|value| value.into_tensor());
        Ok(tensor.ok_or_else(|| anyhow!("{} gave something that is not a list of integers", self.name))?.to_vec())
    }

    /// The name of the file, for messages.
    pub fn name(&self) -> &str {
        &self.name
    }
}

/// A pool for one or more networks.
pub fn pool(threads: usize) -> Arc<ThreadPool> {
    Arc::new(ThreadPool::with_num_threads(threads.max(1)))
}
