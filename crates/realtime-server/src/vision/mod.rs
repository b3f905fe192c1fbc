// SPDX-License-Identifier: MPL-2.0

//! Vision: decodes, measures and recognises pictures, and describes them.
//!
//! A picture is decoded and measured once, when it arrives ([`View`]); that takes a few milliseconds and refuses
//! invalid files. The networks of [`Vision`] run when an answer first needs them, on a thread that may block, and their
//! result is kept with the picture ([`Seen`]). `describe` makes the sentences. Nothing is stated that was not measured, or
//! recognised with sufficient probability.

mod classifier;
mod colours;
mod decode;
pub mod describe;
mod faces;
mod measure;
mod names;
mod thumbnail;

pub use crate::vision::decode::Kind;
pub use crate::vision::thumbnail::View;

use crate::speech::models::{ModelDir, ModelFile};
use crate::vision::classifier::Classifier;
use crate::vision::faces::Faces;
use anyhow::Result;

/// What was recognised in a picture.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Seen {
    /// Objects with article and probability, the most probable first; `None`: without the model.
    pub things: Option<Vec<(&'static str, f32)>>,
    /// The number of faces; `None`: without the model.
    pub faces: Option<usize>,
}

/// The models that are installed.
pub struct Vision {
    classifier: Option<Classifier>,
    faces: Option<Faces>,
}

impl Vision {
    /// Loads the models that are present, and reports on stderr which are missing.
    pub fn load(dir: &ModelDir, threads: usize) -> Result<Self> {
        if let Some(missing) = dir.missing("picture", &ModelFile::VISION) {
            eprintln!("realtime-server: {missing}; until then pictures are measured, and less is recognised in them");
        }
        let classifier = dir.has(ModelFile::Lite0).then(|| Classifier::load(dir, threads)).transpose()?;
        let faces = dir.has(ModelFile::SeetaFace).then(|| Faces::load(dir)).transpose()?;
        Ok(Self { classifier, faces })
    }

    /// Runs the networks on a picture, unless that was done before.
    pub fn look<'v>(&self, view: &'v View) -> &'v Seen {
        view.seen.get_or_init(|| Seen {
            things: self.classifier.as_ref().and_then(|classifier| {
                let things = classifier.things(&view.centre);
                things.inspect_err(|error| tracing::error!("cannot look at a picture: {error:#}")).ok()
            }),
            faces: self.faces.as_ref().map(|faces| faces.count(&view.grey)),
        })
    }
}

#[cfg(test)]
mod tests;
