//! A server of remote objects: its clients make objects by the names of their classes, ask them, hear of their events and let
//! them go, by calls of JSON-RPC. Which classes there are is a dialect's to say; what only they can do is left to it.

use std::collections::BTreeMap;
use std::sync::Arc;

use madang_sfu::api::{Entropy, Now};
use serde_json::{Value, json};

use crate::Frame;
use crate::jsonrpc::{self, Arguments, Call, Code, Fault, Params, Ticket};
use crate::uuid;

/// Besides the root.
const OBJECTS_MAX: usize = 600;
const SUBSCRIPTIONS_PER_OBJECT_MAX: usize = 64;
const TAGS_PER_OBJECT_MAX: usize = 32;
/// Of a name, of a tag's key and of its value.
const TEXT_BYTES_MAX: usize = 256;

pub(crate) type Id = Arc<str>;

/// The words of a dialect.
#[derive(Debug)]
pub(crate) struct Schema {
    /// In front of the names of its types.
    pub(crate) module: &'static str,
    /// What it takes itself for.
    pub(crate) product: &'static str,
    pub(crate) version: &'static str,
    /// The object that is always there.
    pub(crate) root: (&'static str, &'static Class),
    /// What can be made, by the packages it is in.
    pub(crate) packages: &'static [(&'static str, &'static [&'static Class])],
    /// What all objects can be asked.
    pub(crate) questions: &'static [(&'static str, Question)],
    /// What all objects tell of.
    pub(crate) events: &'static [Event],
    /// With which arguments are refused.
    pub(crate) misfit: Code,
}

/// What objects of one kind are, can be asked besides, and what is told of them.
#[derive(Debug)]
pub(crate) struct Class {
    pub(crate) name: &'static str,
    /// What else it is, the nearest first.
    pub(crate) families: &'static [&'static str],
    pub(crate) questions: &'static [(&'static str, Question)],
    pub(crate) events: &'static [Event],
}

/// What it is called, and was called before.
pub(crate) type Event = (&'static str, &'static [&'static str]);

/// What needs no dialect to be answered; with the names of the arguments.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Question {
    Id,
    Parent,
    /// The parent, or of what has none the object itself.
    Top,
    Children,
    CreationTime,
    Name,
    SetName(&'static str),
    Tags,
    Tag(&'static str),
    AddTag(&'static str, &'static str),
    RemoveTag(&'static str),
    /// Whether events have the tags.
    TellsTags,
    SetTellsTags(&'static str),
    /// Of the server: what can be made, what is there of a class, whose it is.
    Info,
    AllOf(&'static str),
    Sessions,
    /// What there is to say is always the same.
    Constant(&'static str),
}

/// What is to be done for a call.
#[derive(Debug)]
pub(crate) enum Task<'a> {
    /// It is done; this is the result.
    Done(Value),
    Create(Creation<'a>),
    Invoke(Invocation<'a>),
    /// What ends, the last last.
    Release(Vec<Id>),
}

/// A wish for an object; there is room for it.
#[derive(Debug)]
pub(crate) struct Creation<'a> {
    pub(crate) class: &'static Class,
    pub(crate) arguments: Arguments<'a>,
    pub(crate) ticket: &'a Ticket,
}

#[derive(Debug)]
pub(crate) struct Invocation<'a> {
    pub(crate) id: Id,
    pub(crate) operation: &'a str,
    pub(crate) arguments: Arguments<'a>,
    pub(crate) ticket: &'a Ticket,
}

/// Why something is not done, for the dialect to say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Complaint {
    Fault(Fault),
    NoSession,
    NoClass(String),
    NoObject(String),
    /// With so many arguments.
    NoOperation(String, usize),
    NoEvent(String),
    NoTag,
    Limit(&'static str),
}

/// What there is of one conversation.
pub(crate) struct Objects {
    schema: &'static Schema,
    entropy: Box<dyn Entropy>,
    session: String,
    server: String,
    all: BTreeMap<Id, Object>,
}

#[derive(Debug)]
struct Object {
    class: &'static Class,
    parent: Option<Id>,
    created_s: u64,
    name: Option<String>,
    tags: BTreeMap<String, String>,
    tells_tags: bool,
    /// What the client wants to hear: the event's own name, and how the client calls it.
    subscriptions: BTreeMap<String, (&'static str, String)>,
}

/// The part of an id that no other has.
pub(crate) fn own_part(id: &str) -> &str {
    let last = id.rsplit('/').next().unwrap_or(id);
    last.split('_').next().unwrap_or(last)
}

impl Objects {
    pub(crate) fn new(schema: &'static Schema, mut entropy: Box<dyn Entropy>) -> Self {
        let session = uuid::random(entropy.as_mut());
        let server = uuid::random(entropy.as_mut());
        let (id, class) = schema.root;
        let root = Object::new(class, None, 0);
        Self {
            schema,
            entropy,
            session,
            server,
            all: BTreeMap::from([(Id::from(id), root)]),
        }
    }

    pub(crate) fn handle_call<'a>(&mut self, call: &'a Call) -> Result<Task<'a>, Complaint> {
        let session = call.text_if_any("sessionId");
        let result = match call.method.as_str() {
            "ping" if session.is_none() => json!({ "value": "pong" }),
            "ping" => self.value(&json!("pong")),
            "connect" => {
                session.map_or(Ok(()), |session| self.check_session(session))?;
                json!({ "serverId": self.server, "sessionId": self.session })
            }
            "keepAlive" => {
                self.check_session(call.params()?.text("sessionId")?)?;
                self.nothing()
            }
            "closeSession" => {
                call.params()?.text("sessionId")?;
                Value::Null
            }
            "describe" => self.describe(call.params()?)?,
            "ref" => {
                self.find(call.params()?.text("object")?)?;
                self.nothing()
            }
            "unref" => {
                call.params()?.text("object")?;
                self.nothing()
            }
            "subscribe" => self.subscribe(call.params()?)?,
            "unsubscribe" => {
                let params = call.params()?;
                let (object, subscription) = (params.text("object")?, params.text("subscription")?);
                // Of what is gone there is nothing to hear any more: no error.
                if let Some(object) = self.all.get_mut(object) {
                    object.subscriptions.remove(subscription);
                }
                self.nothing()
            }
            "create" => return self.create(call.params()?, &call.ticket),
            "invoke" => return self.invoke(call.params()?, &call.ticket),
            "release" => {
                let id = call.params()?.text("object")?;
                return Ok(Task::Release(self.ending_with(id)));
            }
            _ => return Err(Fault::no_such_method().into()),
        };
        Ok(Task::Done(result))
    }

    /// A result with a value, as most are.
    pub(crate) fn value(&self, value: &Value) -> Value {
        json!({ "sessionId": self.session, "value": value })
    }

    /// A result without one.
    pub(crate) fn nothing(&self) -> Value {
        json!({ "sessionId": self.session })
    }

    /// A new object; its id says whose it is, and of which class.
    pub(crate) fn insert(&mut self, now: Now, class: &'static Class, parent: Option<&Id>) -> Id {
        let before = parent.map_or(String::new(), |parent| format!("{parent}/"));
        let uuid = uuid::random(self.entropy.as_mut());
        let id = format!("{before}{uuid}_{}.{}", self.schema.module, class.name);
        let (id, created_s) = (Id::from(id), now.wall.as_secs());
        let object = Object::new(class, parent.cloned(), created_s);
        self.all.insert(Arc::clone(&id), object);
        id
    }

    pub(crate) fn remove(&mut self, id: &str) {
        self.all.remove(id);
    }

    /// An object of any class.
    pub(crate) fn find(&self, id: &str) -> Result<(&Id, &'static Class), Complaint> {
        let found = self.all.get_key_value(id);
        let (id, object) = found.ok_or_else(|| Complaint::NoObject(id.to_owned()))?;
        Ok((id, object.class))
    }

    pub(crate) fn find_of(&self, class: &Class, id: &str) -> Result<Id, Complaint> {
        let (id, own) = self.find(id)?;
        match own.name == class.name {
            true => Ok(Arc::clone(id)),
            false => Err(Complaint::NoObject(id.to_string())),
        }
    }

    pub(crate) fn parent(&self, id: &str) -> Option<&Id> {
        self.all.get(id)?.parent.as_ref()
    }

    /// What happened to an object, to each subscription once, in the words of who subscribed. Data with a type of their own
    /// keep it.
    pub(crate) fn tell(&self, now: Now, id: &str, event: &str, mut data: Value) -> Vec<Frame> {
        let Some(object) = self.all.get(id) else {
            return Vec::new();
        };
        data["source"] = json!(id);
        data["timestampMillis"] = json!(now.wall_ms().to_string());
        data["tags"] = match object.tells_tags {
            true => object.tags(self.schema),
            false => json!([]),
        };
        let frame = |name: &String| {
            let mut data = data.clone();
            if data.get("type").is_none() {
                data["type"] = json!(name);
            }
            let value = json!({ "data": data, "object": id, "type": name });
            jsonrpc::notification("onEvent", &json!({ "value": value }))
        };
        let heard = object.subscriptions.values();
        let heard = heard.filter(|(own, _)| *own == event);
        heard.map(|(_, name)| frame(name)).collect()
    }

    /// Nothing outlives the carrier, so a session of another one is none.
    fn check_session(&self, session: &str) -> Result<(), Complaint> {
        match session == self.session {
            true => Ok(()),
            false => Err(Complaint::NoSession),
        }
    }

    fn describe(&self, params: Params<'_>) -> Result<Value, Complaint> {
        let (_, class) = self.find(params.text("object")?)?;
        Ok(json!({
            "hierarchy": class.families,
            "qualifiedType": format!("{}.{}", self.schema.module, class.name),
            "sessionId": self.session,
            "type": class.name,
        }))
    }

    fn subscribe(&mut self, params: Params<'_>) -> Result<Value, Complaint> {
        let (event, id) = (params.text("type")?, params.text("object")?);
        let subscription = uuid::random(self.entropy.as_mut());
        let object = self.all.get_mut(id);
        let object = object.ok_or_else(|| Complaint::NoObject(id.to_owned()))?;
        object.subscribe(self.schema, &subscription, event)?;
        Ok(self.value(&json!(subscription)))
    }

    fn create<'a>(&self, params: Params<'a>, ticket: &'a Ticket) -> Result<Task<'a>, Complaint> {
        let name = params.text("type")?;
        let own = name.strip_prefix(self.schema.module);
        let own = own.and_then(|name| name.strip_prefix('.')).unwrap_or(name);
        let packages = self.schema.packages.iter();
        let mut classes = packages.flat_map(|(_, classes)| classes.iter());
        let class = classes.find(|class| class.name == own);
        let class = class.ok_or_else(|| Complaint::NoClass(name.to_owned()))?;
        if self.all.len() > OBJECTS_MAX {
            return Err(Complaint::Limit("Limit of objects reached"));
        }
        Ok(Task::Create(Creation {
            class,
            arguments: params.inner("constructorParams", self.schema.misfit),
            ticket,
        }))
    }

    fn invoke<'a>(
        &mut self,
        params: Params<'a>,
        ticket: &'a Ticket,
    ) -> Result<Task<'a>, Complaint> {
        let operation = params.text("operation")?;
        let (id, class) = self.find(params.text("object")?)?;
        let asked = Invocation {
            id: Arc::clone(id),
            operation,
            arguments: params.inner("operationParams", self.schema.misfit),
            ticket,
        };
        let mut questions = class.questions.iter().chain(self.schema.questions);
        let Some((_, question)) = questions.find(|(name, _)| *name == operation) else {
            return Ok(Task::Invoke(asked));
        };
        let value = self.ask(*question, &asked)?;
        Ok(Task::Done(self.value(&value)))
    }

    fn ask(&mut self, question: Question, asked: &Invocation<'_>) -> Result<Value, Complaint> {
        let (id, arguments) = (&asked.id, asked.arguments);
        let own = self.all.get_mut(id);
        let own = own.ok_or_else(|| Complaint::NoObject(id.to_string()))?;
        let mut done = Value::Null;
        match question {
            Question::Id => done = json!(&**id),
            Question::Parent => done = json!(own.parent.as_deref()),
            Question::Top => done = json!(own.parent.as_deref().unwrap_or(id)),
            Question::Children => done = self.listed(|other| other.parent.as_ref() == Some(id)),
            Question::CreationTime => done = json!(own.created_s),
            Question::Name => done = json!(own.name.as_deref().unwrap_or(id)),
            Question::SetName(name) => own.name = Some(checked(arguments.text(name)?)?),
            Question::Tags => done = own.tags(self.schema),
            Question::Tag(key) => {
                let value = own.tags.get(arguments.text(key)?);
                done = json!(value.ok_or(Complaint::NoTag)?);
            }
            Question::AddTag(key, value) => {
                own.add_tag(arguments.text(key)?, arguments.text(value)?)?;
            }
            Question::RemoveTag(key) => {
                own.tags.remove(arguments.text(key)?);
            }
            Question::TellsTags => done = json!(own.tells_tags),
            Question::SetTellsTags(flag) => own.tells_tags = arguments.flag(flag)?,
            Question::Info => done = self.schema.info(),
            Question::AllOf(class) => done = self.listed(|other| other.class.name == class),
            Question::Sessions => done = json!([self.session]),
            Question::Constant(text) => done = json!(text),
        }
        Ok(done)
    }

    fn listed(&self, is_meant: impl Fn(&Object) -> bool) -> Value {
        let all = self.all.iter().filter(|(_, object)| is_meant(object));
        all.map(|(id, _)| json!(&**id)).collect()
    }

    /// What ends with an object: all that belong to it, and last itself. The root stays, and what is gone is gone already.
    fn ending_with(&self, id: &str) -> Vec<Id> {
        let all = self.all.iter();
        let children = all.filter(|(_, object)| object.parent.as_deref() == Some(id));
        let children = children.flat_map(|(child, _)| self.ending_with(child));
        let mut ending: Vec<Id> = children.collect();
        let (root, _) = self.schema.root;
        let own = self.find(id).ok().filter(|_| id != root);
        ending.extend(own.map(|(id, _)| Arc::clone(id)));
        ending
    }
}

impl Object {
    fn new(class: &'static Class, parent: Option<Id>, created_s: u64) -> Self {
        Self {
            class,
            parent,
            created_s,
            name: None,
            tags: BTreeMap::new(),
            tells_tags: false,
            subscriptions: BTreeMap::new(),
        }
    }

    fn tags(&self, schema: &Schema) -> Value {
        let tags = self.tags.iter();
        tags.map(|(key, value)| schema.record("Tag", json!({ "key": key, "value": value })))
            .collect()
    }

    fn add_tag(&mut self, key: &str, value: &str) -> Result<(), Complaint> {
        let (key, value) = (checked(key)?, checked(value)?);
        if self.tags.len() >= TAGS_PER_OBJECT_MAX && !self.tags.contains_key(&key) {
            return Err(Complaint::Limit("Too many tags"));
        }
        self.tags.insert(key, value);
        Ok(())
    }

    fn subscribe(
        &mut self,
        schema: &Schema,
        subscription: &str,
        name: &str,
    ) -> Result<(), Complaint> {
        let mut events = self.class.events.iter().chain(schema.events);
        let event = events.find(|(own, former)| *own == name || former.contains(&name));
        let (own, _) = event.ok_or_else(|| Complaint::NoEvent(name.to_owned()))?;
        if self.subscriptions.len() >= SUBSCRIPTIONS_PER_OBJECT_MAX {
            return Err(Complaint::Limit("Too many subscriptions"));
        }
        let heard = (*own, name.to_owned());
        self.subscriptions.insert(subscription.to_owned(), heard);
        Ok(())
    }
}

impl Schema {
    /// A value that says of which type it is.
    pub(crate) fn record(&self, kind: &str, mut members: Value) -> Value {
        members["__module__"] = json!(self.module);
        members["__type__"] = json!(kind);
        members
    }

    fn info(&self) -> Value {
        let version = self.version;
        let packages = self.packages.iter().map(|(name, classes)| {
            let classes: Vec<&str> = classes.iter().map(|class| class.name).collect();
            let info = json!({ "factories": classes, "generationTime": "", "name": name, "version": version });
            self.record("ModuleInfo", info)
        });
        let packages: Value = packages.collect();
        let info = json!({ "capabilities": [], "modules": packages, "type": self.product, "version": version });
        self.record("ServerInfo", info)
    }
}

impl Invocation<'_> {
    pub(crate) fn unknown(&self) -> Complaint {
        Complaint::NoOperation(self.operation.to_owned(), self.arguments.count())
    }
}

impl From<Fault> for Complaint {
    fn from(fault: Fault) -> Self {
        Self::Fault(fault)
    }
}

fn checked(text: &str) -> Result<String, Complaint> {
    if text.len() > TEXT_BYTES_MAX {
        return Err(Complaint::Limit("The text is too long"));
    }
    Ok(text.to_owned())
}

#[cfg(test)]
mod tests;
