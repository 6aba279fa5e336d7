//! Runs every suite, lets its output through, and adds up what the suites themselves report.
//!
//! The sum is honest by these rules: a suite whose closing line cannot be read counts as one failure, so does a
//! suite that ends badly without a failed test, and a step that is no suite counts only when it fails.

mod closing;
#[cfg(test)]
mod tests;

use anyhow::{Context, Result, bail};
use closing::{Closing, Counts};
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Instant;

/// One thing to run, in order. `closing` tells how to read its counts; a step without it only passes or fails.
struct Suite {
    name: &'static str,
    folder: &'static str,
    command: &'static [&'static str],
    closing: Option<Closing>,
}

const SUITES: &[Suite] = &[
    Suite::step("setup", &["make", "--no-print-directory", "setup"]),
    Suite::step("check", &["make", "--no-print-directory", "check"]),
    // What the end-to-end tests start is what `make run` starts.
    Suite::step("build", &["make", "--no-print-directory", "build"]),
    Suite {
        name: "rust",
        folder: ".",
        command: &["cargo", "test", "--workspace", "--locked", "--no-fail-fast"],
        closing: Some(Closing::Cargo),
    },
    Suite {
        name: "web",
        folder: "web",
        command: &["npm", "test"],
        closing: Some(Closing::Vitest),
    },
    Suite {
        name: "e2e",
        folder: "e2e",
        command: &["npm", "run", "e2e"],
        closing: Some(Closing::Node),
    },
];

impl Suite {
    const fn step(name: &'static str, command: &'static [&'static str]) -> Suite {
        Suite {
            name,
            folder: ".",
            command,
            closing: None,
        }
    }
}

/// Runs the named suites, or all; true when nothing failed.
pub(crate) fn run(root: &Path, names: &[&str]) -> Result<bool> {
    if let Some(unknown) = names
        .iter()
        .find(|name| SUITES.iter().all(|suite| suite.name != **name))
    {
        let known: Vec<&str> = SUITES.iter().map(|suite| suite.name).collect();
        bail!(
            "there is no suite {unknown}; there are {}",
            known.join(", ")
        );
    }
    let mut rows = Vec::new();
    for suite in SUITES
        .iter()
        .filter(|suite| names.is_empty() || names.contains(&suite.name))
    {
        println!("\n==> {}: {}", suite.name, suite.command.join(" "));
        let begin = Instant::now();
        let outcome = run_one(root, suite).unwrap_or_else(|error| {
            eprintln!("{}: {error:#}", suite.name);
            Outcome::NotRun
        });
        rows.push((suite, outcome, begin.elapsed().as_secs()));
    }
    println!();
    let mut sum = Counts::default();
    for (suite, outcome, seconds) in &rows {
        println!("{:>8}  {:>5} s  {outcome}", suite.name, seconds);
        sum += outcome.counts();
    }
    println!("\n{} passed, {} failed", sum.passed, sum.failed);
    Ok(sum.failed == 0)
}

/// What became of one suite.
#[derive(Debug, PartialEq, Eq)]
enum Outcome {
    Step {
        ok: bool,
    },
    Counted {
        counts: Counts,
        ok: bool,
    },
    /// It could not even be started.
    NotRun,
    /// It ended without a closing line we can read.
    Unreadable,
}

impl Outcome {
    fn new(closing: Option<Closing>, output: &str, ok: bool) -> Outcome {
        let Some(closing) = closing else {
            return Outcome::Step { ok };
        };
        match closing.read(output) {
            Some(counts) => Outcome::Counted { counts, ok },
            None => Outcome::Unreadable,
        }
    }

    fn counts(&self) -> Counts {
        match self {
            Outcome::Step { ok: true } => Counts::default(),
            // A suite that ends badly has failed, whatever it counted.
            Outcome::Counted { counts, ok: false } => Counts {
                failed: counts.failed.max(1),
                ..*counts
            },
            Outcome::Counted { counts, ok: true } => *counts,
            Outcome::Step { ok: false } | Outcome::NotRun | Outcome::Unreadable => Counts {
                failed: 1,
                ..Counts::default()
            },
        }
    }
}

impl std::fmt::Display for Outcome {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Outcome::Step { ok: true } => write!(f, "done"),
            Outcome::Step { ok: false } => write!(f, "FAILED"),
            Outcome::NotRun => write!(f, "FAILED: it could not be run"),
            Outcome::Unreadable => write!(f, "FAILED: its closing line could not be read"),
            Outcome::Counted {
                counts:
                    Counts {
                        passed,
                        failed,
                        skipped,
                    },
                ok,
            } => {
                write!(f, "{passed} passed, {failed} failed, {skipped} skipped")?;
                if !ok && *failed == 0 {
                    write!(f, ", FAILED: it ended badly")?;
                }
                Ok(())
            }
        }
    }
}

fn run_one(root: &Path, suite: &Suite) -> Result<Outcome> {
    let [program, arguments @ ..] = suite.command else {
        bail!("the suite {} has no command", suite.name)
    };
    let mut child = Command::new(program)
        .args(arguments)
        .current_dir(root.join(suite.folder))
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .with_context(|| {
            format!(
                "cannot run {program} for the suite {}: is it installed?",
                suite.name
            )
        })?;
    let stdout = child.stdout.take().expect("stdout is piped");
    let output = pass_through(BufReader::new(stdout))?;
    let status = child
        .wait()
        .with_context(|| format!("cannot wait for {program}"))?;
    Ok(Outcome::new(suite.closing, &output, status.success()))
}

/// Shows the output as it comes and keeps it.
fn pass_through(mut from: impl BufRead) -> Result<String> {
    let mut kept = Vec::new();
    let mut line = Vec::new();
    let mut screen = std::io::stdout().lock();
    while from.read_until(b'\n', &mut line)? > 0 {
        screen.write_all(&line)?;
        screen.flush()?;
        kept.append(&mut line);
    }
    Ok(String::from_utf8_lossy(&kept).into_owned())
}
