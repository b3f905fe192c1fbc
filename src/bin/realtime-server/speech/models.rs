//! Where the speech models live on disk.
//!
//! The server does not carry its models: a script fetches them once into a folder, and this module finds that folder
//! again and knows the name of every file in it. Nothing is downloaded here. A folder that is not there, or not
//! complete, is answered with one line that says what is missing and which command fetches it.

use std::env;
use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

/// The environment variable that names the models' folder.
const VARIABLE: &str = "REALTIME_SERVER_MODELS";

/// The script that fetches the models, as a user who stands in the source folder types it.
const SCRIPT: &str = "pipelines/support/get-models.sh";

/// A file of the models' folder that the server needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ModelFile {
    /// Silero: where there is speech.
    Silero,
    /// Moonshine: from sound to what was said, first half.
    MoonshineEncoder,
    /// Moonshine: from what was said to words, second half.
    MoonshineDecoder,
    /// Moonshine: the pieces that words are made of.
    MoonshineTokens,
    /// Hibari: from phonemes to sound.
    HibariVoice,
    /// Hibari: the numbers of the phonemes.
    HibariPhonemes,
    /// Hibari: how a word sounds that no lexicon knows.
    HibariSpelling,
    /// Hibari: the letters and phonemes of the file above.
    HibariLetters,
}

impl ModelFile {
    const ALL: [Self; 8] = [
        Self::Silero,
        Self::MoonshineEncoder,
        Self::MoonshineDecoder,
        Self::MoonshineTokens,
        Self::HibariVoice,
        Self::HibariPhonemes,
        Self::HibariSpelling,
        Self::HibariLetters,
    ];

    const fn name(self) -> &'static str {
        match self {
            Self::Silero => "silero/silero_vad_16k_sequence.onnx",
            Self::MoonshineEncoder => "moonshine/encoder_model.ort",
            Self::MoonshineDecoder => "moonshine/decoder_model_merged.ort",
            Self::MoonshineTokens => "moonshine/tokenizer.bin",
            Self::HibariVoice => "hibari/hibari.onnx",
            Self::HibariPhonemes => "hibari/vocab.json",
            Self::HibariSpelling => "hibari/oov.onnx",
            Self::HibariLetters => "hibari/oov.json",
        }
    }
}

/// A folder in which every model file was seen.
#[derive(Debug, Clone)]
pub struct ModelDir {
    path: PathBuf,
}

impl ModelDir {
    /// Finds the models: in `explicit` if given, else in the folder that `$REALTIME_SERVER_MODELS` names, else in the
    /// cache folder. The first of these that is named is the one: a wrong name is an error, not a reason to look on.
    pub fn find(explicit: Option<&Path>) -> Result<Self, ModelsMissing> {
        let path = explicit
            .map(Path::to_owned)
            .or_else(|| env::var_os(VARIABLE).filter(|value| !value.is_empty()).map(PathBuf::from))
            .or_else(cache_folder);
        let Some(path) = path else {
            return Err(ModelsMissing { path: PathBuf::new(), files: Vec::new(), is_default: false });
        };
        let files: Vec<_> = ModelFile::ALL
            .into_iter()
            .filter(|file| !fs::metadata(path.join(file.name())).is_ok_and(|found| found.is_file() && found.len() > 0))
            .map(ModelFile::name)
            .collect();
        if files.is_empty() {
            Ok(Self { path })
        } else {
            let is_default = cache_folder().is_some_and(|default| default == path);
            Err(ModelsMissing { path, files, is_default })
        }
    }

    /// The path of one file, for messages.
    pub(super) fn file(&self, file: ModelFile) -> PathBuf {
        self.path.join(file.name())
    }

    /// Reads one file as a whole.
    pub(super) fn read(&self, file: ModelFile) -> Result<Vec<u8>> {
        let path = self.file(file);
        fs::read(&path).with_context(|| format!("cannot read {}", path.display()))
    }
}

impl fmt::Display for ModelDir {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.path.display().fmt(f)
    }
}

/// Where the script puts the models when it is not told a folder.
fn cache_folder() -> Option<PathBuf> {
    let absolute = |name| env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let cache = absolute("XDG_CACHE_HOME").or_else(|| Some(absolute("HOME")?.join(".cache")))?;
    Some(cache.join("gst-openairealtime").join("models"))
}

/// The models are not where they should be. Its `Display` is one line for the user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ModelsMissing {
    path: PathBuf,
    files: Vec<&'static str>,
    is_default: bool,
}

impl fmt::Display for ModelsMissing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(first) = self.files.first() else {
            return write!(f, "no folder for the speech models: set {VARIABLE}, or HOME, then run {SCRIPT}");
        };
        write!(f, "the speech models are not complete in {}: {first}", self.path.display())?;
        match self.files.len() - 1 {
            0 => write!(f, " is missing")?,
            1 => write!(f, " and one more file are missing")?,
            more => write!(f, " and {more} more files are missing")?,
        }
        write!(f, "; fetch them with: {SCRIPT}")?;
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
        assert!(line.contains("realtime server without models: silero/"), "{line}");
        assert!(line.contains("and 7 more files are missing"), "{line}");
        assert!(line.ends_with(&format!("get-models.sh '{}'", folder.display())), "{line}");
    }

    #[test]
    fn an_empty_file_counts_as_missing() {
        let folder = env::temp_dir().join(format!("realtime-server-models-{}", std::process::id()));
        for file in ModelFile::ALL {
            let path = folder.join(file.name());
            fs::create_dir_all(path.parent().expect("a folder")).expect("a folder in the temporary folder");
            fs::write(path, if file == ModelFile::HibariVoice { "" } else { "x" }).expect("a small file");
        }
        let found = ModelDir::find(Some(&folder));
        fs::remove_dir_all(&folder).expect("the folder just made");
        let line = found.expect_err("one file is empty").to_string();
        assert!(line.contains(": hibari/hibari.onnx is missing; fetch them"), "{line}");
    }
}
