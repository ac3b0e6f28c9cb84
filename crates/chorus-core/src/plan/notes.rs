//! Findings on the way from a planner's reply to a [`Plan`](super::Plan): warnings for people and errors for
//! the planner. [`read`](super::read()) decides which reading is strict; every step of the reading adds notes.

use super::Refused;

/// Warnings and errors of one reading, in the order in which they were found.
#[derive(Debug, Default)]
pub(super) struct Notes {
    lenient: bool,
    errors: Vec<String>,
    warnings: Vec<String>,
}

impl Notes {
    /// Notes of a reading after which the planner is not asked again: errors are kept as warnings.
    pub(super) fn lenient() -> Self {
        Self {
            lenient: true,
            ..Self::default()
        }
    }

    /// Adds a warning about something that was mended.
    pub(super) fn warn(&mut self, text: String) {
        self.warnings.push(text);
    }

    /// Adds an error that the planner should mend; a warning in a lenient reading.
    pub(super) fn fault(&mut self, text: String) {
        if self.lenient {
            self.warnings.push(text);
        } else {
            self.errors.push(text);
        }
    }

    /// Returns the errors as [`Refused`] if there are any.
    pub(super) fn check(&self) -> Result<(), Refused> {
        if self.errors.is_empty() {
            Ok(())
        } else {
            Err(Refused {
                errors: self.errors.clone(),
            })
        }
    }

    /// The warnings; errors are dropped, so [`Notes::check`] comes before.
    pub(super) fn into_warnings(self) -> Vec<String> {
        self.warnings
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(mut notes: Notes, refused: &[&str], warnings: &[&str]) {
        notes.warn("a path was mended".to_owned());
        notes.fault("two tasks have the id t1".to_owned());
        let errors = notes.check().err().map(|refused| refused.errors);
        assert_eq!(errors.unwrap_or_default(), refused);
        assert_eq!(notes.into_warnings(), warnings);
    }

    #[test]
    fn a_fault_is_an_error_only_where_the_planner_is_asked_again() {
        let (path, id) = ("a path was mended", "two tasks have the id t1");
        check(Notes::default(), &[id], &[path]);
        check(Notes::lenient(), &[], &[path, id]);
    }
}
