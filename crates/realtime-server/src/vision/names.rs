// SPDX-License-Identifier: MPL-2.0

//! Spoken names of the ImageNet classes, with articles.

/// All names, in the order of the network's outputs.
pub fn all() -> Vec<&'static str> {
    include_str!("names.txt").lines().filter(|line| !line.starts_with('#')).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_class_has_a_name_that_can_be_spoken() {
        let names = all();
        assert_eq!(names.len(), 1000, "one for each output of the network");
        assert_eq!((names[967], names[985], names[281]), ("an espresso", "a daisy", "a tabby cat"));
        for name in names {
            let (article, noun) = name.split_once(' ').unwrap_or_default();
            let vowel = noun.starts_with(['a', 'e', 'i', 'o', 'A', 'E', 'I', 'O']);
            let sounds_otherwise =
                ["European", "umbrella", "upright", "hourglass"].iter().any(|word| noun.starts_with(word));
            match article {
                "a" => assert!(vowel == sounds_otherwise || noun.starts_with('u'), "{name}"),
                "an" => assert!(vowel != sounds_otherwise, "{name}"),
                _ => assert!(!name.is_empty() && name.trim() == name, "{name:?}"),
            }
        }
    }
}
