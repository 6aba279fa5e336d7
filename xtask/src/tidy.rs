//! Rules of the house that neither the compiler nor clippy can see.
//!
//! A rule is a function from the tree to findings. Each has a test that plants a violation and sees it refused.

mod edges;
mod events;
mod hygiene;
mod length;
mod rust;
#[cfg(test)]
mod tests;
mod transcripts;
mod words;

use anyhow::{Context, Result, bail};
use std::fmt;
use std::path::Path;
use std::process::Command;

/// What to do with ratchet entries that are higher than the code needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ratchet {
    Keep,
    Lower,
}

/// Prints every finding; true when there is none.
pub(crate) fn run(root: &Path, ratchet: Ratchet) -> Result<bool> {
    let tree = Tree::read(root)?;
    if ratchet == Ratchet::Lower {
        length::lower(&tree)?;
    }
    let findings = check(&tree)?;
    for finding in &findings {
        eprintln!("{finding}\n");
    }
    match findings.len() {
        0 => println!(
            "tidy: {} files, nothing to complain about",
            tree.files.len()
        ),
        n => eprintln!("tidy: {n} finding(s) in {} files", tree.files.len()),
    }
    Ok(findings.is_empty())
}

fn check(tree: &Tree) -> Result<Vec<Finding>> {
    let mut findings = Vec::new();
    edges::check(tree, &mut findings)?;
    events::check(tree, &mut findings);
    hygiene::check(tree, &mut findings);
    length::check(tree, &mut findings);
    transcripts::check(tree, &mut findings);
    words::check(tree, &mut findings);
    findings.sort_by(|a, b| (&a.path, a.line, a.rule).cmp(&(&b.path, b.line, b.rule)));
    Ok(findings)
}

/// The files git knows or would add: what is ignored is nobody's.
struct Tree {
    root: std::path::PathBuf,
    files: Vec<File>,
}

struct File {
    /// From the root, with forward slashes.
    path: String,
    text: String,
    /// The parsed file, for Rust files that parse. One that does not is the compiler's to refuse.
    rust: Option<syn::File>,
}

/// One broken rule at one place.
struct Finding {
    path: String,
    /// 1 for the whole file.
    line: usize,
    rule: &'static str,
    what: String,
    remedy: &'static str,
}

impl Tree {
    fn read(root: &Path) -> Result<Tree> {
        let listing = Command::new("git")
            .args([
                "ls-files",
                "-z",
                "--cached",
                "--others",
                "--exclude-standard",
            ])
            .current_dir(root)
            .output()
            .context("cannot run git: tidy asks it which files are ours")?;
        if !listing.status.success() {
            bail!(
                "git ls-files failed in {}: {}",
                root.display(),
                String::from_utf8_lossy(&listing.stderr)
            );
        }
        let mut paths: Vec<&[u8]> = listing
            .stdout
            .split(|byte| *byte == 0)
            .filter(|path| !path.is_empty())
            .collect();
        paths.sort_unstable();
        paths.dedup();
        let mut files = Vec::new();
        for path in paths {
            let path = std::str::from_utf8(path)
                .context("a file name that is not UTF-8")?
                .to_owned();
            // A deleted file is still in the index; a link is read where it points to; an image is not text.
            let on_disk = root.join(&path);
            if !on_disk.is_file() || on_disk.is_symlink() {
                continue;
            }
            let bytes = std::fs::read(&on_disk).with_context(|| format!("cannot read {path}"))?;
            let Ok(text) = String::from_utf8(bytes) else {
                continue;
            };
            let rust = path
                .ends_with(".rs")
                .then(|| syn::parse_file(&text).ok())
                .flatten();
            files.push(File { path, text, rust });
        }
        Ok(Tree {
            root: root.to_owned(),
            files,
        })
    }

    fn under<'a>(&'a self, folders: &'a [&str]) -> impl Iterator<Item = &'a File> {
        self.files
            .iter()
            .filter(|file| folders.iter().any(|folder| file.path.starts_with(folder)))
    }
}

impl File {
    fn extension(&self) -> &str {
        self.path
            .rsplit('/')
            .next()
            .and_then(|name| name.rsplit_once('.'))
            .map_or("", |(_, extension)| extension)
    }

    /// Whether the file holds nothing but tests.
    fn is_test(&self) -> bool {
        let name = self.path.rsplit('/').next().unwrap_or_default();
        let folder = |name: &str| self.path.split('/').rev().skip(1).any(|part| part == name);
        folder("tests")
            || folder("test")
            || self.path.starts_with("e2e/")
            || name == "tests.rs"
            || name.starts_with("test_")
            || [".test.ts", ".test.tsx", ".test.mjs", ".spec.ts"]
                .iter()
                .any(|end| name.ends_with(end))
    }

    fn lines(&self) -> impl Iterator<Item = (usize, &str)> {
        self.text
            .lines()
            .enumerate()
            .map(|(index, line)| (index + 1, line))
    }

    fn finding(
        &self,
        line: usize,
        rule: &'static str,
        what: String,
        remedy: &'static str,
    ) -> Finding {
        Finding {
            path: self.path.clone(),
            line,
            rule,
            what,
            remedy,
        }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Finding {
            path,
            line,
            rule,
            what,
            remedy,
        } = self;
        write!(f, "{path}:{line}: [{rule}] {what}\n    remedy: {remedy}")
    }
}
