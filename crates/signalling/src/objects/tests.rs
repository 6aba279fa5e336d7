//! Houses with lamps in them.

use std::sync::Arc;

use madang_sfu::api::Entropy;
use serde_json::{Value, json};

use super::{Class, Complaint, Id, Objects, Question, Schema, Task, own_part};
use crate::Frame;
use crate::jsonrpc::{Call, Code};
use crate::testing::now;

static HOUSE: Class = Class {
    name: "House",
    families: &["t.Thing"],
    questions: &[],
    events: &[],
};
static LAMP: Class = Class {
    name: "Lamp",
    families: &["t.Light", "t.Thing"],
    questions: &[("maker", Question::Constant("us"))],
    events: &[("Lit", &["OnLit"]), ("Broken", &[])],
};
static STREET: Class = Class {
    name: "Street",
    families: &[],
    questions: &[
        ("info", Question::Info),
        ("houses", Question::AllOf("House")),
        ("sessions", Question::Sessions),
    ],
    events: &[],
};
static SCHEMA: Schema = Schema {
    module: "t",
    product: "town",
    version: "1",
    root: ("street", &STREET),
    packages: &[("one", &[&HOUSE, &LAMP]), ("two", &[])],
    questions: &[
        ("id", Question::Id),
        ("parent", Question::Parent),
        ("top", Question::Top),
        ("children", Question::Children),
        ("created", Question::CreationTime),
        ("name", Question::Name),
        ("rename", Question::SetName("to")),
        ("tags", Question::Tags),
        ("tag", Question::Tag("k")),
        ("put", Question::AddTag("k", "v")),
        ("drop", Question::RemoveTag("k")),
        ("tells", Question::TellsTags),
        ("tell", Question::SetTellsTags("on")),
    ],
    events: &[("Gone", &[])],
    misfit: Code::named(1, "MISFIT"),
};

struct Counting(u32);

impl Entropy for Counting {
    fn fill(&mut self, bytes: &mut [u8]) {
        self.0 += 1;
        bytes.fill(0);
        let (_, last) = bytes.split_last_chunk_mut().expect("room for it");
        *last = self.0.to_be_bytes();
    }
}

/// A street with a house, with a lamp in it.
fn town() -> (Objects, Id, Id) {
    let mut objects = Objects::new(&SCHEMA, Box::new(Counting(0)));
    let house = objects.insert(now(), &HOUSE, None);
    let lamp = objects.insert(now(), &LAMP, Some(&house));
    (objects, house, lamp)
}

fn call(method: &str, params: &Value) -> Call {
    let text = json!({ "id": 1, "jsonrpc": "2.0", "method": method, "params": params });
    Call::read(&Frame::Text(text.to_string())).expect("a request")
}

/// The result, or what is to be done for it.
fn done(objects: &mut Objects, method: &str, params: &Value) -> Result<Value, Complaint> {
    let call = call(method, params);
    Ok(match objects.handle_call(&call)? {
        Task::Done(value) => value,
        Task::Create(wish) => json!(["create", wish.class.name, wish.arguments.count()]),
        Task::Invoke(asked) => json!(["invoke", &*asked.id, asked.operation]),
        Task::Release(ids) => ids.iter().map(|id| json!(&**id)).collect(),
    })
}

/// The value that an object answers with.
fn ask(objects: &mut Objects, id: &str, what: &str, with: &Value) -> Result<Value, Complaint> {
    let params = json!({ "object": id, "operation": what, "operationParams": with });
    let mut result = done(objects, "invoke", &params)?;
    Ok(result["value"].take())
}

#[test]
fn ids_say_whose_it_is_and_what() {
    let (_, house, lamp) = town();
    assert_eq!(&*house, "00000000-0000-4000-8000-000000000003_t.House");
    assert_eq!(
        *lamp,
        *format!("{house}/00000000-0000-4000-8000-000000000004_t.Lamp")
    );
    assert_eq!(own_part(&lamp), "00000000-0000-4000-8000-000000000004");
}

#[test]
fn an_object_is_described_by_its_class() {
    let (mut objects, _, lamp) = town();
    let described = done(&mut objects, "describe", &json!({ "object": &*lamp }));
    let session = "00000000-0000-4000-8000-000000000001";
    let expected = json!({ "hierarchy": ["t.Light", "t.Thing"], "qualifiedType": "t.Lamp", "sessionId": session, "type": "Lamp" });
    assert_eq!(described, Ok(expected));
    let gone = done(&mut objects, "describe", &json!({ "object": "x" }));
    assert_eq!(gone, Err(Complaint::NoObject("x".to_owned())));
}

#[test]
fn the_server_says_what_can_be_made() {
    let (mut objects, house, _) = town();
    let info = ask(&mut objects, "street", "info", &Value::Null).expect("the root knows");
    assert_eq!(info["modules"][0]["factories"], json!(["House", "Lamp"]));
    assert_eq!(info["modules"][1]["factories"], json!([]));
    assert_eq!(
        (&info["type"], &info["version"]),
        (&json!("town"), &json!("1"))
    );
    let houses = ask(&mut objects, "street", "houses", &Value::Null);
    assert_eq!(houses, Ok(json!([&*house])));
    let of_a_house = done(
        &mut objects,
        "invoke",
        &json!({ "object": &*house, "operation": "houses" }),
    );
    assert_eq!(of_a_house, Ok(json!(["invoke", &*house, "houses"])));
}

#[test]
fn classes_are_made_by_either_name() {
    let (mut objects, ..) = town();
    for name in ["Lamp", "t.Lamp"] {
        let made = done(&mut objects, "create", &json!({ "type": name }));
        assert_eq!(made, Ok(json!(["create", "Lamp", 0])));
    }
    for name in ["Street", "tLamp", ".Lamp", "t.t.Lamp", ""] {
        let made = done(&mut objects, "create", &json!({ "type": name }));
        assert_eq!(made, Err(Complaint::NoClass(name.to_owned())));
    }
}

#[test]
fn objects_have_names_relations_and_tags() {
    let (mut objects, house, lamp) = town();
    let mut check = |id: &Id, what: &str, with: Value, expected: Value| {
        assert_eq!(ask(&mut objects, id, what, &with), Ok(expected), "{what}");
    };
    check(&lamp, "id", Value::Null, json!(&*lamp));
    check(&lamp, "maker", Value::Null, json!("us"));
    check(&lamp, "parent", Value::Null, json!(&*house));
    check(&house, "parent", Value::Null, Value::Null);
    check(&lamp, "top", Value::Null, json!(&*house));
    check(&house, "top", Value::Null, json!(&*house));
    check(&house, "children", Value::Null, json!([&*lamp]));
    check(&house, "created", Value::Null, json!(1_700_000_000));
    check(&house, "name", Value::Null, json!(&*house));
    check(&house, "rename", json!({ "to": "home" }), Value::Null);
    check(&house, "name", Value::Null, json!("home"));
    check(&house, "put", json!({ "k": "a", "v": "b" }), Value::Null);
    check(&house, "tag", json!({ "k": "a" }), json!("b"));
    let tag = json!({ "__module__": "t", "__type__": "Tag", "key": "a", "value": "b" });
    check(&house, "tags", Value::Null, json!([tag]));
    check(&house, "drop", json!({ "k": "a" }), Value::Null);
    check(&house, "tags", Value::Null, json!([]));
    check(&house, "tell", json!({ "on": true }), Value::Null);
    check(&house, "tells", Value::Null, json!(true));
    let gone = ask(&mut objects, &house, "tag", &json!({ "k": "a" }));
    assert_eq!(gone, Err(Complaint::NoTag));
    let long = ask(
        &mut objects,
        &house,
        "rename",
        &json!({ "to": "a".repeat(257) }),
    );
    assert_eq!(long, Err(Complaint::Limit("The text is too long")));
}

#[test]
fn what_is_released_ends_with_its_children_before_it() {
    let (mut objects, house, lamp) = town();
    let mut check = |id: &str, expected: Value| {
        let ending = done(&mut objects, "release", &json!({ "object": id }));
        assert_eq!(ending, Ok(expected), "{id}");
    };
    check(&house, json!([&*lamp, &*house]));
    check(&lamp, json!([&*lamp]));
    check("street", json!([]));
    check("gone", json!([]));
    objects.remove(&lamp);
    let children = ask(&mut objects, &house, "children", &Value::Null);
    assert_eq!(children, Ok(json!([])));
}

fn subscribe(objects: &mut Objects, id: &Id, event: &str) -> Result<Value, Complaint> {
    let params = json!({ "object": &**id, "type": event });
    let mut result = done(objects, "subscribe", &params)?;
    Ok(result["value"].take())
}

#[test]
fn events_come_in_the_words_of_who_subscribed() {
    let (mut objects, _, lamp) = town();
    let first = subscribe(&mut objects, &lamp, "OnLit").expect("an event");
    for event in ["Lit", "Broken", "Gone"] {
        subscribe(&mut objects, &lamp, event).expect("an event");
    }
    let unknown = subscribe(&mut objects, &lamp, "Dim");
    assert_eq!(unknown, Err(Complaint::NoEvent("Dim".to_owned())));
    let types = |objects: &Objects, event: &str, data: Value| -> Vec<(String, String)> {
        let frames = objects.tell(now(), &lamp, event, data).into_iter();
        frames
            .map(|frame| {
                let Frame::Text(text) = frame else {
                    panic!("text");
                };
                let said: Value = serde_json::from_str(&text).expect("JSON");
                let value = &said["params"]["value"];
                assert_eq!(
                    (&said["method"], &value["object"]),
                    (&json!("onEvent"), &json!(&*lamp))
                );
                assert_eq!(value["data"]["source"], value["object"]);
                let text = |value: &Value| value.as_str().expect("text").to_owned();
                (text(&value["type"]), text(&value["data"]["type"]))
            })
            .collect()
    };
    let pair = |a: &str, b: &str| (a.to_owned(), b.to_owned());
    let both = [pair("OnLit", "OnLit"), pair("Lit", "Lit")];
    assert_eq!(types(&objects, "Lit", json!({})), both);
    let own = types(&objects, "Gone", json!({ "type": "stolen" }));
    assert_eq!(own, [pair("Gone", "stolen")]);
    let unsubscribe = json!({ "object": &*lamp, "subscription": first });
    let nothing = json!({ "sessionId": "00000000-0000-4000-8000-000000000001" });
    for _ in 0..2 {
        let ended = done(&mut objects, "unsubscribe", &unsubscribe);
        assert_eq!(ended, Ok(nothing.clone()));
    }
    assert_eq!(types(&objects, "Lit", json!({})), both[1..]);
    assert_eq!(types(&objects, "Broken", json!({})).len(), 1);
}

#[test]
fn events_have_tags_where_that_is_wished() {
    let (mut objects, _, lamp) = town();
    subscribe(&mut objects, &lamp, "Lit").expect("an event");
    ask(&mut objects, &lamp, "put", &json!({ "k": "a", "v": "b" })).expect("room for it");
    let has_tag = |objects: &Objects| {
        let frames = objects.tell(now(), &lamp, "Lit", json!({}));
        matches!(&frames[..], [Frame::Text(text)] if text.contains(r#""key":"a""#))
    };
    assert!(!has_tag(&objects));
    ask(&mut objects, &lamp, "tell", &json!({ "on": true })).expect("a flag");
    assert!(has_tag(&objects));
}

#[test]
fn a_session_is_known_to_its_own_conversation_alone() {
    let (mut objects, ..) = town();
    let own = json!({ "sessionId": "00000000-0000-4000-8000-000000000001" });
    let other = json!({ "sessionId": "of another" });
    for method in ["connect", "keepAlive"] {
        assert!(done(&mut objects, method, &own).is_ok(), "{method}");
        let refused = done(&mut objects, method, &other);
        assert_eq!(refused, Err(Complaint::NoSession), "{method}");
    }
    assert!(done(&mut objects, "connect", &Value::Null).is_ok());
    let pong = done(&mut objects, "ping", &Value::Null);
    assert_eq!(pong, Ok(json!({ "value": "pong" })));
}

#[test]
fn what_nobody_knows_is_left_to_the_dialect_or_refused() {
    let (mut objects, house, _) = town();
    let call = call(
        "invoke",
        &json!({ "object": &*house, "operation": "burn", "operationParams": { "a": 1 } }),
    );
    let Ok(Task::Invoke(asked)) = objects.handle_call(&call) else {
        panic!("to be done");
    };
    assert_eq!(
        asked.unknown(),
        Complaint::NoOperation("burn".to_owned(), 1)
    );
    let unknown = done(&mut objects, "burn", &json!({}));
    assert!(matches!(unknown, Err(Complaint::Fault(_))));
    assert_eq!(objects.find_of(&HOUSE, &house), Ok(Arc::clone(&house)));
    let other = objects.find_of(&LAMP, &house);
    assert_eq!(other, Err(Complaint::NoObject(house.to_string())));
}

#[test]
fn everything_that_grows_has_a_limit() {
    let (mut objects, house, lamp) = town();
    for _ in 0..64 {
        subscribe(&mut objects, &lamp, "Lit").expect("room for it");
    }
    let more = subscribe(&mut objects, &lamp, "Lit");
    assert_eq!(more, Err(Complaint::Limit("Too many subscriptions")));
    for n in 0..32 {
        let tag = json!({ "k": format!("{n}"), "v": "" });
        ask(&mut objects, &lamp, "put", &tag).expect("room for it");
    }
    let more = ask(&mut objects, &lamp, "put", &json!({ "k": "x", "v": "" }));
    assert_eq!(more, Err(Complaint::Limit("Too many tags")));
    ask(
        &mut objects,
        &lamp,
        "put",
        &json!({ "k": "0", "v": "other" }),
    )
    .expect("a place of its own");
    for _ in 2..600 {
        assert!(done(&mut objects, "create", &json!({ "type": "Lamp" })).is_ok());
        objects.insert(now(), &LAMP, Some(&house));
    }
    let more = done(&mut objects, "create", &json!({ "type": "Lamp" }));
    assert_eq!(more, Err(Complaint::Limit("Limit of objects reached")));
}
