//! What the doctor says.

use std::fmt::Write as _;

use serde_json::{Value, json};

use crate::language::{Language, Words};

const VERDICT_COLUMNS: usize = 8;
const SUBJECT_COLUMNS: usize = 19;
const REASON_COLUMN: usize = VERDICT_COLUMNS + 1 + SUBJECT_COLUMNS + 1;
const REMEDY_COLUMNS: usize = 8;

/// From harmless to serious.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Verdict {
    Ok,
    /// Something that it needs was not given, or another fault stands before it.
    NotChecked,
    Warning,
    Fault,
}

/// One thing that was looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Finding {
    /// What was looked at: stays the same whatever was found.
    pub(crate) check: &'static str,
    /// What was found: for programs.
    pub(crate) code: &'static str,
    pub(crate) verdict: Verdict,
    pub(crate) subject: Words,
    pub(crate) reason: Words,
    pub(crate) remedy: Option<Words>,
}

/// All of it.
#[derive(Debug)]
pub struct Report {
    findings: Vec<Finding>,
}

/// Makes the findings of one check.
#[derive(Debug, Clone)]
pub(crate) struct About {
    check: &'static str,
    subject: Words,
}

pub(crate) fn about(check: &'static str, en: impl Into<String>, ko: impl Into<String>) -> About {
    About {
        check,
        subject: Words::new(en, ko),
    }
}

impl About {
    pub(crate) fn ok(&self, code: &'static str, reason: Words) -> Finding {
        self.finding(code, Verdict::Ok, reason, None)
    }

    pub(crate) fn not_checked(&self, reason: Words) -> Finding {
        self.finding("not_checked", Verdict::NotChecked, reason, None)
    }

    pub(crate) fn warning(&self, code: &'static str, reason: Words, remedy: Words) -> Finding {
        self.finding(code, Verdict::Warning, reason, Some(remedy))
    }

    pub(crate) fn fault(&self, code: &'static str, reason: Words, remedy: Words) -> Finding {
        self.finding(code, Verdict::Fault, reason, Some(remedy))
    }

    fn finding(
        &self,
        code: &'static str,
        verdict: Verdict,
        reason: Words,
        remedy: Option<Words>,
    ) -> Finding {
        Finding {
            check: self.check,
            code,
            verdict,
            subject: self.subject.clone(),
            reason,
            remedy,
        }
    }
}

impl Verdict {
    fn name(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::NotChecked => "not_checked",
            Self::Warning => "warning",
            Self::Fault => "fault",
        }
    }

    fn word(self, language: Language) -> &'static str {
        match (self, language) {
            (Self::Ok, Language::En) => "ok",
            (Self::NotChecked, Language::En) => "-",
            (Self::Warning, Language::En) => "warning",
            (Self::Fault, Language::En) => "FAULT",
            (Self::Ok, Language::Ko) => "정상",
            (Self::NotChecked, Language::Ko) => "-",
            (Self::Warning, Language::Ko) => "주의",
            (Self::Fault, Language::Ko) => "문제",
        }
    }

    fn colour(self) -> &'static str {
        match self {
            Self::Ok => "32",
            Self::NotChecked => "2",
            Self::Warning => "1;33",
            Self::Fault => "1;31",
        }
    }
}

impl Report {
    pub(crate) fn new(findings: Vec<Finding>) -> Self {
        Self { findings }
    }

    /// Is there anything that must be mended?
    pub fn has_faults(&self) -> bool {
        self.count(Verdict::Fault) > 0
    }

    fn count(&self, verdict: Verdict) -> usize {
        let findings = self.findings.iter();
        findings
            .filter(|finding| finding.verdict == verdict)
            .count()
    }

    /// For people.
    pub fn text(&self, language: Language, is_terminal: bool) -> String {
        let mut text = String::new();
        for finding in &self.findings {
            let word = padded(finding.verdict.word(language), VERDICT_COLUMNS);
            let word = if is_terminal {
                format!("\x1b[{}m{word}\x1b[0m", finding.verdict.colour())
            } else {
                word
            };
            let subject = padded(finding.subject.in_language(language), SUBJECT_COLUMNS);
            let indented = |words: &Words, columns: usize| {
                let gap = format!("\n{:columns$}", "");
                words.in_language(language).replace('\n', &gap)
            };
            let reason = indented(&finding.reason, REASON_COLUMN);
            writeln!(text, "{word} {subject} {reason}").expect("writing to a string");
            if let Some(remedy) = &finding.remedy {
                let label = match language {
                    Language::En => "remedy:",
                    Language::Ko => "해결:",
                };
                let remedy = indented(remedy, REASON_COLUMN);
                let label = padded(label, REMEDY_COLUMNS);
                writeln!(
                    text,
                    "{:1$}{label} {remedy}",
                    "",
                    REASON_COLUMN - REMEDY_COLUMNS - 1
                )
                .expect("writing to a string");
            }
        }
        let (faults, warnings, skipped) = (
            self.count(Verdict::Fault),
            self.count(Verdict::Warning),
            self.count(Verdict::NotChecked),
        );
        let sum = match language {
            Language::En => {
                format!("faults: {faults}, warnings: {warnings}, not checked: {skipped}")
            }
            Language::Ko => {
                format!("문제 {faults}건, 주의 {warnings}건, 확인하지 않음 {skipped}건")
            }
        };
        writeln!(text, "\n{sum}").expect("writing to a string");
        text
    }

    /// For programs.
    pub fn json(&self, language: Language) -> String {
        let worst = self.findings.iter().map(|finding| finding.verdict).max();
        let verdict = match worst {
            None | Some(Verdict::Ok | Verdict::NotChecked) => Verdict::Ok,
            Some(worst @ (Verdict::Warning | Verdict::Fault)) => worst,
        };
        let findings: Vec<Value> = self
            .findings
            .iter()
            .map(|finding| {
                let remedy = finding.remedy.as_ref();
                json!({
                    "check": finding.check,
                    "code": finding.code,
                    "verdict": finding.verdict.name(),
                    "subject": finding.subject.in_language(language),
                    "reason": finding.reason.in_language(language),
                    "remedy": remedy.map(|remedy| remedy.in_language(language)),
                })
            })
            .collect();
        let all = json!({ "verdict": verdict.name(), "findings": findings });
        format!("{all:#}\n")
    }
}

/// Hangul takes two columns of a terminal.
fn padded(text: &str, columns: usize) -> String {
    let wide = |c: &char| matches!(*c, '\u{1100}'..='\u{11ff}' | '\u{3000}'..='\u{30ff}' | '\u{ac00}'..='\u{d7a3}');
    let used = text.chars().count() + text.chars().filter(wide).count();
    format!("{text}{:1$}", "", columns.saturating_sub(used))
}
