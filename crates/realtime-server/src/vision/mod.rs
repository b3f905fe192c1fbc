// SPDX-License-Identifier: MPL-2.0

//! The server's eyes: what can be measured of a picture, and what is recognised in it.
//!
//! A picture is decoded and measured once, when it comes ([`View`]); that takes some milliseconds and refuses what is no
//! picture. The networks of [`Vision`] look at it when somebody first asks, where blocking does no harm, and what they
//! find is kept with it ([`Seen`]). `shown` knows which pictures a conversation is about, and `telling` puts it all into
//! sentences. Nothing is said that was not measured, or recognised with some certainty.

mod classifier;
mod colours;
mod decode;
mod describe;
mod faces;
pub mod image_context;
mod measure;
mod names;
mod thumbnail;

pub use crate::vision::decode::Kind;
pub use crate::vision::thumbnail::View;

use crate::speech::models::{ModelDir, ModelFile};
use crate::speech::responder::pictures::{Topic, topic};
use crate::vision::classifier::Classifier;
use crate::vision::faces::Faces;
use crate::vision::image_context::Shown;
use anyhow::Result;

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

#[cfg(test)]
mod tests;
