// SPDX-License-Identifier: MPL-2.0

//! How far a conversation has come when a fault strikes: what the user does, and what the server's script says before
//! the fault, after a fault that ends nothing, and on the next connection.

/// The upgrade is done, the session is not ready.
pub const OPEN: &str = "hello\nexpect session.update\n";
/// The session is ready.
pub const READY: &str = "hello\nexpect session.update\nsend session.updated {\"session\": {\"type\": \"realtime\"}}\n";
/// The client asks for an answer.
pub const ASKED: &str = "await response.create within 30s\n";
/// The answer, and nothing more is asked: whatever the client says behind it fails the script.
pub const ANSWER: &str = "respond \"Fine.\" <tone:440:200>\nignore session.update\nexpect close within 60s\n";
/// Nothing is asked; what was said before is told.
pub const NOTHING: &str = "ignore conversation.item.create session.update\nexpect close within 60s\n";
/// Half an answer, which the client has read.
pub const HALF: &str = "send response.created {\"response\": {\"id\": \"half\", \"conversation_id\": \"c\"}}\n\
    send response.output_audio.delta {\"response_id\": \"half\", \"item_id\": \"half\", \"output_index\": 0, \
    \"content_index\": 0, \"delta\": \"<tone:440:100>\"}\nping\nexpect pong\n";
const REST_OF_HALF: &str = "send response.output_audio_transcript.done {\"response_id\": \"half\", \"item_id\": \"half\", \
    \"output_index\": 0, \"content_index\": 0, \"transcript\": \"Fine.\"}\n\
    send response.output_audio.done {\"response_id\": \"half\", \"item_id\": \"half\", \"output_index\": 0, \
    \"content_index\": 0}\n\
    send response.done {\"response\": {\"id\": \"half\", \"conversation_id\": \"c\", \"status\": \"completed\"}}\n\
    expect close within 60s\n";
const CALL: &str = "send response.created {\"response\": {\"id\": \"r\", \"conversation_id\": \"c\"}}\n\
    send response.output_item.done {\"response_id\": \"r\", \"output_index\": 0, \"item\": {\"id\": \"i\", \
    \"type\": \"function_call\", \"status\": \"completed\", \"call_id\": \"call_1\", \"name\": \"weather\", \
    \"arguments\": \"{}\"}}\n\
    send response.done {\"response\": {\"id\": \"r\", \"conversation_id\": \"c\", \"status\": \"completed\"}}\n\
    ping\nexpect pong\n";
const OUTPUT: &str = "await conversation.item.create within 30s {\"item\": {\"type\": \"function_call_output\", \
    \"call_id\": \"call_1\", \"output\": \"rain\"}}\nawait response.create within 30s\n";
/// The server hears the user begin to speak.
const STARTED: &str = "wait audio 100ms\n\
    send input_audio_buffer.speech_started {\"item_id\": \"u\", \"audio_start_ms\": 20}\n";
/// And finds the end of the turn.
const STOPPED: &str = "wait audio 300ms\n\
    send input_audio_buffer.speech_stopped {\"item_id\": \"u\", \"audio_end_ms\": 280}\n\
    send input_audio_buffer.committed {\"item_id\": \"u\"}\n";
/// Offline the client finds the turn.
const COMMITTED: &str = "await input_audio_buffer.commit within 30s\n\
    send input_audio_buffer.committed {\"item_id\": \"u\"}\n";
const HEARD: &str = "ping\nexpect pong\n";

/// What the user does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum User {
    /// Types a question.
    Types,
    /// Asks it aloud: live into a microphone, where the server finds the turn; offline from a file, where the element does.
    Speaks,
}

/// A stage.
pub struct Stage {
    pub name: &'static str,
    pub user: User,
    /// The stream ends before the answer is there.
    pub ends_early: bool,
    /// The connection until the fault.
    pub before: String,
    /// What follows on it if the fault has not ended it.
    pub rest: String,
    /// What brings the client to owe nothing but an answer on the next connection, behind [`READY`].
    pub asked_again: String,
}

impl Stage {
    fn typed(name: &'static str, before: &str, rest: &str) -> Self {
        let (before, rest) = (before.into(), rest.into());
        Self { name, user: User::Types, ends_early: false, before, rest, asked_again: ASKED.into() }
    }
}

/// All stages, live or offline.
pub fn stages(live: bool) -> [Stage; 7] {
    let answered = [ASKED, ANSWER].concat();
    let (listening, found) = match live {
        true => ([READY, STARTED, HEARD].concat(), STOPPED.to_owned()),
        false => ([READY, "wait audio 300ms\n"].concat(), [COMMITTED, ASKED].concat()),
    };
    let found_again = if live { [STARTED, STOPPED].concat() } else { found.clone() };
    let committed = if live { [READY, STARTED, STOPPED, HEARD].concat() } else { [READY, &found].concat() };
    [
        Stage::typed(
            "connecting",
            OPEN,
            &["send session.updated {\"session\": {\"type\": \"realtime\"}}\n", &answered].concat(),
        ),
        Stage::typed("ready", READY, &answered),
        Stage {
            user: User::Speaks,
            asked_again: found_again,
            ..Stage::typed("user speaks", &listening, &[&found, ANSWER].concat())
        },
        Stage { user: User::Speaks, ..Stage::typed("turn committed", &committed, ANSWER) },
        Stage::typed("model speaks", &[READY, ASKED, HALF].concat(), REST_OF_HALF),
        Stage {
            asked_again: OUTPUT.into(),
            ..Stage::typed("function call", &[READY, ASKED, CALL].concat(), &[OUTPUT, ANSWER].concat())
        },
        Stage { ends_early: true, ..Stage::typed("drain", &[READY, ASKED].concat(), ANSWER) },
    ]
}
