// SPDX-License-Identifier: MPL-2.0

//! Similarity of two pictures, for `frame-dedupe`.
//!
//! Of a picture only the mean colours of 32 by 18 tiles are kept. Noise, coding artefacts and the flicker of a lamp
//! vanish in the mean of a tile, while a person who walks into the picture changes some tiles much. So the difference of
//! two pictures is that of the tile that differs most; a mean over all tiles would miss small objects. A JPEG is decoded
//! at an eighth of its size, which saves most of the work. PNGs are of screens and drawings, which have no noise, and
//! are not decoded.

/// Number of tiles in each direction.
const TILES: (usize, usize) = (32, 18);
/// Maximum size of a picture that is decoded, in pixels: a little more than 3840 by 2160.
const MAX_PIXELS: u64 = 1 << 23;
/// Maximum number of scans of a JPEG; a progressive one has ten. Each may be a few bytes long and still cost a pass over the picture.
const MAX_SCANS: usize = 16;

/// Mean colours of the tiles of a picture.
#[derive(Debug)]
pub(crate) struct TileMeans {
    /// Pixels, as decoded.
    size: (usize, usize),
    channels: usize,
    /// Means of the channels of each tile, 0 to 1.
    means: Vec<f32>,
}

impl TileMeans {
    /// Decodes a file. `None` if it cannot be decoded, or only with much work. The JPEG decoder panics on some broken files,
    /// which is caught.
    pub fn of(file: &[u8], media_type: &str) -> Option<Self> {
        if media_type != "image/jpeg" {
            return None;
        }
        std::panic::catch_unwind(|| jpeg(file)).ok().flatten()
    }

    /// Difference: 0 if no tile differs, 1 if a tile is black in one and white in the other.
    pub fn distance(&self, other: &Self) -> f64 {
        if (self.size, self.channels) != (other.size, other.channels) {
            return f64::INFINITY;
        }
        let apart = self.means.iter().zip(&other.means).map(|(one, other)| (one - other).abs());
        apart.fold(0.0, f32::max).into()
    }
}

/// Sums over the rows of a picture.
struct Tiles {
    size: (usize, usize),
    channels: usize,
    sums: Vec<u64>,
    pixels: Vec<u64>,
}

impl Tiles {
    fn new(size: (usize, usize), channels: usize) -> Self {
        let tiles = TILES.0 * TILES.1;
        Self { size, channels, sums: vec![0; tiles * channels], pixels: vec![0; tiles] }
    }

    fn add(&mut self, y: usize, row: &[u8]) {
        let line = y * TILES.1 / self.size.1 * TILES.0;
        for (x, pixel) in row.chunks_exact(self.channels).enumerate() {
            let tile = line + x * TILES.0 / self.size.0;
            self.pixels[tile] += 1;
            let sums = &mut self.sums[tile * self.channels..];
            sums.iter_mut().zip(pixel).for_each(|(sum, value)| *sum += u64::from(*value));
        }
    }

    /// If a picture has fewer pixels than tiles, tiles without a pixel are black.
    fn means(self) -> TileMeans {
        let mean = |(index, sum): (usize, &u64)| *sum as f32 / 255.0 / self.pixels[index / self.channels].max(1) as f32;
        let means = self.sums.iter().enumerate().map(mean).collect();
        TileMeans { size: self.size, channels: self.channels, means }
    }
}

fn jpeg(file: &[u8]) -> Option<TileMeans> {
    let scans = file.windows(2).filter(|two| two == b"\xff\xda").count();
    if scans > MAX_SCANS {
        return None;
    }
    let mut decoder = jpeg_decoder::Decoder::new(file);
    // No conversion from YCbCr: chrominance, in which encoders are inexact, stays in channels of its own.
    decoder.set_color_transform(jpeg_decoder::ColorTransform::RGB);
    // As small as possible, but with some pixels in each tile.
    let (width, height) = decoder.scale(2 * TILES.0 as u16, 2 * TILES.1 as u16).ok()?;
    // The decoder scales down by at most eight in each direction.
    if u64::from(width) * u64::from(height) * 64 > MAX_PIXELS {
        return None;
    }
    let pixels = decoder.decode().ok()?;
    let size = (usize::from(width), usize::from(height));
    let channels = pixels.len().checked_div(size.0 * size.1).filter(|channels| matches!(channels, 1 | 3))?;
    let mut tiles = Tiles::new(size, channels);
    pixels.chunks_exact(size.0 * channels).take(size.1).enumerate().for_each(|(y, row)| tiles.add(y, row));
    Some(tiles.means())
}
