//! One layer of the configuration: a tree of values, and where each of them was written.

use std::{collections::BTreeMap, path::Path, sync::Arc};

use serde_json::{Map, Number, Value};
use toml_edit::{Array, Document, Item, TableLike};

use super::{
    finding::{Finding, Place, child, key_path},
    secret_use::SecretSource,
};

/// A file or the environment, parsed. The tree is in JSON's terms, which are the schema's.
#[derive(Debug, Clone)]
pub(super) struct Layer {
    pub tree: Map<String, Value>,
    pub places: Places,
}

impl Layer {
    /// Reads the text of a file.
    pub(super) fn parse(file: &Arc<Path>, text: &str) -> Result<Self, Finding> {
        let line_starts: Vec<_> = text.match_indices('\n').map(|(at, _)| at + 1).collect();
        let line = |offset: usize| line_starts.partition_point(|start| *start <= offset) + 1;
        let document = Document::parse(text).map_err(|error| Finding {
            place: Place::line(file, line(error.span().map_or(0, |span| span.start))),
            key: String::new(),
            // The message alone: the full error quotes the line, which may hold a secret.
            message: error.message().trim().replace('\n', "; "),
        })?;
        let place = |offset| Place::line(file, line(offset));
        let mut reader = Reader {
            place: &place,
            places: Places::new(place(0)),
        };
        let tree = reader.table(document.as_table(), "");
        Ok(Self {
            tree,
            places: reader.places,
        })
    }
}

/// Walks a TOML document and notes where everything is.
struct Reader<'a> {
    place: &'a dyn Fn(usize) -> Place,
    places: Places,
}

impl Reader<'_> {
    fn table(&mut self, table: &dyn TableLike, pointer: &str) -> Map<String, Value> {
        let mut tree = Map::new();
        for (name, item) in table.iter() {
            let pointer = child(pointer, name);
            let span = table.get_key_value(name).and_then(|(key, _)| key.span());
            let value = self.item(item, &pointer, span.map(|span| span.start));
            tree.insert(name.to_owned(), value);
        }
        tree
    }

    fn item(&mut self, item: &Item, pointer: &str, key_offset: Option<usize>) -> Value {
        let offset = key_offset.or_else(|| item.span().map(|span| span.start));
        let place = offset.map_or_else(|| self.places.of(pointer).clone(), self.place);
        let marker = Mark::new(place, item.is_table_like());
        self.places.marks.insert(pointer.to_owned(), marker);
        match item {
            Item::None => Value::Null,
            Item::Table(table) => Value::Object(self.table(table, pointer)),
            Item::ArrayOfTables(tables) => {
                let items = tables.iter().enumerate().map(|(index, table)| {
                    let pointer = child(pointer, &index.to_string());
                    let start = table.span().map_or(0, |span| span.start);
                    let marker = Mark::new((self.place)(start), true);
                    self.places.marks.insert(pointer.clone(), marker);
                    Value::Object(self.table(table, &pointer))
                });
                Value::Array(items.collect())
            }
            Item::Value(value) => self.value(value, pointer),
        }
    }

    fn value(&mut self, value: &toml_edit::Value, pointer: &str) -> Value {
        match value {
            toml_edit::Value::String(text) => Value::String(text.value().clone()),
            toml_edit::Value::Integer(number) => Value::Number((*number.value()).into()),
            toml_edit::Value::Float(number) => {
                let number = Number::from_f64(*number.value());
                if number.is_none() {
                    self.places.fail(pointer, "must be a finite number".into());
                }
                number.map_or(Value::Null, Value::Number)
            }
            toml_edit::Value::Boolean(truth) => Value::Bool(*truth.value()),
            toml_edit::Value::Datetime(time) => Value::String(time.value().to_string()),
            toml_edit::Value::Array(array) => self.array(array, pointer),
            toml_edit::Value::InlineTable(table) => Value::Object(self.table(table, pointer)),
        }
    }

    fn array(&mut self, array: &Array, pointer: &str) -> Value {
        let items = array.iter().enumerate().map(|(index, value)| {
            let pointer = child(pointer, &index.to_string());
            let place = match value.span() {
                Some(span) => (self.place)(span.start),
                None => self.places.of(&pointer).clone(),
            };
            let marker = Mark::new(place, value.is_inline_table());
            self.places.marks.insert(pointer.clone(), marker);
            self.value(value, &pointer)
        });
        Value::Array(items.collect())
    }
}

/// What is known of one value beside the value itself.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Mark {
    place: Place,
    table: bool,
    /// Where the value was looked up.
    looked_up: Option<SecretSource>,
    failure: Option<String>,
}

impl Mark {
    fn new(place: Place, table: bool) -> Self {
        Self {
            place,
            table,
            looked_up: None,
            failure: None,
        }
    }
}

/// Where every value was written, by JSON pointer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Places {
    root: Place,
    marks: BTreeMap<String, Mark>,
}

impl Places {
    /// Nothing is written yet; `root` stands for what is written nowhere.
    pub(super) fn new(root: Place) -> Self {
        Self {
            root,
            marks: BTreeMap::new(),
        }
    }

    /// Where this value was written, or else what it would be part of.
    pub(super) fn of(&self, pointer: &str) -> &Place {
        let mut pointer = pointer;
        loop {
            if let Some(mark) = self.marks.get(pointer) {
                return &mark.place;
            }
            match pointer.rsplit_once('/') {
                Some((parent, _)) => pointer = parent,
                None => return &self.root,
            }
        }
    }

    /// True where the value itself was written, not left to its default.
    pub(super) fn has(&self, pointer: &str) -> bool {
        self.marks.contains_key(pointer)
    }

    /// True where a secret stands in a file of the configuration itself.
    pub(super) fn in_plain_sight(&self, pointer: &str) -> bool {
        let mark = self.marks.get(pointer);
        mark.is_some_and(|mark| {
            mark.looked_up.is_none() && matches!(mark.place, Place::File { .. })
        })
    }

    /// True where the value was looked up elsewhere.
    pub(super) fn is_looked_up(&self, pointer: &str) -> bool {
        let mark = self.marks.get(pointer);
        mark.is_some_and(|mark| mark.looked_up.is_some())
    }

    /// The values that were looked up, where they are kept and where that was written.
    pub(super) fn looked_up(&self) -> impl Iterator<Item = (&str, &SecretSource, &Place)> {
        let marks = self.marks.iter();
        marks.filter_map(|(pointer, mark)| {
            Some((pointer.as_str(), mark.looked_up.as_ref()?, &mark.place))
        })
    }

    /// The pointer itself where it is one value, else those of its items; none where nothing is
    /// written.
    pub(super) fn at_or_below(&self, pointer: &str) -> Vec<String> {
        let prefix = format!("{pointer}/");
        let below = self.marks.range(prefix.clone()..);
        let below = below.map(|(pointer, _)| pointer);
        let items: Vec<_> = below
            .take_while(|at| at.starts_with(&prefix))
            .cloned()
            .collect();
        if items.is_empty() && self.has(pointer) {
            return vec![pointer.to_owned()];
        }
        items
    }

    /// True where the value could not be read; [`Places::failures`] says why.
    pub(super) fn failed(&self, pointer: &str) -> bool {
        self.marks
            .get(pointer)
            .is_some_and(|mark| mark.failure.is_some())
    }

    /// Notes a value's place.
    pub(super) fn set(&mut self, pointer: &str, place: Place, table: bool) {
        self.marks
            .insert(pointer.to_owned(), Mark::new(place, table));
    }

    /// Notes that a value is now what it referred to.
    pub(super) fn look_up(&mut self, pointer: &str, source: SecretSource) {
        self.forget_below(pointer);
        if let Some(mark) = self.marks.get_mut(pointer) {
            mark.table = false;
            mark.looked_up = Some(source);
        }
    }

    /// Notes that a value can't be read. It counts only if no later layer replaces the value.
    pub(super) fn fail(&mut self, pointer: &str, message: String) {
        self.forget_below(pointer);
        if let Some(mark) = self.marks.get_mut(pointer) {
            mark.table = false;
            mark.failure = Some(message);
        }
    }

    /// The values that could not be read.
    pub(super) fn failures(&self) -> impl Iterator<Item = Finding> {
        self.marks.iter().filter_map(|(pointer, mark)| {
            Some(Finding {
                place: mark.place.clone(),
                key: key_path(pointer),
                message: mark.failure.clone()?,
            })
        })
    }

    /// Puts a later layer on top: a table stays where it was first written, any other value is
    /// where it was written last.
    pub(super) fn overlay(&mut self, later: &Self) {
        for (pointer, mark) in &later.marks {
            let both_tables = mark.table && self.marks.get(pointer).is_some_and(|old| old.table);
            if !both_tables {
                self.forget_below(pointer);
                self.marks.insert(pointer.clone(), mark.clone());
            }
        }
    }

    fn forget_below(&mut self, pointer: &str) {
        let prefix = format!("{pointer}/");
        let below = self.marks.range(prefix.clone()..);
        let below: Vec<_> = below
            .take_while(|(pointer, _)| pointer.starts_with(&prefix))
            .map(|(pointer, _)| pointer.clone())
            .collect();
        for pointer in below {
            self.marks.remove(&pointer);
        }
    }
}

impl ::config::Source for Layer {
    fn clone_into_box(&self) -> Box<dyn ::config::Source + Send + Sync> {
        Box::new(self.clone())
    }

    fn collect(&self) -> Result<::config::Map<String, ::config::Value>, ::config::ConfigError> {
        serde_json::from_value(Value::Object(self.tree.clone()))
            .map_err(|error| ::config::ConfigError::Foreign(Box::new(error)))
    }
}
