//! Checking values against a JSON Schema, and saying in words what is wrong.
//!
//! The same code checks the daemon's own sections and those of the adapters. Messages show
//! types and limits but not the value: it may be a secret that was put in the wrong place.

use std::net::SocketAddr;

use jsonschema::{
    ValidationError, Validator,
    error::{TypeKind, ValidationErrorKind as Kind},
};
use serde_json::Value;
use tracing_subscriber::EnvFilter;

use super::{
    finding::child,
    hours::{self, Hours},
    lmtp::LmtpListen,
    network::Network,
    public_url::PublicUrl,
    secret,
    units::{ByteSize, HumanTime, HumanTimeOrOff},
    window::OutsideWindow,
};

/// A schema, ready to check with.
pub(super) struct Checker<'a> {
    schema: &'a Value,
    validator: Validator,
}

/// One thing that does not fit a schema.
#[derive(Debug)]
pub(super) struct Fault {
    /// The value that it is about; for an unknown key, that key.
    pub pointer: String,
    /// True where a key is missing in the value, which a later layer may still give.
    pub missing: bool,
    /// What, in words.
    pub message: String,
}

/// A check of a string; its error is a phrase for people.
type Check = fn(&str) -> Result<(), String>;

/// The formats of the daemon's own sections.
const FORMATS: [(&str, Check); 11] = [
    ("human-time", |text| HumanTime::parse(text).map(drop)),
    ("human-time-or-off", |text| {
        HumanTimeOrOff::parse(text).map(drop)
    }),
    ("byte-size", |text| ByteSize::parse(text).map(drop)),
    ("public-url", |text| PublicUrl::parse(text).map(drop)),
    ("network", |text| Network::parse(text).map(drop)),
    ("hours", |text| Hours::parse(text).map(drop)),
    ("time-zone", |text| hours::zone_of(text).map(drop)),
    ("socket-address", |text| {
        let address = text.parse::<SocketAddr>().map(drop);
        address.map_err(|_| "must be an address with a port, such as \"127.0.0.1:8080\"".into())
    }),
    ("outside-window", |text| {
        OutsideWindow::parse(text).map(drop)
    }),
    ("lmtp-listen", |text| LmtpListen::parse(text).map(drop)),
    ("log-filter", |text| {
        let filter = EnvFilter::try_new(text).map(drop);
        filter.map_err(|_| "must be a level such as \"info\", also by module".into())
    }),
];

impl<'a> Checker<'a> {
    /// Prepares a schema; the error says why it can't be used.
    pub(super) fn new(schema: &'a Value) -> Result<Self, String> {
        let options = jsonschema::options().should_validate_formats(true);
        let options = FORMATS.iter().fold(options, |options, (name, check)| {
            options.with_format(*name, move |text: &str| check(text).is_ok())
        });
        let validator = options
            .build(schema)
            .map_err(|error| error.masked().to_string())?;
        Ok(Self { schema, validator })
    }

    /// Everything that does not fit.
    pub(super) fn check(&self, value: &Value) -> Vec<Fault> {
        let mut faults = Vec::new();
        for error in self.validator.iter_errors(value) {
            self.explain(&error, &mut faults);
        }
        faults
    }

    fn explain(&self, error: &ValidationError<'_>, faults: &mut Vec<Fault>) {
        let pointer = error.instance_path().as_str();
        match error.kind() {
            Kind::AdditionalProperties { unexpected }
            | Kind::UnevaluatedProperties { unexpected } => {
                let known = self.known_keys(error);
                faults.extend(unexpected.iter().map(|key| Fault {
                    pointer: child(pointer, key),
                    missing: false,
                    message: unknown(key, &known),
                }));
            }
            Kind::Required { property } => faults.push(Fault {
                pointer: pointer.to_owned(),
                missing: true,
                message: format!("{} is missing", property.as_str().unwrap_or_default()),
            }),
            Kind::AnyOf { context } | Kind::OneOfNotValid { context } => {
                match the_one_meant(context, pointer) {
                    Some(errors) => errors.iter().for_each(|error| self.explain(error, faults)),
                    None => faults.push(fault(pointer, self.alternatives(error, context))),
                }
            }
            _ => faults.push(fault(pointer, describe(error))),
        }
    }

    /// The keys that the schema names where it refused another one.
    fn known_keys(&self, error: &ValidationError<'_>) -> Vec<&str> {
        let keyword = error.schema_path().as_str();
        let at = keyword.rsplit_once('/').map_or("", |(at, _)| at);
        let properties = self.schema.pointer(&format!("{at}/properties"));
        let properties = properties.and_then(Value::as_object);
        properties
            .into_iter()
            .flatten()
            .map(|(key, _)| key.as_str())
            .collect()
    }

    /// What would have been accepted, where no form of several fits.
    fn alternatives(
        &self,
        error: &ValidationError<'_>,
        context: &[Vec<ValidationError<'_>>],
    ) -> String {
        let branches = self.schema.pointer(error.schema_path().as_str());
        let constants: Vec<_> = branches
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
            .flat_map(|branch| match (branch.get("const"), branch.get("enum")) {
                (Some(constant), _) => vec![constant],
                (_, Some(Value::Array(constants))) => constants.iter().collect(),
                _ => Vec::new(),
            })
            .collect();
        if !constants.is_empty() {
            return one_of(&constants);
        }
        let all_types = context.iter().flatten().map(|error| match error.kind() {
            Kind::Type { kind } => Some(type_names(kind)),
            _ => None,
        });
        match all_types.collect::<Option<Vec<_>>>() {
            Some(names) => wrong_type(&names.concat(), error.instance()),
            None => "fits none of the accepted forms".into(),
        }
    }
}

fn fault(pointer: &str, message: String) -> Fault {
    Fault {
        pointer: pointer.to_owned(),
        missing: false,
        message,
    }
}

/// Of several forms, the only one whose type fits: the one that was meant.
fn the_one_meant<'a, 'b>(
    context: &'a [Vec<ValidationError<'b>>],
    pointer: &str,
) -> Option<&'a [ValidationError<'b>]> {
    let mut fitting = context.iter().filter(|errors| {
        !errors.iter().any(|error| {
            let constant = matches!(error.kind(), Kind::Constant { .. } | Kind::Enum { .. });
            let wrong_type = matches!(error.kind(), Kind::Type { .. });
            (constant || wrong_type) && error.instance_path().as_str() == pointer
        })
    });
    fitting
        .next()
        .filter(|_| fitting.next().is_none())
        .map(Vec::as_slice)
}

fn describe(error: &ValidationError<'_>) -> String {
    match error.kind() {
        Kind::Type { kind } => wrong_type(&type_names(kind), error.instance()),
        Kind::Enum { options } => {
            one_of(&options.as_array().into_iter().flatten().collect::<Vec<_>>())
        }
        Kind::Constant { expected_value } => one_of(&[expected_value]),
        Kind::Minimum { limit } => format!("must be at least {limit}"),
        Kind::Maximum { limit } => format!("must be at most {limit}"),
        Kind::ExclusiveMinimum { limit } => format!("must be more than {limit}"),
        Kind::ExclusiveMaximum { limit } => format!("must be less than {limit}"),
        Kind::MinLength { limit: 1 } | Kind::MinItems { limit: 1 } => "must not be empty".into(),
        Kind::MinLength { limit } => format!("must have at least {limit} characters"),
        Kind::MaxLength { limit } => format!("must have at most {limit} characters"),
        Kind::MinItems { limit } => format!("must have at least {limit} items"),
        Kind::MaxItems { limit } => format!("must have at most {limit} items"),
        Kind::UniqueItems => "must not hold the same item twice".into(),
        Kind::Pattern { pattern } => format!("must match the pattern {pattern}"),
        Kind::Format { format } => match wrong_format(format, error.instance()) {
            Some(message) => message,
            None => format!("must be of the format {format}"),
        },
        _ => error
            .masked_with("the value")
            .to_string()
            .replace(char::is_control, " "),
    }
}

fn wrong_format(format: &str, value: &Value) -> Option<String> {
    let (_, check) = FORMATS.iter().find(|(name, _)| *name == format)?;
    check(value.as_str()?).err()
}

fn type_names(kind: &TypeKind) -> Vec<&'static str> {
    let word = |name: &str| match name {
        "object" => Some("a table"),
        "array" => Some("a list"),
        "string" => Some("a string"),
        "integer" => Some("an integer"),
        "number" => Some("a number"),
        "boolean" => Some("true or false"),
        // A key without value can't be written in TOML.
        _ => None,
    };
    match kind {
        TypeKind::Single(one) => word(one.as_str()).into_iter().collect(),
        TypeKind::Multiple(set) => set.iter().filter_map(|one| word(one.as_str())).collect(),
    }
}

fn wrong_type(wanted: &[&str], value: &Value) -> String {
    let is = match value {
        Value::Null => "nothing",
        Value::Bool(_) => "true or false",
        Value::Number(number) if number.is_f64() => "a number",
        Value::Number(_) => "an integer",
        Value::String(_) => "a string",
        Value::Array(_) => "a list",
        Value::Object(_) => "a table",
    };
    let mut wanted = wanted.to_vec();
    wanted.dedup();
    let hint = match value {
        Value::Number(_) | Value::Bool(_) if wanted == ["a string"] => ": put it in double quotes",
        Value::Object(table) if wanted.contains(&"a string") && secret::is_meant(table) => {
            ": a secret kept elsewhere is { file = ... }, { env = ... } or { credential = ... }"
        }
        _ => "",
    };
    format!("must be {}, is {is}{hint}", wanted.join(" or "))
}

fn one_of(options: &[&Value]) -> String {
    let options: Vec<_> = options.iter().map(ToString::to_string).collect();
    match options.as_slice() {
        [only] => format!("must be {only}"),
        _ => format!("must be one of {}", options.join(", ")),
    }
}

/// What to say of an unknown key: the nearest known one, or all of them where none is near.
fn unknown(key: &str, known: &[&str]) -> String {
    let nearest = known
        .iter()
        .map(|name| (strsim::damerau_levenshtein(&key.to_lowercase(), name), name))
        .min();
    match nearest {
        Some((distance, name)) if distance <= name.len().div_ceil(3) => {
            format!("unknown key; did you mean {name:?}?")
        }
        Some(_) => format!("unknown key; known here are {}", known.join(", ")),
        None => "unknown key".into(),
    }
}

/// The schema of the value that these steps lead to.
pub(super) fn at_instance<'a>(schema: &'a Value, steps: &[String]) -> Option<&'a Value> {
    steps.iter().try_fold(schema, |schema, step| {
        let property = schema.get("properties").and_then(|keys| keys.get(step));
        property.or_else(|| schema.get("additionalProperties"))
    })
}

/// The types that a schema accepts, as far as it says.
pub(super) fn types(schema: &Value) -> Vec<&str> {
    let forms = schema.get("anyOf").and_then(Value::as_array);
    let own = match schema.get("type") {
        Some(Value::String(name)) => vec![name.as_str()],
        Some(Value::Array(names)) => names.iter().filter_map(Value::as_str).collect(),
        _ => Vec::new(),
    };
    let of_forms = forms.into_iter().flatten().flat_map(types);
    own.into_iter().chain(of_forms).collect()
}
