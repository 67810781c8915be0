//! The latest outcomes of sending.

use std::collections::VecDeque;

/// The latest outcomes, oldest first; true is trouble.
#[derive(Debug, Clone, Default)]
pub(super) struct Window {
    outcomes: VecDeque<bool>,
    trouble: usize,
}

impl Window {
    /// Adds an outcome; the oldest go where there are more than `size`.
    pub(super) fn push(&mut self, is_trouble: bool, size: usize) {
        self.outcomes.push_back(is_trouble);
        self.trouble += usize::from(is_trouble);
        while self.outcomes.len() > size {
            self.trouble -= usize::from(self.outcomes.pop_front() == Some(true));
        }
    }

    /// How many outcomes are known.
    pub(super) fn len(&self) -> usize {
        self.outcomes.len()
    }

    /// Whether at least this share of them, in percent, was trouble.
    pub(super) fn has_share(&self, percent: usize) -> bool {
        self.trouble * 100 >= percent * self.outcomes.len()
    }

    /// Forgets them.
    pub(super) fn clear(&mut self) {
        *self = Self::default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_latest_count() {
        let mut window = Window::default();
        for _ in 0..3 {
            window.push(true, 4);
        }
        window.push(false, 4);
        assert!(window.has_share(75) && !window.has_share(76));
        for _ in 0..3 {
            window.push(false, 4);
        }
        assert_eq!(window.len(), 4);
        assert!(!window.has_share(1));
        // A smaller window by a reload.
        window.push(true, 2);
        assert!(window.has_share(50) && window.len() == 2);
    }
}
