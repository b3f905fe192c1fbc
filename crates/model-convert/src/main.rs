// SPDX-License-Identifier: MPL-2.0

//! Converts the published models of the local server to ONNX, the only format that the server loads.
//!
//! `pipelines/support/get-models.sh` runs it once, after downloading, and checks the hashes of what it writes. Therefore
//! the output must depend on nothing but the input: no timestamps, no order of hash tables.

mod efficientnet_lite0;
mod graph;
mod onnx;
mod ort;
mod pytorch;

use std::env;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result, bail};

use crate::pytorch::Weights;

const USAGE: &str = "\
Usage: model-convert INPUT... OUTPUT_DIR

Converts each INPUT to ONNX and writes it to OUTPUT_DIR, with the name of INPUT and the extension .onnx. The format is
told by the content:
  ONNX Runtime model (.ort)     fused operators are expanded to standard ones
  PyTorch weights (.pth)        of EfficientNet-Lite0, in the format of PyTorch before 1.6
";

fn main() -> ExitCode {
    let arguments: Vec<OsString> = env::args_os().skip(1).collect();
    if arguments.iter().any(|argument| argument == "-h" || argument == "--help") {
        eprint!("{USAGE}");
        return ExitCode::SUCCESS;
    }
    let Some((output_dir, inputs)) = arguments.split_last().filter(|(_, inputs)| !inputs.is_empty()) else {
        eprint!("{USAGE}");
        return ExitCode::from(2);
    };
    for input in inputs {
        if let Err(error) = convert_file(Path::new(input), Path::new(output_dir)) {
            eprintln!("model-convert: {error:#}");
            return ExitCode::FAILURE;
        }
    }
    ExitCode::SUCCESS
}

/// Converts one file, which appears in `output_dir` complete or not at all.
fn convert_file(input: &Path, output_dir: &Path) -> Result<PathBuf> {
    let file = fs::read(input).with_context(|| format!("cannot read {}", input.display()))?;
    let model = convert(&file).with_context(|| format!("cannot convert {}", input.display()))?;
    let stem = input.file_stem().with_context(|| format!("{} has no file name", input.display()))?;
    let output = output_dir.join(stem).with_added_extension("onnx");
    let partial = output.with_added_extension("part");
    fs::create_dir_all(output_dir)
        .and_then(|()| fs::write(&partial, model))
        .and_then(|()| fs::rename(&partial, &output))
        .with_context(|| format!("cannot write {}", output.display()))?;
    Ok(output)
}

/// Converts the contents of a file.
fn convert(file: &[u8]) -> Result<Vec<u8>> {
    if ort::is_ort(file) {
        Ok(ort::to_onnx(file)?)
    } else if Weights::is_weights(file) {
        efficientnet_lite0::to_onnx(&Weights::read(file)?)
    } else {
        bail!("it is neither an ONNX Runtime model nor PyTorch weights");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_names_the_file_and_nothing_is_written() {
        let dir = env::temp_dir().join(format!("model-convert-{}", std::process::id()));
        fs::create_dir_all(&dir).expect("a temporary folder");
        let input = dir.join("model.v1.onnx");
        fs::write(&input, b"\x08\x08 an ONNX model").expect("a small file");
        let output = dir.join("output");
        let unknown = format!("{:#}", convert_file(&input, &output).expect_err("not a known format"));
        fs::write(&input, b"\0\0\0\0ORTM").expect("a small file");
        let damaged = format!("{:#}", convert_file(&input, &output).expect_err("damaged"));
        let absent = format!("{:#}", convert_file(&dir.join("absent"), &output).expect_err("absent"));
        let is_written = output.exists();
        fs::remove_dir_all(&dir).expect("the folder just made");
        assert!(unknown.contains("model.v1.onnx: it is neither"), "{unknown}");
        assert!(damaged.contains("model.v1.onnx: malformed file"), "{damaged}");
        assert!(absent.contains("cannot read") && absent.contains("absent"), "{absent}");
        assert!(!is_written);
    }
}
