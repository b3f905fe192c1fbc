// SPDX-License-Identifier: MPL-2.0

//! Counts faces: SeetaFace, a cascade of small classifiers that is slid over the picture.
//!
//! It finds faces that look towards the camera and are at least 40 pixels high, of 640 for the picture's longer side.
//! Whose they are it cannot tell.

use crate::speech::models::{ModelDir, ModelFile};
use anyhow::{Context, Result};
use image::GrayImage;
use rustface::{ImageData, Model};

/// The smallest face that is looked for, in pixels.
const MIN_SIZE: u32 = 40;
/// How sure it must be. What the makers use in their own examples.
const SCORE: f64 = 2.0;
/// How much smaller each step of the search is.
const SCALE: f32 = 0.8;
/// How far the window slides.
const STEP: u32 = 4;

/// The detector.
pub struct Faces {
    model: Model,
}

impl Faces {
    /// Loads the model.
    pub fn load(dir: &ModelDir) -> Result<Self> {
        let bytes = dir.read(ModelFile::SeetaFace)?;
        let path = dir.file(ModelFile::SeetaFace);
        let model =
            rustface::read_model(bytes.as_slice()).with_context(|| format!("cannot read {}", path.display()))?;
        Ok(Self { model })
    }

    /// How many faces are in a picture.
    pub fn count(&self, grey: &GrayImage) -> usize {
        let (width, height) = grey.dimensions();
        if width.min(height) < MIN_SIZE {
            return 0;
        }
        let mut detector = rustface::create_detector_with_model(self.model.clone());
        detector.set_min_face_size(MIN_SIZE);
        detector.set_score_thresh(SCORE);
        detector.set_pyramid_scale_factor(SCALE);
        detector.set_slide_window_step(STEP, STEP);
        detector.detect(&ImageData::new(grey.as_raw(), width, height)).len()
    }
}
