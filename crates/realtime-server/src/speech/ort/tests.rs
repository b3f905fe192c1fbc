// SPDX-License-Identifier: MPL-2.0

//! The published files are converted; broken ones are refused, and never break the server.

use super::*;
use crate::speech::models::{ModelDir, ModelFile};

fn published(file: ModelFile) -> Vec<u8> {
    let dir = ModelDir::find(None).unwrap_or_else(|missing| panic!("{missing}"));
    dir.read(file).expect("a file that was just found")
}

#[test]
fn the_published_models_become_onnx() {
    for file in [ModelFile::MoonshineEncoder, ModelFile::MoonshineDecoder] {
        let original = published(file);
        let onnx = to_onnx(&original).expect("a published model");
        assert!(onnx.len() > original.len() * 9 / 10, "the weights are all there");
        for fused in ["DynamicQuantizeMatMul", "MatMulIntegerToFloat", "FusedMatMul", "FusedConv"] {
            assert!(!contains(&onnx, fused.as_bytes()), "{fused}");
        }
        rten::Model::load(onnx).expect("a model that the runtime knows");
    }
}

fn contains(bytes: &[u8], part: &[u8]) -> bool {
    bytes.windows(part.len()).any(|window| window == part)
}

#[test]
fn files_of_another_kind_are_refused() {
    for file in [&b""[..], b"ORTM", b"\x08\0\0\0", b"\x08\x07\x12\x04 an ONNX file", &[0xff; 64]] {
        assert!(to_onnx(file).is_err());
    }
    assert!(to_onnx(b"\xff\xff\xff\xffORTM").is_err());
}

#[test]
fn a_file_that_ends_early_is_refused() {
    let original = published(ModelFile::MoonshineEncoder);
    let step = original.len() / 150;
    for len in (0..original.len()).step_by(step).chain(0..200) {
        assert!(to_onnx(&original[..len]).is_err(), "the first {len} bytes");
    }
}

#[test]
fn flipped_bytes_never_panic() {
    let original = published(ModelFile::MoonshineEncoder);
    let mut seed = 3_u64;
    let mut random = |below: usize| {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (seed >> 33) as usize % below
    };
    let mut file = original.clone();
    let (mut refused, mut taken) = (0, 0);
    for round in 0..300 {
        // The tables stand between the weights; most of them near the ends.
        let places: Vec<usize> = (0..8)
            .map(|place| match (round + place) % 3 {
                0 => random(400),
                1 => file.len() - 1 - random(60_000),
                _ => random(60_000),
            })
            .collect();
        for &place in &places {
            file[place] = random(256) as u8;
        }
        match to_onnx(&file) {
            Ok(_) => taken += 1,
            Err(_) => refused += 1,
        }
        for place in places {
            file[place] = original[place];
        }
    }
    assert!(refused > 0 && taken > 0, "{refused} refused, {taken} taken: the places are not well chosen");
}
