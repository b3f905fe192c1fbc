// SPDX-License-Identifier: MPL-2.0

//! What all requests share.

use crate::access::{Access, RateLimit};
use crate::cli::Cli;
use crate::media::peer::PeerConfig;
use crate::metrics::Metrics;
use crate::registry::Registry;
use std::sync::Arc;

/// The program's state.
pub struct App {
    /// The command line.
    pub cli: Cli,
    /// Who may come in.
    pub access: Access,
    /// How often.
    pub rate_limit: RateLimit,
    /// Who is there.
    pub registry: Arc<Registry>,
    /// What is counted.
    pub metrics: Metrics,
}

impl App {
    /// For a command line.
    pub fn new(cli: Cli) -> Arc<Self> {
        Arc::new(Self {
            access: Access::new(cli.access_key.clone()),
            rate_limit: RateLimit::new(cli.requests_per_minute),
            registry: Registry::new(cli.max_visitors),
            metrics: Metrics::new(),
            cli,
        })
    }

    /// How peers are reached.
    pub fn peer_config(&self) -> PeerConfig {
        PeerConfig {
            stun: self.cli.stun.clone(),
            turn: self.cli.turn.clone(),
            ice_transport_policy: self.cli.ice_transport_policy,
            udp_ports: self.cli.udp_ports,
        }
    }
}
