// SPDX-License-Identifier: MPL-2.0

//! Which sentences call which functions, and what is said about the results.

mod requests;

use super::*;
use crate::engine::Turn;
use serde_json::json;

fn function(name: &str, description: &str, properties: Value, required: &[&str]) -> Value {
    json!({"type": "function", "name": name, "description": description,
        "parameters": {"type": "object", "properties": properties, "required": required}})
}

/// Functions of a home assistant.
fn tools() -> Vec<Value> {
    let text = json!({"type": "string"});
    vec![
        function(
            "get_weather",
            "Get the current weather for a location",
            json!({"location": text, "unit": {"type": "string", "enum": ["celsius", "fahrenheit"]}}),
            &["location"],
        ),
        function("get_time", "Tells the time in a city", json!({"city": text}), &[]),
        function(
            "set_timer",
            "Set a kitchen timer",
            json!({"minutes": {"type": "integer", "minimum": 1}, "label": text}),
            &["minutes"],
        ),
        function(
            "set_light",
            "Turn the light in a room on or off",
            json!({"room": {"type": "string", "enum": ["kitchen", "living_room"]}, "state": {"type": "string", "enum": ["on", "off"]}, "level": {"type": "number"}}),
            &["room", "state"],
        ),
        function("add", "Add two numbers", json!({"a": {"type": "number"}, "b": {"type": "number"}}), &["a", "b"]),
        function(
            "send_message",
            "Send a message to a person",
            json!({"recipient": text, "text": text}),
            &["recipient", "text"],
        ),
        function("search_web", "Search the web", json!({"query": text}), &["query"]),
        function("find_order", "Find an order", json!({"order_id": text}), &["order_id"]),
        function("remember", "Remember a fact", json!({"fact": text}), &["fact"]),
        function(
            "schedule_meeting",
            "Schedule a meeting",
            json!({"title": text, "attendees": {"type": "array", "items": text}}),
            &["title", "attendees"],
        ),
        function("take_note", "Write a note", json!({"text": text}), &["text"]),
        function("hang_up", "Ends the call when the user says goodbye", json!({}), &[]),
        function(
            "book_flight",
            "Book a flight",
            json!({"origin": text, "destination": text, "passengers": {"type": "integer"}}),
            &["origin", "destination"],
        ),
        function(
            "set_alarm",
            "Set an alarm",
            json!({"duration_seconds": {"type": "integer", "description": "in seconds"}, "loud": {"type": "boolean"}}),
            &["duration_seconds"],
        ),
    ]
}

fn user(text: &str) -> Turn {
    Turn { role: Role::User, parts: vec![Part::Text(text.into())] }
}

fn model(text: &str) -> Turn {
    Turn { role: Role::Assistant, parts: vec![Part::Text(text.into())] }
}

fn called(id: &str, name: &str, arguments: &str) -> Turn {
    Turn {
        role: Role::Assistant,
        parts: vec![Part::Call { call_id: id.into(), name: name.into(), arguments: arguments.into() }],
    }
}

fn gave(id: &str, text: &str) -> Turn {
    Turn { role: Role::Assistant, parts: vec![Part::Output { call_id: id.into(), text: text.into() }] }
}

fn prompt(turns: Vec<Turn>) -> Prompt {
    Prompt { turns, tools: tools(), parallel: true, ..Default::default() }
}

/// The calls as `name arguments`.
fn calls(plan: &Plan) -> Vec<String> {
    plan.calls.iter().map(|call| format!("{} {}", call.name, call.arguments)).collect()
}

#[test]
fn words_call_the_function_that_they_fit_with_what_was_said() {
    for (text, expected) in [
        ("What's the weather in Paris?", vec![r#"get_weather {"location":"Paris"}"#]),
        ("what is the weather like in new york today", vec![r#"get_weather {"location":"new york"}"#]),
        (
            "Weather for San Francisco in Fahrenheit, please.",
            vec![r#"get_weather {"location":"San Francisco","unit":"fahrenheit"}"#],
        ),
        (
            "What's the weather in Paris and London?",
            vec![r#"get_weather {"location":"Paris"}"#, r#"get_weather {"location":"London"}"#],
        ),
        (
            "what's the weather in paris and london",
            vec![r#"get_weather {"location":"paris"}"#, r#"get_weather {"location":"london"}"#],
        ),
        ("What time is it?", vec!["get_time {}"]),
        (
            "What's the weather and the time in Tokyo?",
            vec![r#"get_weather {"location":"Tokyo"}"#, r#"get_time {"city":"Tokyo"}"#],
        ),
        ("Set a timer for five minutes.", vec![r#"set_timer {"minutes":5}"#]),
        ("Set a timer for two hours.", vec![r#"set_timer {"minutes":120}"#]),
        ("Turn on the kitchen light.", vec![r#"set_light {"room":"kitchen","state":"on"}"#]),
        ("Turn the living room lights off.", vec![r#"set_light {"room":"living_room","state":"off"}"#]),
        (
            "Set a timer for 10 minutes and turn off the light in the kitchen.",
            vec![r#"set_timer {"minutes":10}"#, r#"set_light {"room":"kitchen","state":"off"}"#],
        ),
        ("Add seventeen and 25.", vec![r#"add {"a":17,"b":25}"#]),
        (
            "Send a message to Anna saying I will be late.",
            vec![r#"send_message {"recipient":"Anna","text":"I will be late"}"#],
        ),
        ("Search for cheap hotels", vec![r#"search_web {"query":"Search for cheap hotels"}"#]),
        ("Search the web for \"rust gstreamer\"", vec![r#"search_web {"query":"rust gstreamer"}"#]),
        (
            "Book a flight from Boston to New Orleans for 2 passengers",
            vec![r#"book_flight {"destination":"New Orleans","origin":"Boston","passengers":2}"#],
        ),
        (
            "Search the web for jazz and turn on the kitchen light",
            vec![r#"search_web {"query":"Search the web for jazz"}"#, r#"set_light {"room":"kitchen","state":"on"}"#],
        ),
        ("Where is my order A-1234?", vec![r#"find_order {"order_id":"A-1234"}"#]),
        ("Remember that my dog is called Rex.", vec![r#"remember {"fact":"my dog is called Rex"}"#]),
        (
            "Schedule a meeting called Budget with Bob and Alice",
            vec![r#"schedule_meeting {"attendees":["Bob","Alice"],"title":"Budget"}"#],
        ),
        ("Goodbye.", vec!["hang_up {}"]),
        ("Good-bye.", vec!["hang_up {}"]),
        ("Set a loud alarm in 2 minutes", vec![r#"set_alarm {"duration_seconds":120,"loud":true}"#]),
    ] {
        let plan = plan(&prompt(vec![user(text)]));
        assert_eq!(calls(&plan), expected, "{text}");
        assert_eq!((plan.words, plan.answer), (None, false), "{text}");
    }
}

#[test]
fn words_that_fit_nothing_are_answered() {
    for text in [
        "Ask not what your country can do for you.",
        "Not now.",
        "Thank you.",
        "Goodbye, see you tomorrow.",
        "Hello there.",
        "How much is three plus four?",
        "I like music.",
        "",
    ] {
        assert_eq!(plan(&prompt(vec![user(text)])), Plan { words: None, answer: true, calls: Vec::new() }, "{text}");
    }
}

#[test]
fn what_is_required_and_was_not_said_is_asked_for_and_the_answer_is_understood() {
    let question = "To get weather I need to know the location.";
    let first = plan(&prompt(vec![user("What's the weather?")]));
    assert_eq!((first.words.as_deref(), first.answer, first.calls.len()), (Some(question), false, 0));
    for reply in ["Paris.", "In Paris, please.", "paris"] {
        let second = plan(&prompt(vec![user("What's the weather?"), model(question), user(reply)]));
        assert_eq!(calls(&second)[0].to_lowercase(), r#"get_weather {"location":"paris"}"#, "{reply}");
    }
    let both = plan(&prompt(vec![user("Send a message.")]));
    assert_eq!(both.words.as_deref(), Some("To send message I need to know the recipient and the text."));
    let timer =
        plan(&prompt(vec![user("Start a timer"), model("To set timer I need to know the minutes."), user("Seven")]));
    assert_eq!(calls(&timer), [r#"set_timer {"minutes":7}"#]);
}

#[test]
fn the_choice_is_obeyed() {
    let choose = |choice: Choice, text: &str| plan(&Prompt { choice, ..prompt(vec![user(text)]) });
    assert!(choose(Choice::None, "What's the weather in Paris?").answer);
    let named = choose(Choice::Function("get_time".into()), "What's the weather in Paris?");
    assert_eq!(calls(&named), [r#"get_time {"city":"Paris"}"#]);
    assert_eq!(
        choose(Choice::Required, "Hello there.").words.as_deref(),
        Some("To get weather I need to know the location.")
    );
    assert_eq!(calls(&choose(Choice::Required, "Time, please")), ["get_time {}"]);
    let one = Prompt { parallel: false, ..prompt(vec![user("What's the weather in Paris and London, and the time?")]) };
    assert_eq!(plan(&one).calls.len(), 1);
}

#[test]
fn results_are_said_and_nothing_is_called_twice() {
    let asked = || vec![user("What's the weather in Paris?"), called("c1", "get_weather", r#"{"location":"Paris"}"#)];
    let with = |more: Vec<Turn>| asked().into_iter().chain(more).collect::<Vec<_>>();
    let told = plan(&prompt(with(vec![gave("c1", r#"{"temperature":21,"condition":"sunny"}"#)])));
    assert_eq!(
        told,
        Plan { words: Some("Temperature is 21, condition is sunny.".into()), answer: false, calls: Vec::new() }
    );
    let required = Prompt { choice: Choice::Required, ..prompt(with(vec![gave("c1", "21")])) };
    assert!(plan(&required).calls.is_empty());
    let several = with(vec![called("c2", "get_time", "{}"), gave("c2", "12:30"), gave("c1", "Error: no such city")]);
    assert_eq!(
        plan(&prompt(several)).words.as_deref(),
        Some("Get time: 12:30. Get weather did not work: no such city.")
    );
    // The user spoke in the meantime.
    let later = plan(&prompt(with(vec![gave("c1", "Sunny"), user("And the time?")])));
    assert_eq!((later.words.as_deref(), calls(&later)), (Some("Sunny."), vec!["get_time {}".to_owned()]));
    let waiting = plan(&prompt(asked()));
    assert!(waiting.calls.is_empty() && waiting.answer);
}

/// A function that moves money, one that reminds, and two of a home.
fn risky_tools() -> Vec<Value> {
    let text = json!({"type": "string"});
    vec![
        function(
            "transfer_money",
            "Send or transfer money to a person",
            json!({"amount": {"type": "number"}, "to": text}),
            &["amount", "to"],
        ),
        function(
            "set_light",
            "Turn the light in a room on or off",
            json!({"room": {"type": "string", "enum": ["kitchen", "bedroom", "living room"]}, "on": {"type": "boolean"}}),
            &["room", "on"],
        ),
        function(
            "create_reminder",
            "Create a reminder: remind the user of something",
            json!({"text": text, "time": text}),
            &["text"],
        ),
        function("get_weather", "Get the current weather for a location", json!({"location": text}), &["location"]),
    ]
}

fn risky(turns: Vec<Turn>) -> Plan {
    plan(&Prompt { turns, tools: risky_tools(), parallel: true, ..Default::default() })
}

#[test]
fn only_requests_call_functions() {
    for text in [
        "Do not transfer fifty dollars to Peter.",
        "Don't transfer fifty dollars to Peter.",
        "don't transfer fifty dollars to peter",
        "Please do not, under any circumstances, transfer fifty dollars to Peter.",
        "Never transfer fifty dollars to Peter.",
        "I will never send or transfer 50 dollars to Anna.",
        "I don't want you to transfer fifty dollars to Peter.",
        "Can you please not transfer fifty dollars to Peter?",
        "You must not transfer fifty dollars to Peter and you must not turn on the light in the kitchen.",
        "Transfer fifty dollars to Peter. No, don't.",
        "Transfer fifty dollars to Peter, never mind.",
        "Did I transfer 50 dollars to Peter yesterday?",
        "Have you transferred fifty dollars to Peter?",
        "Should I transfer fifty dollars to Peter?",
        "Transfer fifty dollars to Peter?",
        "Why should I transfer fifty dollars to Peter?",
        "What happens when you transfer fifty dollars to Peter?",
        "How do I transfer fifty dollars to Peter?",
        "Tell me whether you can transfer fifty dollars to Peter.",
        "Is the light in the kitchen on?",
        "Is the light in the kitchen on and the light in the bedroom off?",
        "Why did you turn off the light in the kitchen?",
        "If I am late, transfer fifty dollars to Peter.",
        "Transfer fifty dollars to Peter if the invoice comes.",
        "Turn off the light in the kitchen when I leave.",
        "When I leave, turn off the light in the kitchen.",
        "Unless I call, transfer fifty dollars to Peter.",
        "I transferred fifty dollars to Peter.",
        "Yesterday I turned on the light in the kitchen and sent fifty dollars to Peter.",
        "You turned off the light in the kitchen last night.",
        "Peter told me to transfer fifty dollars to Anna.",
        "My sister sends fifty dollars to Peter every month.",
        "The light in the kitchen is on.",
        "I go home and turn on the light in the kitchen.",
        "Transferring fifty dollars to Peter is a bad idea.",
        "I was in Paris last year and the weather was awful.",
        "I don't want to know the weather in Paris.",
        "What was the weather in Paris yesterday?",
        "How much money do I have?",
        "What is the capital of France?",
    ] {
        assert_eq!(risky(vec![user(text)]), Plan { words: None, answer: true, calls: Vec::new() }, "{text}");
    }
}

#[test]
fn requests_call_however_they_are_made() {
    let money = r#"transfer_money {"amount":50,"to":"Peter"}"#;
    let light = r#"set_light {"on":true,"room":"kitchen"}"#;
    let weather = r#"get_weather {"location":"Paris"}"#;
    for (text, expected) in [
        ("Please transfer fifty dollars to Peter.", vec![money]),
        ("Could you transfer fifty dollars to Peter?", vec![money]),
        ("I'd like to transfer fifty dollars to Peter.", vec![money]),
        ("Don't forget to transfer fifty dollars to Peter.", vec![money]),
        ("If you can, transfer fifty dollars to Peter, please.", vec![money]),
        ("Do not turn on the light in the kitchen. Transfer fifty dollars to Peter.", vec![money]),
        ("Don't transfer 20 dollars to Anna, but transfer fifty dollars to Peter.", vec![money]),
        ("It's dark in here. Turn on the light in the kitchen.", vec![light]),
        ("It's dark, turn on the light in the kitchen.", vec![light]),
        ("Kitchen light on.", vec![light]),
        ("Okay, now switch the kitchen light on.", vec![light]),
        ("Turn on the light in the kitchen and don't turn on the light in the bedroom.", vec![light]),
        ("Tell me what the weather is in Paris.", vec![weather]),
        ("I want to know the weather in Paris.", vec![weather]),
        ("How is the weather in Paris?", vec![weather]),
        ("Is the weather good in Paris?", vec![weather]),
        ("Weather in Paris?", vec![weather]),
        ("What's the weather in Paris and turn on the light in the kitchen", vec![weather, light]),
        (
            "Create a reminder: do not turn on the light in the kitchen.",
            vec![r#"create_reminder {"text":"do not turn on the light in the kitchen"}"#],
        ),
    ] {
        let plan = risky(vec![user(text)]);
        assert_eq!(calls(&plan), expected, "{text}: {:?}", plan.words);
    }
}

#[test]
fn an_answer_can_take_back_what_was_asked_for() {
    let turns = |reply| {
        let question = "To transfer money I need to know the to.";
        vec![user("Transfer fifty dollars."), model(question), user(reply)]
    };
    assert_eq!(risky(turns("x")[..1].to_vec()).words.as_deref(), Some("To transfer money I need to know the to."));
    assert_eq!(calls(&risky(turns("To Peter, please."))), [r#"transfer_money {"amount":50,"to":"Peter"}"#]);
    for reply in ["Never mind.", "No, don't.", "Do not transfer it to Peter."] {
        let plan = risky(turns(reply));
        assert!(plan.calls.is_empty() && plan.answer, "{reply}: {plan:?}");
    }
}

/// Random text from a fixed seed.
fn chance(seed: u64) -> String {
    const WORDS: [&str; 36] = [
        "weather", "time", "in", "Paris", "and", "five", "minutes", "hundred", "thousand", "the", "light", "on", ",",
        "?", ":", "\"", "kitchen", "message", "to", "Anna", "that", "is", "order", "A-1", "-3.5", "add", "flight",
        "from", "Zürich", "’s", "ß", "…", "日本", "\u{301}", "timer", "called",
    ];
    let mut state = seed;
    let mut next = |below: usize| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as usize % below
    };
    let gap = [" ", "", "’"][next(3)];
    (0..next(24)).map(|_| WORDS[next(WORDS.len())]).collect::<Vec<_>>().join(gap)
}

#[test]
fn whatever_is_said_a_call_has_what_it_needs() {
    let tools = tools();
    let mut calls = 0;
    for seed in 0..2_000 {
        let text = chance(seed);
        let turns = match seed % 2 {
            0 => vec![user("What's the weather?"), model("To get weather I need to know the location."), user(&text)],
            _ => vec![user(&text)],
        };
        for call in plan(&prompt(turns)).calls {
            calls += 1;
            let arguments: Value = serde_json::from_str(&call.arguments).expect("JSON");
            let tool = tools.iter().find(|tool| tool["name"] == call.name).expect("a function of the client");
            for name in tool["parameters"]["required"].as_array().expect("a list") {
                assert!(!arguments[name.as_str().expect("a name")].is_null(), "{text:?}: {call:?}");
            }
        }
    }
    assert!(calls > 200, "{calls}");
}
