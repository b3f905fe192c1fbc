// SPDX-License-Identifier: MPL-2.0

//! The server's eyes: what can be measured of a picture, and what is recognised in it.
//!
//! A picture is decoded and measured once, when it comes ([`View`]); that takes some milliseconds and refuses what is no
//! picture. The networks of [`Vision`] look at it when somebody first asks, where blocking does no harm, and what they
//! find is kept with it ([`Seen`]). `shown` knows which pictures a conversation is about, and `telling` puts it all into
//! sentences. Nothing is said that was not measured, or recognised with some certainty.

mod colours;
mod decode;
mod describe;
mod efficientnet_lite0;
mod faces;
pub mod image_context;
mod measure;
mod names;
mod pickle;
mod thumbnail;
mod weights;

pub use crate::vision::decode::Kind;
pub use crate::vision::thumbnail::View;

use crate::speech::engine::{Network, pool};
use crate::speech::models::{ModelDir, ModelFile};
use crate::speech::responder::pictures::{Topic, topic};
use crate::vision::faces::Faces;
use crate::vision::image_context::Shown;
use crate::vision::weights::Weights;
use anyhow::{Context, Result, ensure};
use image::RgbImage;
use rten::NodeId;
use rten_tensor::NdTensor;
use rten_tensor::prelude::*;

/// What is less likely than this is not recognised.
const THRESHOLD: f32 = 0.3;

/// What the networks found in a picture.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Seen {
    /// What is recognised, with its article, and how likely it is, the likeliest first; `None`: nobody looked.
    pub things: Option<Vec<(&'static str, f32)>>,
    /// How many faces there are; `None`: nobody counted.
    pub faces: Option<usize>,
}

/// The networks, as far as they are installed.
pub struct Vision {
    classifier: Option<Classifier>,
    faces: Option<Faces>,
}

impl Vision {
    /// Loads the models that are there, and says in a line on standard error which are not.
    pub fn load(dir: &ModelDir, threads: usize) -> Result<Self> {
        if let Some(missing) = dir.missing("picture", &ModelFile::VISION) {
            eprintln!("realtime-server: {missing}; until then pictures are measured, and less is recognised in them");
        }
        let classifier = dir.has(ModelFile::Lite0).then(|| Classifier::load(dir, threads)).transpose()?;
        let faces = dir.has(ModelFile::SeetaFace).then(|| Faces::load(dir)).transpose()?;
        Ok(Self { classifier, faces })
    }

    /// What to say of the pictures of a conversation to somebody who says `heard`. `None` where there are none, and
    /// where old ones were not asked for.
    pub fn tell(&self, shown: &Shown<'_>, heard: &str) -> Option<String> {
        let topic = if shown.are_alone { Some(Topic::Everything) } else { topic(heard) };
        if shown.pictures.is_empty() || (topic.is_none() && !shown.are_new) {
            return None;
        }
        let sights: Vec<_> = shown.pictures.iter().map(|picture| picture.with(self.look(picture.view))).collect();
        match topic {
            Some(topic) => Some(crate::vision::describe::answer(&sights, topic)),
            None => crate::vision::describe::aside(&sights),
        }
    }

    /// Looks at a picture, unless that was done before.
    fn look<'v>(&self, view: &'v View) -> &'v Seen {
        view.seen.get_or_init(|| Seen {
            things: self.classifier.as_ref().and_then(|classifier| {
                let things = classifier.things(&view.centre);
                things.inspect_err(|error| tracing::error!("cannot look at a picture: {error:#}")).ok()
            }),
            faces: self.faces.as_ref().map(|faces| faces.count(&view.grey)),
        })
    }
}

/// Recognises things.
struct Classifier {
    network: Network,
    input: NodeId,
    output: NodeId,
    names: Vec<&'static str>,
}

impl Classifier {
    fn load(dir: &ModelDir, threads: usize) -> Result<Self> {
        let path = dir.file(ModelFile::Lite0).display().to_string();
        let weights = Weights::read(&dir.read(ModelFile::Lite0)?);
        let onnx = weights
            .and_then(|weights| crate::vision::efficientnet_lite0::to_onnx(&weights))
            .with_context(|| format!("cannot read {path}"))?;
        let network = Network::new(onnx, path, &pool(threads))?;
        let (input, output) = (
            network.node(crate::vision::efficientnet_lite0::INPUT)?,
            network.node(crate::vision::efficientnet_lite0::OUTPUT)?,
        );
        Ok(Self { network, input, output, names: crate::vision::names::all() })
    }

    /// What is in the middle of a picture, the likeliest first.
    fn things(&self, centre: &RgbImage) -> Result<Vec<(&'static str, f32)>> {
        let likelihoods = self.likelihoods(centre)?;
        ensure!(likelihoods.len() == self.names.len(), "{} gave results of an unexpected size", self.network.name());
        let mut things: Vec<(&'static str, f32)> = Vec::new();
        for (name, likelihood) in self.names.iter().zip(likelihoods) {
            // Some things are among the classes twice.
            match things.iter_mut().find(|thing| thing.0 == *name) {
                Some(thing) => thing.1 += likelihood,
                None => things.push((name, likelihood)),
            }
        }
        things.retain(|thing| thing.1 >= THRESHOLD);
        things.sort_by(|a, b| b.1.total_cmp(&a.1));
        Ok(things)
    }

    fn likelihoods(&self, centre: &RgbImage) -> Result<Vec<f32>> {
        let side = crate::vision::efficientnet_lite0::SIDE as usize;
        ensure!(centre.as_raw().len() == side * side * 3, "the picture is not of the size that was agreed");
        // One colour behind the other, around zero, as the network was trained.
        let numbers = (0..3).flat_map(|colour| centre.as_raw().iter().skip(colour).step_by(3));
        let numbers: Vec<f32> = numbers.map(|&value| (f32::from(value) - 127.0) / 128.0).collect();
        let picture = NdTensor::from_data([1, 3, side, side], numbers);
        let results = self.network.run(vec![(self.input, picture.view().into())], &[self.output])?;
        Ok(self.network.floats(results.into_iter().next())?.to_vec())
    }
}

#[cfg(test)]
mod tests;
