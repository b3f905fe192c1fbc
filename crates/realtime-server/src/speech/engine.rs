// SPDX-License-Identifier: MPL-2.0

//! Loading and running neural networks with rten.
//!
//! Every [`Network`] gets the thread pool that it runs on. Networks for short and long work have separate pools, so
//! that voice activity detection never waits for speech recognition.

use std::sync::Arc;

use anyhow::{Context, Result, anyhow};
use rten::{Dimension, Model, NodeId, RunOptions, ThreadPool, Value, ValueOrView};
use rten_tensor::Tensor;
use rten_tensor::prelude::*;

use crate::speech::models::{ModelDir, ModelFile};

/// A loaded model. Can be shared between threads.
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

    /// The id of a value of the graph by its name.
    pub fn node(&self, name: &str) -> Result<NodeId> {
        self.model.find_node(name).ok_or_else(|| anyhow!("{} has no value named {name}", self.name))
    }

    /// Names and ids of the inputs.
    pub fn inputs(&self) -> impl Iterator<Item = (&str, NodeId)> {
        self.named(self.model.input_ids())
    }

    /// Names and ids of the outputs.
    pub fn outputs(&self) -> impl Iterator<Item = (&str, NodeId)> {
        self.named(self.model.output_ids())
    }

    fn named<'a>(&'a self, ids: &'a [NodeId]) -> impl Iterator<Item = (&'a str, NodeId)> {
        ids.iter().filter_map(|&id| Some((self.model.node_info(id)?.name()?, id)))
    }

    /// The size of a dimension of an input; an error when the model does not fix it.
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

    /// Converts an output to floats.
    pub fn floats(&self, value: Option<Value>) -> Result<Tensor<f32>> {
        let tensor = value.and_then(|value| value.into_tensor());
        tensor.ok_or_else(|| anyhow!("{} gave something that is not a list of floats", self.name))
    }

    /// Converts an output to integers.
    pub fn integers(&self, value: Option<Value>) -> Result<Vec<i32>> {
        let tensor: Option<Tensor<i32>> = value.and_then(|value| value.into_tensor());
        Ok(tensor.ok_or_else(|| anyhow!("{} gave something that is not a list of integers", self.name))?.to_vec())
    }

    /// The path of the model's file, for messages.
    pub fn name(&self) -> &str {
        &self.name
    }
}

/// A thread pool for one or more networks.
pub fn pool(threads: usize) -> Arc<ThreadPool> {
    Arc::new(ThreadPool::with_num_threads(threads.max(1)))
}
