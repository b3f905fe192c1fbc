// SPDX-License-Identifier: MPL-2.0

//! The command line.

use clap::Parser;
use std::path::PathBuf;

/// The sections of the manual page behind the options.
const AFTER_HELP: &str = "\
Files in OUTPUT_URI:
  row.json                   one JSON object: what came of the recording; written last, so it marks that all is there
  transcript.srt, .vtt       what is said, with times
  answer.wav, dub.wav        the spoken output, where the settings ask for it
  progress.json              what is done so far; the next run goes on there. Removed at the end

Standard output has the row as its last line. With a row of the same recording and settings in OUTPUT_URI that is ok,
nothing is done and that row is printed. The settings are explained in docs/archive.md.

Environment:
  OPENAI_API_KEY, OPENAI_BASE_URL, AZURE_OPENAI_ENDPOINT …     the server and its key, as for the element
  AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_REGION …       S3; also the roles of instances, containers and pods
  GOOGLE_APPLICATION_CREDENTIALS …, AZURE_STORAGE_ACCOUNT_NAME …  Google Cloud Storage, Azure Blob Storage
  HTTPS_PROXY, NO_PROXY, SSL_CERT_FILE                         HTTPS
  TMPDIR                                                       where copies of remote recordings are kept meanwhile

Exit status:
  0  done, now or before
  1  failed, and another try would fail as well: the recording is empty, broken, silent or not to be read
  2  a mistake on the command line or in the settings; there is no row
  3  failed, and worth another try: network, server, deadline, or told to end
  4  partly done: the next run goes on from there
  5  failed as every other recording will: the key, the quota, the model, a setting that was refused
  6  the results cannot be written; there is no row

Examples:
  recording-worker call.mp3 results/call
  recording-worker s3://calls/2026/17.wav s3://results/2026/17 settings.json";

/// Works through one recording with a realtime voice model: transcript, answers, summary or a filled JSON schema.
///
/// The recording is whatever GStreamer decodes, films as well. INPUT_URI and OUTPUT_URI are paths, file://, https://, s3://,
/// gs:// or az:// URIs; OUTPUT_URI is a folder for this recording alone.
#[derive(Clone, Debug, Parser)]
#[command(version, after_long_help = AFTER_HELP)]
pub struct Cli {
    /// The recording.
    #[arg(value_name = "INPUT_URI")]
    pub input: String,

    /// The folder that the results go to.
    #[arg(value_name = "OUTPUT_URI")]
    pub output: String,

    /// A JSON file with what is to be done; without it the recording is transcribed.
    #[arg(value_name = "SETTINGS")]
    pub settings: Option<PathBuf>,

    /// The address of an S3 that is not Amazon's, e.g. `http://127.0.0.1:9000`.
    #[arg(long, value_name = "URL", env = "AWS_ENDPOINT_URL")]
    pub endpoint_url: Option<String>,

    /// Print a JSON line for each turn that is done and each connection that is made again.
    #[arg(long)]
    pub progress: bool,

    /// Do it again even if it is done.
    #[arg(long)]
    pub again: bool,

    /// Go on when the process that has started this one ends.
    #[arg(long)]
    pub outlive_parent: bool,
}
