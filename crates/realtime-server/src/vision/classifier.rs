// SPDX-License-Identifier: MPL-2.0

//! Image classification: EfficientNet-Lite0, trained on ImageNet.

use anyhow::{Result, ensure};
use image::RgbImage;
use rten::NodeId;
use rten_tensor::NdTensor;
use rten_tensor::prelude::*;

use crate::speech::engine::{Network, pool};
use crate::speech::models::{ModelDir, ModelFile};

/// Width and height of the image that the network takes.
pub const IMAGE_SIZE: u32 = 224;
/// A less probable class is not reported.
const THRESHOLD: f32 = 0.3;

/// The network and the names of its classes.
pub struct Classifier {
    network: Network,
    input: NodeId,
    output: NodeId,
    names: Vec<&'static str>,
}

impl Classifier {
    /// Loads the network.
    pub fn load(dir: &ModelDir, threads: usize) -> Result<Self> {
        let network = Network::load(dir, ModelFile::Lite0, &pool(threads))?;
        let (input, output) = (network.node("image")?, network.node("probabilities")?);
        Ok(Self { network, input, output, names: crate::vision::names::all() })
    }

    /// The classes in the centre of a picture with their probabilities, the most probable first.
    pub fn things(&self, centre: &RgbImage) -> Result<Vec<(&'static str, f32)>> {
        let probabilities = self.probabilities(centre)?;
        ensure!(probabilities.len() == self.names.len(), "{} gave results of an unexpected size", self.network.name());
        let mut things: Vec<(&'static str, f32)> = Vec::new();
        for (name, probability) in self.names.iter().zip(probabilities) {
            // Some classes of ImageNet have the same name.
            match things.iter_mut().find(|thing| thing.0 == *name) {
                Some(thing) => thing.1 += probability,
                None => things.push((name, probability)),
            }
        }
        things.retain(|thing| thing.1 >= THRESHOLD);
        things.sort_by(|a, b| b.1.total_cmp(&a.1));
        Ok(things)
    }

    fn probabilities(&self, centre: &RgbImage) -> Result<Vec<f32>> {
        let size = IMAGE_SIZE as usize;
        ensure!(centre.as_raw().len() == size * size * 3, "the picture does not have the size of the network's input");
        // Planar (NCHW) and normalised as in the training.
        let planar = (0..3).flat_map(|channel| centre.as_raw().iter().skip(channel).step_by(3));
        let values: Vec<f32> = planar.map(|&value| (f32::from(value) - 127.0) / 128.0).collect();
        let image = NdTensor::from_data([1, 3, size, size], values);
        let results = self.network.run(vec![(self.input, image.view().into())], &[self.output])?;
        Ok(self.network.floats(results.into_iter().next())?.to_vec())
    }
}
