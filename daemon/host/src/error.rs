//! How a call into a plugin fails.

use trunkline_plugin_api::{
    AdapterError,
    wire::{self, Carries, Code},
};

use super::library::Output;

/// Bytes of a plugin's own words that are kept in an error.
const WORDS_BYTES_MAX: usize = 512;

/// Why a call gave no result.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CallError {
    /// The plugin panicked. The next call runs on a channel opened anew.
    #[error("the plugin panicked: {0}")]
    Panic(String),
    /// The answer means nothing.
    #[error("the plugin answered garbage: {0}")]
    Garbage(String),
    /// The answer is larger than `output_bytes_max`.
    #[error("the plugin's answer is larger than allowed")]
    TooLarge,
    /// The plugin has no such call.
    #[error("the plugin has no such call")]
    Unsupported,
    /// The plugin could not read its input.
    #[error("the plugin did not understand the call: {0}")]
    BadInput(String),
    /// The library can't be loaded.
    #[error("the plugin {0}")]
    NotLoaded(String),
    /// The plugin's own process failed: it ended, hung or did what it must not.
    #[error("the plugin failed in its process: {0}")]
    Crashed(String),
    /// A process for the plugin could not be started: the machine's fault, not the plugin's.
    #[error("{0}")]
    NotStarted(String),
    /// The adapter refused, with its own class and words.
    #[error("{0}")]
    Failed(AdapterError),
}

impl CallError {
    /// True for what counts against the plugin itself: panics, crashes and answers that mean nothing.
    pub fn is_fault(&self) -> bool {
        matches!(
            self,
            Self::Panic(_)
                | Self::Garbage(_)
                | Self::TooLarge
                | Self::NotLoaded(_)
                | Self::Crashed(_)
        )
    }
}

/// Why a channel could not be opened.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OpenError {
    /// The adapter refuses the configuration.
    #[error("the configuration of channel {channel} was refused: {error}")]
    Refused {
        /// Which channel.
        channel: String,
        /// The adapter's words.
        error: AdapterError,
    },
    /// The plugin misbehaved.
    #[error("channel {channel} could not be opened: {error}")]
    Fault {
        /// Which channel.
        channel: String,
        /// How.
        error: CallError,
    },
}

impl OpenError {
    pub(super) fn new(channel: &str, error: CallError) -> Self {
        let channel = channel.to_owned();
        match error {
            CallError::Failed(error) => Self::Refused { channel, error },
            error => Self::Fault { channel, error },
        }
    }
}

/// Reads what a function of the table returned and wrote.
pub(super) fn read<T>(output: &Output) -> Result<T, CallError>
where
    T: Carries + serde::de::DeserializeOwned,
{
    if output.overflowed {
        return Err(CallError::TooLarge);
    }
    match Code::from_number(output.code) {
        Some(Code::Ok) => decode(output),
        Some(Code::Error) => Err(CallError::Failed(decode(output)?)),
        Some(Code::Unsupported) => Err(CallError::Unsupported),
        Some(Code::BadInput) => Err(CallError::BadInput(words(output))),
        Some(Code::Panic) => Err(CallError::Panic(words(output))),
        None => Err(CallError::Garbage(format!(
            "it returned {}, which is no return code",
            output.code
        ))),
    }
}

fn decode<T>(output: &Output) -> Result<T, CallError>
where
    T: Carries + serde::de::DeserializeOwned,
{
    wire::read_parts(&output.bytes)
        .and_then(|(json, raw)| wire::decode(json, raw))
        .map_err(|error| CallError::Garbage(bounded(error.to_string().as_bytes())))
}

fn words(output: &Output) -> String {
    match wire::read_parts(&output.bytes) {
        Ok((text, _)) if !text.is_empty() => bounded(text),
        _ => "it gave no reason".into(),
    }
}

fn bounded(text: &[u8]) -> String {
    let end = text.len().min(WORDS_BYTES_MAX);
    printable(&String::from_utf8_lossy(&text[..end]))
}

/// A plugin's words on one line, so that they can't forge another.
pub(super) fn printable(text: &str) -> String {
    text.replace(char::is_control, " ")
}

/// Cuts a text to so many bytes, between two characters.
pub(super) fn cut(text: &mut String, bytes_max: usize) {
    let mut ends = (0..=bytes_max.min(text.len())).rev();
    let end = ends.find(|end| text.is_char_boundary(*end));
    text.truncate(end.unwrap_or(0));
}
