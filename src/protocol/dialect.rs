//! GA and beta spellings: the only place that knows that there are two.
//!
//! Reading accepts both always. Names that differ are in the tables here; names that are alike need no entry.

/// Server events: the beta's name, the GA's name.
const EVENTS: &[(&str, &str)] = &[
    ("response.text.delta", "response.output_text.delta"),
    ("response.text.done", "response.output_text.done"),
    ("response.audio.delta", "response.output_audio.delta"),
    ("response.audio.done", "response.output_audio.done"),
    ("response.audio_transcript.delta", "response.output_audio_transcript.delta"),
    ("response.audio_transcript.done", "response.output_audio_transcript.done"),
    ("transcription_session.created", "session.created"),
    ("transcription_session.updated", "session.updated"),
];

/// Formats of sound: the beta's name, the GA's name.
const FORMATS: &[(&str, &str)] = &[("pcm16", "audio/pcm"), ("g711_ulaw", "audio/pcmu"), ("g711_alaw", "audio/pcma")];

fn translate<'a>(table: &[(&str, &'static str)], name: &'a str) -> &'a str {
    table.iter().find(|(beta, _)| *beta == name).map_or(name, |(_, ga)| ga)
}

/// The GA name of an event in either spelling.
pub fn ga_event_name(name: &str) -> &str {
    translate(EVENTS, name)
}

/// The GA name of a format in either spelling.
pub fn ga_format_name(name: &str) -> &str {
    translate(FORMATS, name)
}
