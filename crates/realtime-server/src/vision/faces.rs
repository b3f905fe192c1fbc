// SPDX-License-Identifier: MPL-2.0

//! Face detection with SeetaFace, a cascade classifier over a sliding window.
//!
//! It detects frontal faces of at least 40 pixels in a picture whose longer side has at most 640. It does not identify
//! persons.

use crate::speech::models::{ModelDir, ModelFile};
use anyhow::{Context, Result};
use image::GrayImage;
use rustface::{ImageData, Model};

/// Minimum height of a face, in pixels.
const MIN_SIZE: u32 = 40;
/// Minimum score, as in the authors' examples.
const SCORE: f64 = 2.0;
/// Scale factor between levels of the image pyramid.
const SCALE: f32 = 0.8;
/// Step of the sliding window, in pixels.
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

    /// The number of faces in a picture.
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
