// SPDX-License-Identifier: MPL-2.0

//! Which sentences call functions that act: requests, and nothing that only speaks of the action.

use super::{calls, function, user};
use crate::engine::Prompt;
use crate::rules::function_calling::{Plan, plan};
use serde_json::{Value, json};

/// Three functions that act and two that inform.
fn tools() -> Vec<Value> {
    let text = json!({"type": "string"});
    vec![
        function(
            "transfer_money",
            "Transfer money to a person",
            json!({"amount": {"type": "number"}, "to": text}),
            &["amount", "to"],
        ),
        function(
            "unlock_door",
            "Unlock a door of the house",
            json!({"door": {"type": "string", "enum": ["front", "back", "garage"]}}),
            &["door"],
        ),
        function(
            "send_message",
            "Send a message to a person",
            json!({"recipient": text, "text": text}),
            &["recipient", "text"],
        ),
        function("get_weather", "Get the current weather for a location", json!({"location": text}), &["location"]),
        function("get_time", "Tells the time in a city", json!({"city": text}), &[]),
    ]
}

fn planned(text: &str) -> Plan {
    plan(&Prompt { turns: vec![user(text)], tools: tools(), parallel: true, ..Default::default() })
}

/// Fails with every sentence that calls something, or asks for an argument.
#[track_caller]
fn none_calls(sentences: &[&str]) {
    let answered = Plan { words: None, answer: true, calls: Vec::new() };
    let acted: Vec<String> = sentences
        .iter()
        .map(|text| (text, planned(text)))
        .filter(|(_, plan)| *plan != answered)
        .map(|(text, plan)| format!("{text} -> {plan:?}"))
        .collect();
    assert!(acted.is_empty(), "{} of {}:\n{}", acted.len(), sentences.len(), acted.join("\n"));
}

/// Fails with every sentence that does not give this one call.
#[track_caller]
fn each_calls(sentences: &[(&str, &str)]) {
    let other: Vec<String> = sentences
        .iter()
        .map(|(text, expected)| (text, expected, planned(text)))
        .filter(|(_, expected, plan)| calls(plan) != [**expected])
        .map(|(text, expected, plan)| format!("{text} -> {plan:?}, not {expected}"))
        .collect();
    assert!(other.is_empty(), "{} of {}:\n{}", other.len(), sentences.len(), other.join("\n"));
}

#[test]
fn what_is_negated_asked_conditional_past_or_quoted_calls_nothing() {
    none_calls(&[
        // Negated.
        "Do not transfer fifty dollars to Peter.",
        "Don't unlock the front door.",
        "Please don't send Anna a message saying I am late.",
        "Never unlock the back door.",
        "I don't want you to unlock the front door.",
        "You shouldn't transfer any money to Peter.",
        "Under no circumstances unlock the garage door.",
        "There is no need to unlock the front door.",
        "Stop transferring money to Peter.",
        "I changed my mind, don't unlock the front door after all.",
        "I'd rather you didn't unlock the front door.",
        "Unlock the front door? Absolutely not.",
        "Not the front door, please.",
        // Asked.
        "Is the front door unlocked?",
        "Did you unlock the front door?",
        "Can I unlock the front door with my phone?",
        "How can I transfer fifty dollars to Peter?",
        "Should we unlock the front door?",
        "Who can unlock the front door?",
        "Why would anyone transfer fifty dollars to Peter?",
        "Do you think it is safe to unlock the front door?",
        "What would happen if I unlocked the front door?",
        "Are you able to unlock the front door?",
        "How long does it take to transfer money to Peter?",
        // Conditional.
        "If it rains, unlock the back door.",
        "Unlock the front door when Anna arrives.",
        "Transfer fifty dollars to Peter only if he asks.",
        "In case of fire unlock the front door.",
        "As soon as I am home, unlock the front door.",
        "Unless I say otherwise, transfer fifty dollars to Peter on Friday.",
        // Past.
        "I already transferred fifty dollars to Peter.",
        "Anna unlocked the front door an hour ago.",
        "We have sent a message to Anna saying hello.",
        "You were supposed to unlock the front door.",
        "I used to transfer fifty dollars to Peter every month.",
        // Quoted or reported.
        "Peter said: unlock the front door.",
        "He said \"transfer fifty dollars to Peter\".",
        "My boss told me to transfer fifty dollars to Peter.",
        "The sign says unlock the front door.",
        "Anna wants me to unlock the front door.",
        "She asked \"please unlock the back door\" and then laughed.",
        "The phrase unlock the front door has four words.",
    ]);
}

#[test]
fn direct_requests_call_with_what_was_said() {
    let money = r#"transfer_money {"amount":50,"to":"Peter"}"#;
    let front = r#"unlock_door {"door":"front"}"#;
    let garage = r#"unlock_door {"door":"garage"}"#;
    let message = r#"send_message {"recipient":"Anna","text":"I am late"}"#;
    let weather = r#"get_weather {"location":"Paris"}"#;
    each_calls(&[
        ("Transfer fifty dollars to Peter.", money),
        ("Please transfer fifty dollars to Peter.", money),
        ("Could you please transfer fifty dollars to Peter?", money),
        ("Would you mind transferring fifty dollars to Peter?", money),
        ("I'd like you to transfer fifty dollars to Peter.", money),
        ("I want to transfer 50 dollars to Peter.", money),
        ("Go ahead and transfer fifty dollars to Peter.", money),
        ("Transfer 50 dollars to Peter right now.", money),
        ("Yes, transfer fifty dollars to Peter, thank you.", money),
        ("Unlock the front door.", front),
        ("Could you please unlock the front door", front),
        ("Can you unlock the front door for me?", front),
        ("I'd like you to unlock the front door.", front),
        ("Go ahead and unlock the front door.", front),
        ("Hey, would you unlock the front door please?", front),
        ("I need you to unlock the garage door.", garage),
        ("Please go and unlock the garage door now.", garage),
        ("Let's unlock the garage door.", garage),
        ("Okay, the garage door, unlock it please.", garage),
        ("Send a message to Anna saying I am late.", message),
        ("Send Anna a message saying I am late.", message),
        ("Please send a message to Anna: I am late.", message),
        ("Could you send a message to Anna that I am late?", message),
        ("I want you to send Anna the message \"I am late\".", message),
        ("Will you send a message to Anna saying I am late, please?", message),
        ("What is the weather in Paris?", weather),
        ("Do you know the weather in Paris?", weather),
        ("Can you tell me what the weather is like in Paris?", weather),
        ("What time is it in Tokyo?", r#"get_time {"city":"Tokyo"}"#),
        ("Could you tell me the time in Tokyo?", r#"get_time {"city":"Tokyo"}"#),
    ]);
}

/// Sentences of other shapes than those for which the rules were written. At first three of these were taken for requests.
#[test]
fn other_sentences_that_only_speak_of_an_action_call_nothing() {
    none_calls(&[
        "You must never, ever transfer money to Peter.",
        "No need to unlock the front door.",
        "Nobody should unlock the front door.",
        "Whatever you do, do not send a message to Anna saying hello.",
        "I forbid you to unlock the front door.",
        "Refrain from unlocking the front door.",
        "Hold off on transferring fifty dollars to Peter.",
        "Forget about unlocking the front door.",
        "Unlock the front door, no wait, don't.",
        "It would be a mistake to transfer fifty dollars to Peter.",
        "I am not asking you to unlock the front door.",
        "Won't you unlock the front door by accident?",
        "Was the front door unlocked last night?",
        "Does Peter know how to unlock the front door?",
        "May Peter unlock the front door?",
        "Is it possible to transfer fifty dollars to Peter?",
        "What does it cost to transfer fifty dollars to Peter?",
        "I wonder whether I should unlock the front door.",
        "Could Peter unlock the front door?",
        "Which of you can unlock the garage door?",
        "Provided that Peter agrees, transfer fifty dollars to him.",
        "Once the guests are here, unlock the front door.",
        "Were I at home, I would unlock the front door.",
        "Transfer fifty dollars to Peter as long as there is enough money.",
        "Should Peter call, unlock the front door.",
        "The door unlocks when it burns.",
        "Last week I unlocked the front door by mistake.",
        "Somebody had unlocked the garage door.",
        "I was about to transfer fifty dollars to Peter.",
        "Peter has just transferred fifty dollars to Anna.",
        "My mother always sends a message to Anna saying good night.",
        "They ordered us to unlock the front door.",
        "\"Unlock the front door\" is what he shouted.",
        "In the film the thief says unlock the front door.",
        "I read that you can transfer money to Peter.",
        "Unlocking the front door takes a while.",
        "Imagine that I said unlock the front door.",
        "It is dangerous to unlock the front door at night.",
        "Peter can transfer fifty dollars to Anna.",
        "I might transfer fifty dollars to Peter.",
    ]);
}

/// As the sentences above.
#[test]
fn other_direct_requests_call_with_what_was_said() {
    let money = r#"transfer_money {"amount":20,"to":"Maria"}"#;
    let back = r#"unlock_door {"door":"back"}"#;
    let message = r#"send_message {"recipient":"Tom","text":"dinner is ready"}"#;
    each_calls(&[
        ("I would like you to transfer twenty euros to Maria.", money),
        ("Can you transfer 20 euros to Maria?", money),
        ("Would you please transfer twenty euros to Maria?", money),
        ("Now transfer twenty euros to Maria.", money),
        ("I need to transfer twenty euros to Maria.", money),
        ("transfer twenty euros to Maria please", money),
        ("It is urgent, please transfer twenty euros to Maria.", money),
        ("Alright, go ahead, transfer twenty euros to Maria.", money),
        ("Unlock the back door, would you?", back),
        ("Could you kindly unlock the back door?", back),
        ("Please unlock the door at the back.", back),
        ("Be so kind as to unlock the back door.", back),
        ("Would you be so kind as to unlock the back door?", back),
        ("I want the back door unlocked.", back),
        ("Unlock the back door for the guests.", back),
        ("I'm outside, unlock the back door.", back),
        ("Do me a favor and unlock the back door.", back),
        ("I was wondering if you could unlock the back door.", back),
        ("Do unlock the back door, please.", back),
        ("Would you unlock the back door?", back),
        ("Send a message to Tom saying dinner is ready.", message),
        ("Please send Tom a message that dinner is ready.", message),
        ("I'd like to send a message to Tom saying dinner is ready.", message),
        ("Send the message \"dinner is ready\" to Tom.", message),
        ("Go ahead and send a message to Tom saying dinner is ready.", message),
    ]);
}

#[test]
fn an_order_to_stop_calls_what_can_stop() {
    let tool = |name: &str, about: &str| function(name, about, json!({}), &[]);
    let tools = vec![tool("play_music", "Play music"), tool("stop_music", "Stop the music")];
    for (text, expected) in [("Stop playing music.", ["stop_music {}"]), ("Play music.", ["play_music {}"])] {
        let plan = plan(&Prompt { turns: vec![user(text)], tools: tools.clone(), ..Default::default() });
        assert_eq!(calls(&plan), expected, "{text}");
    }
}

/// Written when all sentences above were understood. At first one of these was taken for a request.
#[test]
fn still_other_sentences_call_nothing() {
    none_calls(&[
        "Leave the front door locked, do not unlock it.",
        "Peter will transfer fifty dollars to Anna tomorrow.",
        "Have you sent a message to Anna saying hello?",
        "Let's not unlock the front door.",
        "I refuse to transfer fifty dollars to Peter.",
        "Are the guests allowed to unlock the front door?",
        "The bank will transfer fifty dollars to Peter.",
        "Suppose you unlock the front door, what happens?",
        "It was Peter who unlocked the front door.",
        "When did I transfer fifty dollars to Peter?",
        "My daughter wrote: send a message to Anna saying hello.",
        "Just kidding, don't transfer fifty dollars to Peter.",
        "Only unlock the front door after Anna has called.",
        "To unlock the front door you need a key.",
        "You told me you would unlock the front door.",
        "Everyone wants to transfer fifty dollars to Peter.",
        "Can't you unlock the front door?",
        "I'm afraid to unlock the front door.",
        "I sometimes unlock the front door for the neighbours.",
        "Before you unlock the front door, call me.",
        "Is it you who should unlock the front door?",
        "Peter asked me: can you unlock the front door?",
        "There was a message: transfer fifty dollars to Peter.",
        "Thanks for unlocking the front door.",
        "I hope nobody unlocks the front door.",
    ]);
}
