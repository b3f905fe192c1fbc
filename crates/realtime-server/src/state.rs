// SPDX-License-Identifier: MPL-2.0

//! What all connections of a server share.

use crate::auth::Auth;
use crate::engine::Engine;
use crate::engines::replay::Replay;
use crate::engines::script::ScriptRunner;
use crate::metrics::Metrics;
use crate::spoken_answers::SpokenAnswers;
use crate::trace::Recorder;
use crate::worker_pool::Workers;
use std::sync::Arc;
use std::time::Duration;

/// How long a client may take for its TLS handshake, for a request's head, and for its body.
pub const CLIENT_TIMEOUT: Duration = Duration::from_secs(30);

/// Who answers.
pub enum Backend {
    /// An engine, under the rules of a session.
    Engine(Arc<dyn Engine>),
    /// A script.
    Script(Arc<ScriptRunner>),
    /// A trace.
    Replay(Arc<Replay>),
}

/// What all connections share.
pub struct App {
    /// Who answers.
    pub backend: Backend,
    /// Who may come in.
    pub auth: Auth,
    /// Models that are refused by name.
    pub refused_models: Vec<String>,
    /// Who asks for the beta of the protocol is sent away.
    pub refuse_beta: bool,
    /// Where traces go.
    pub recorder: Option<Recorder>,
    /// How long a session may last.
    pub max_session: Duration,
    /// How often to ping; zero for never.
    pub ping_interval: Duration,
    /// Who does the engine's work.
    pub workers: Workers,
    /// What has happened so far.
    pub metrics: Metrics,
    /// Spoken answers to requests, for later ones.
    pub spoken_answers: SpokenAnswers,
}

impl App {
    /// Whether a model is refused. Any is as good as the other here, but for names that say that they are none.
    pub fn refuses_model(&self, model: &str) -> bool {
        let is_none = model.starts_with("invalid") || model.starts_with("no-such");
        is_none || self.refused_models.iter().any(|refused| refused == model)
    }
}
