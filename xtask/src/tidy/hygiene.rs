//! The shape of the repository: lints are inherited, one test binary per crate, locks name public registries only.

use super::{File, Finding, Tree};

const ARCHITECTURE_LINES_MAX: usize = 300;
const SANS_IO_CLIPPY: &[&str] = &["crates/sfu", "crates/signalling", "crates/turn"];

pub(crate) fn check(tree: &Tree, findings: &mut Vec<Finding>) {
    for file in &tree.files {
        if file.path.ends_with("Cargo.toml") {
            inherits_lints(file, findings);
        }
        one_test_binary(file, findings);
        if file.path.ends_with(".md") {
            links_lead_somewhere(tree, file, findings);
        }
        if file.path.ends_with("Cargo.lock") {
            let allowed = "registry+https://github.com/rust-lang/crates.io-index";
            let is_public = |source: &str| source.starts_with(allowed);
            public_registry(file, "source = \"", is_public, findings);
        }
        if file.path.ends_with("package-lock.json") {
            let folder = file.path.trim_end_matches("package-lock.json");
            // Or a package of our own, beside the file.
            let is_allowed = |source: &str| {
                let own = format!("{folder}{source}/package.json");
                source.starts_with("https://registry.npmjs.org/")
                    || tree.files.iter().any(|file| file.path == own)
            };
            public_registry(file, "\"resolved\": \"", is_allowed, findings);
        }
        if file.path == "ARCHITECTURE.md" && file.text.lines().count() > ARCHITECTURE_LINES_MAX {
            let what = format!("longer than {ARCHITECTURE_LINES_MAX} lines");
            findings.push(file.finding(
                1,
                "architecture",
                what,
                "say where things are and what is absent; the rest has its own document",
            ));
        }
    }
    for folder in SANS_IO_CLIPPY {
        stricter_clippy(tree, folder, findings);
    }
}

fn inherits_lints(file: &File, findings: &mut Vec<Finding>) {
    let is_package = file.text.lines().any(|line| line.trim() == "[package]");
    // A folder with its own [workspace] table (a fuzz target's) cannot inherit.
    let is_root = file.text.lines().any(|line| line.trim() == "[workspace]");
    let compact: String = file.text.split_whitespace().collect();
    if is_package && !is_root && !compact.contains("[lints]workspace=true") {
        let what = "the crate does not inherit the workspace lints".to_owned();
        findings.push(file.finding(1, "lints", what, "add `[lints]` and `workspace = true`"));
    }
}

fn one_test_binary(file: &File, findings: &mut Vec<Finding>) {
    let parts: Vec<&str> = file.path.split('/').collect();
    let is_extra = match parts.as_slice() {
        ["crates", _, "tests", name] => name.ends_with(".rs"),
        ["crates", _, "tests", folder, "main.rs"] => *folder != "it",
        _ => false,
    };
    if is_extra {
        let what = "a second test binary of this crate".to_owned();
        findings.push(file.finding(
            1,
            "test-binary",
            what,
            "make it a module of tests/it/main.rs: each binary links the whole tree again",
        ));
    }
}

/// `[text](path)`: the path exists, from the document's own folder. Addresses and anchors are not looked at.
fn links_lead_somewhere(tree: &Tree, file: &File, findings: &mut Vec<Finding>) {
    let folder = file.path.rsplit_once('/').map_or("", |(folder, _)| folder);
    for (number, line) in file.lines() {
        for rest in line.split("](").skip(1) {
            let target = rest.split([')', '#']).next().unwrap_or_default();
            let is_local = !target.is_empty() && !target.contains(':') && !target.contains(' ');
            if is_local && !tree.root.join(folder).join(target).exists() {
                let what = format!("a link to what does not exist: {target}");
                findings.push(file.finding(
                    number,
                    "links",
                    what,
                    "correct the path, or write the document",
                ));
            }
        }
    }
}

fn public_registry(
    file: &File,
    key: &str,
    is_allowed: impl Fn(&str) -> bool,
    findings: &mut Vec<Finding>,
) {
    for (number, line) in file.lines() {
        let Some(source) = line.trim_start().strip_prefix(key) else {
            continue;
        };
        let source = source.trim_end_matches(['"', ',']);
        if !is_allowed(source) {
            let what = format!("not from the public registry: {source}");
            findings.push(file.finding(
                number,
                "registry",
                what,
                "resolve it again from the public registry, by name and version",
            ));
        }
    }
}

/// clippy takes the nearest clippy.toml and does not merge: the sans-IO crates must carry the strict one.
fn stricter_clippy(tree: &Tree, folder: &str, findings: &mut Vec<Finding>) {
    let manifest = format!("{folder}/Cargo.toml");
    let Some(file) = tree.files.iter().find(|file| file.path == manifest) else {
        return;
    };
    let read = |path: &str| std::fs::read_to_string(tree.root.join(path)).ok();
    let strict = read("clippy-sans-io.toml");
    if strict.is_none() || read(&format!("{folder}/clippy.toml")) != strict {
        let what = format!("{folder}/clippy.toml is not clippy-sans-io.toml");
        findings.push(file.finding(
            1,
            "sans-io-clippy",
            what,
            "ln -s ../../clippy-sans-io.toml clippy.toml",
        ));
    }
}
