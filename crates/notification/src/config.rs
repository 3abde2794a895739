//! Settings of the service.

use platform::config::Section;

/// The section `notification` of the configuration.
#[derive(Debug, Clone)]
pub struct Config {}

impl Config {
    /// Reads the section.
    pub fn read(_section: &mut Section<'_>) -> Self {
        Self {}
    }
}
