//! In which language the program speaks to whoever runs it.

use clap::ValueEnum;

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Language {
    /// 한국어
    Ko,
    /// English
    En,
}

/// The same in both.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Words {
    pub(crate) en: String,
    pub(crate) ko: String,
}

impl Language {
    /// Of the environment.
    pub fn of_process() -> Self {
        let language = ["LC_ALL", "LC_MESSAGES", "LANG"]
            .iter()
            .filter_map(|name| std::env::var(name).ok())
            .find(|value| !value.is_empty());
        if language.is_some_and(|language| language.starts_with("ko")) {
            Self::Ko
        } else {
            Self::En
        }
    }
}

impl Words {
    pub(crate) fn new(en: impl Into<String>, ko: impl Into<String>) -> Self {
        Self {
            en: en.into(),
            ko: ko.into(),
        }
    }

    pub(crate) fn in_language(&self, language: Language) -> &str {
        match language {
            Language::Ko => &self.ko,
            Language::En => &self.en,
        }
    }
}
