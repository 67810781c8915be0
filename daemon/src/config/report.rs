//! Collecting what is wrong while a configuration is checked.

use super::{
    finding::{Finding, key_path},
    layer::Places,
};

/// Errors and warnings so far, and the places that they are put at.
pub(super) struct Report<'a> {
    pub places: &'a Places,
    pub errors: Vec<Finding>,
    pub warnings: Vec<Finding>,
}

impl<'a> Report<'a> {
    pub(super) fn new(places: &'a Places) -> Self {
        Self {
            places,
            errors: Vec::new(),
            warnings: Vec::new(),
        }
    }

    /// Adds an error at the value that this pointer leads to. A value that could not even be
    /// read has its error already.
    pub(super) fn error(&mut self, pointer: &str, message: impl Into<String>) {
        if !self.places.failed(pointer) {
            self.errors.push(self.finding(pointer, message.into()));
        }
    }

    /// Adds a warning likewise.
    pub(super) fn warn(&mut self, pointer: &str, message: impl Into<String>) {
        if !self.places.failed(pointer) {
            self.warnings.push(self.finding(pointer, message.into()));
        }
    }

    fn finding(&self, pointer: &str, message: String) -> Finding {
        Finding {
            place: self.places.of(pointer).clone(),
            key: key_path(pointer),
            message,
        }
    }
}

/// Sorts findings by place and drops those that were found twice.
pub(super) fn in_order(mut findings: Vec<Finding>) -> Vec<Finding> {
    findings.sort();
    findings.dedup();
    findings
}
