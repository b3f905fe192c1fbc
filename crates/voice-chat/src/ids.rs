// SPDX-License-Identifier: MPL-2.0

//! Identifiers that nobody can guess.

/// So many random bytes make an identifier.
const RANDOM_LEN: usize = 16;

/// The name of a call, as in `Location: /v1/realtime/calls/rtc_…`.
pub fn call() -> String {
    format!("rtc_{}", random())
}

/// The name of an event that this server makes.
pub fn event() -> String {
    format!("event_{}", random())
}

/// A client secret. The prefix is what the official clients expect.
pub fn client_secret() -> String {
    format!("ek_{}{}", random(), random())
}

fn random() -> String {
    let mut bytes = [0; RANDOM_LEN];
    // Without the system's random numbers neither TLS nor SRTP would work.
    getrandom::fill(&mut bytes).unwrap_or_else(|error| panic!("the system has no random numbers: {error}"));
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    #[test]
    fn identifiers_have_their_prefix_and_differ() {
        assert!(super::client_secret().starts_with("ek_") && super::client_secret().len() == 3 + 64);
        assert!(super::call().starts_with("rtc_"));
        assert_ne!(super::event(), super::event());
    }
}
