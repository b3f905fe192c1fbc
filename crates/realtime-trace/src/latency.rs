// SPDX-License-Identifier: MPL-2.0

//! The latency of a turn, stage by stage.

/// The stages of a turn, in seconds on one clock.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Latency {
    stages: Vec<(&'static str, f64)>,
}

impl Latency {
    /// Adds a stage, if it was reached.
    pub fn reached(&mut self, name: &'static str, time: Option<f64>) {
        self.stages.extend(time.map(|time| (name, time)));
    }

    /// From the first stage to the last; `None` with fewer than two.
    pub fn total(&self) -> Option<f64> {
        let ([(_, first), ..], [.., (_, last)]) = (&*self.stages, &*self.stages) else { return None };
        (self.stages.len() > 1).then_some(last - first)
    }

    /// Whether there are two stages at least, and none is more than `max_lead` seconds before the one that it follows.
    pub fn is_in_order(&self, max_lead: f64) -> bool {
        self.total().is_some_and(|total| total >= 0.0) && self.steps().all(|(_, seconds)| seconds >= -max_lead)
    }

    /// Each stage but the first with the seconds since the one before.
    pub fn steps(&self) -> impl Iterator<Item = (&'static str, f64)> {
        self.stages.windows(2).map(|pair| (pair[1].0, pair[1].1 - pair[0].1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_steps_of_a_latency_add_up() {
        let mut latency = Latency::default();
        for (name, time) in
            [("end of speech", Some(2.1)), ("committed", Some(2.3)), ("left out", None), ("audio", Some(2.5))]
        {
            latency.reached(name, time);
        }
        assert_eq!(latency.steps().map(|(name, _)| name).collect::<Vec<_>>(), ["committed", "audio"]);
        assert!((latency.total().unwrap_or_default() - 0.4).abs() < 1e-9);
        let mut one = Latency::default();
        one.reached("end of speech", Some(1.0));
        assert_eq!(one.total(), None);
    }
}
