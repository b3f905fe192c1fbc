// SPDX-License-Identifier: MPL-2.0

//! The models folder.
//!
//! The models are not part of the program: `get-models.sh` downloads and converts them once. This module locates the
//! folder and knows the names of its files. When files are missing, the error is a single line with the command to run.
//! The speech models are required; without the vision models pictures are only measured.

use std::env;
use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

/// The environment variable with the path of the models folder.
const VARIABLE: &str = "REALTIME_SERVER_MODELS";

/// The script that gets the models, relative to the source folder.
const SCRIPT: &str = "pipelines/support/get-models.sh";

/// A file of the models folder.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ModelFile {
    /// Moonshine: speech recognition, encoder.
    MoonshineEncoder,
    /// Moonshine: speech recognition, decoder.
    MoonshineDecoder,
    /// Moonshine: the decoder's tokens.
    MoonshineTokens,
    /// Hibari: acoustic model of the speech synthesis.
    HibariVoice,
    /// Hibari: the ids of the phonemes.
    HibariPhonemes,
    /// Hibari: grapheme-to-phoneme model for words that are not in the lexicon.
    HibariSpelling,
    /// Hibari: the ids of letters and phonemes for that model.
    HibariLetters,
    /// EfficientNet-Lite0: image classification.
    Lite0,
    /// SeetaFace: face detection.
    SeetaFace,
}

impl ModelFile {
    /// Required by the engine `local`.
    const SPEECH: [Self; 7] = [
        Self::MoonshineEncoder,
        Self::MoonshineDecoder,
        Self::MoonshineTokens,
        Self::HibariVoice,
        Self::HibariPhonemes,
        Self::HibariSpelling,
        Self::HibariLetters,
    ];

    /// Optional: what is recognised in pictures.
    pub const VISION: [Self; 2] = [Self::Lite0, Self::SeetaFace];

    const fn name(self) -> &'static str {
        match self {
            Self::MoonshineEncoder => "moonshine/encoder_model.onnx",
            Self::MoonshineDecoder => "moonshine/decoder_model_merged.onnx",
            Self::MoonshineTokens => "moonshine/tokenizer.bin",
            Self::HibariVoice => "hibari/hibari.onnx",
            Self::HibariPhonemes => "hibari/vocab.json",
            Self::HibariSpelling => "hibari/oov.onnx",
            Self::HibariLetters => "hibari/oov.json",
            Self::Lite0 => "efficientnet/efficientnet-lite0-57934424.onnx",
            Self::SeetaFace => "seetaface/seeta_fd_frontal_v1.0.bin",
        }
    }

    /// The published file that the script converts to this one. Where it is present nothing has to be downloaded.
    const fn source(self) -> Option<&'static str> {
        match self {
            Self::MoonshineEncoder => Some("moonshine/encoder_model.ort"),
            Self::MoonshineDecoder => Some("moonshine/decoder_model_merged.ort"),
            Self::Lite0 => Some("efficientnet/efficientnet-lite0-57934424.pth"),
            _ => None,
        }
    }
}

/// A folder that has all speech models.
#[derive(Debug, Clone)]
pub struct ModelDir {
    path: PathBuf,
}

impl ModelDir {
    /// Locates the models: `explicit` if given, else `$REALTIME_SERVER_MODELS`, else the cache folder. A folder that
    /// was named and is incomplete is an error; the next place is not tried.
    pub fn find(explicit: Option<&Path>) -> Result<Self, ModelsMissing> {
        let path = explicit
            .map(Path::to_owned)
            .or_else(|| env::var_os(VARIABLE).filter(|value| !value.is_empty()).map(PathBuf::from))
            .or_else(cache_folder);
        let Some(path) = path else {
            return Err(ModelsMissing {
                what: "speech",
                path: PathBuf::new(),
                files: Vec::new(),
                unconverted: None,
                is_default: false,
            });
        };
        let dir = Self { path };
        match dir.missing("speech", &ModelFile::SPEECH) {
            Some(missing) => Err(missing),
            None => Ok(dir),
        }
    }

    /// The error for those of `files` that are missing, `None` when all are present. `what` names them in the message.
    pub fn missing(&self, what: &'static str, files: &[ModelFile]) -> Option<ModelsMissing> {
        let missing: Vec<_> = files.iter().copied().filter(|file| !self.has(*file)).collect();
        let sources: Option<Vec<_>> = missing.iter().map(|file| file.source()).collect();
        let unconverted = sources.filter(|sources| sources.iter().all(|source| self.path.join(source).is_file()));
        (!missing.is_empty()).then(|| ModelsMissing {
            what,
            path: self.path.clone(),
            files: missing.into_iter().map(ModelFile::name).collect(),
            unconverted: unconverted.and_then(|sources| sources.first().copied()),
            is_default: cache_folder().is_some_and(|default| default == self.path),
        })
    }

    /// Whether a file exists and is not empty.
    pub fn has(&self, file: ModelFile) -> bool {
        fs::metadata(self.file(file)).is_ok_and(|found| found.is_file() && found.len() > 0)
    }

    /// The path of a file.
    pub fn file(&self, file: ModelFile) -> PathBuf {
        self.path.join(file.name())
    }

    /// Reads a file.
    pub fn read(&self, file: ModelFile) -> Result<Vec<u8>> {
        let path = self.file(file);
        fs::read(&path).with_context(|| format!("cannot read {}", path.display()))
    }
}

impl fmt::Display for ModelDir {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.path.display().fmt(f)
    }
}

/// The script's default folder.
fn cache_folder() -> Option<PathBuf> {
    let absolute = |name| env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let cache = absolute("XDG_CACHE_HOME").or_else(|| Some(absolute("HOME")?.join(".cache")))?;
    Some(cache.join("gst-openairealtime").join("models"))
}

/// Models are missing. `Display` gives one line for the user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ModelsMissing {
    what: &'static str,
    path: PathBuf,
    files: Vec<&'static str>,
    /// The source of the first file, when the sources of all of them are present.
    unconverted: Option<&'static str>,
    is_default: bool,
}

impl fmt::Display for ModelsMissing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(first) = self.files.first() else {
            return write!(f, "no folder for the {} models: set {VARIABLE}, or HOME, then run {SCRIPT}", self.what);
        };
        if let Some(source) = self.unconverted {
            write!(f, "the {} models in {} are not converted to ONNX yet: ", self.what, self.path.display())?;
            write!(f, "there is {source} but no {first}; convert them with: {SCRIPT}")?;
        } else {
            write!(f, "the {} models are not complete in {}: {first}", self.what, self.path.display())?;
            match self.files.len() - 1 {
                0 => write!(f, " is missing")?,
                1 => write!(f, " and one more file are missing")?,
                more => write!(f, " and {more} more files are missing")?,
            }
            write!(f, "; fetch them with: {SCRIPT}")?;
        }
        if !self.is_default {
            write!(f, " '{}'", self.path.display())?;
        }
        Ok(())
    }
}

impl std::error::Error for ModelsMissing {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_folder_is_answered_with_one_line() {
        let folder = env::temp_dir().join("realtime server without models");
        let missing = ModelDir::find(Some(&folder)).expect_err("there are no models");
        let line = missing.to_string();
        assert!(!line.contains('\n'));
        assert!(line.contains("realtime server without models: moonshine/"), "{line}");
        assert!(line.contains("and 6 more files are missing"), "{line}");
        assert!(line.ends_with(&format!("get-models.sh '{}'", folder.display())), "{line}");
    }

    #[test]
    fn a_folder_with_unconverted_models_names_the_command_that_converts_them() {
        let folder = env::temp_dir().join(format!("realtime-server-sources-{}", std::process::id()));
        for file in ModelFile::SPEECH.into_iter().chain(ModelFile::VISION) {
            let path = folder.join(file.source().unwrap_or(file.name()));
            fs::create_dir_all(path.parent().expect("a folder")).expect("a folder in the temporary folder");
            fs::write(path, "x").expect("a small file");
        }
        let speech = ModelDir::find(Some(&folder));
        let pictures = ModelDir { path: folder.clone() }.missing("picture", &ModelFile::VISION);
        fs::remove_dir_all(&folder).expect("the folder just made");
        let line = speech.expect_err("nothing is converted").to_string();
        assert!(line.contains("there is moonshine/encoder_model.ort but no moonshine/encoder_model.onnx"), "{line}");
        assert!(line.ends_with(&format!("; convert them with: {SCRIPT} '{}'", folder.display())), "{line}");
        let line = pictures.expect("nothing is converted").to_string();
        assert!(line.contains("there is efficientnet/efficientnet-lite0-57934424.pth but no"), "{line}");
    }

    #[test]
    fn an_empty_file_counts_as_missing() {
        let folder = env::temp_dir().join(format!("realtime-server-models-{}", std::process::id()));
        for file in ModelFile::SPEECH {
            let path = folder.join(file.name());
            fs::create_dir_all(path.parent().expect("a folder")).expect("a folder in the temporary folder");
            fs::write(path, if file == ModelFile::HibariVoice { "" } else { "x" }).expect("a small file");
        }
        let found = ModelDir::find(Some(&folder));
        fs::remove_dir_all(&folder).expect("the folder just made");
        let line = found.expect_err("one file is empty").to_string();
        assert!(line.contains(": hibari/hibari.onnx is missing; fetch them"), "{line}");
        let missing = ModelDir { path: folder }.missing("picture", &ModelFile::VISION).expect("none was made");
        assert!(missing.to_string().starts_with("the picture models are not complete in "), "{missing}");
    }
}
