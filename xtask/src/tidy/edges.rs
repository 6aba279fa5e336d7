//! Who may import whom. A new edge needs a note in `docs/decisions`.

use super::{Finding, Tree};
use anyhow::{Context, Result, bail};
use serde::Deserialize;
use std::process::Command;

const RULE: &str = "edges";

/// What one crate of ours may depend on, in its tests too. Foreign crates are free unless forbidden.
struct Crate {
    name: &'static str,
    ours: &'static [&'static str],
    /// Foreign crates it must not have; `x*` forbids all that begin with x.
    forbidden: &'static [&'static [&'static str]],
}

/// Sockets, clocks, randomness, files, threads, configuration: the shell's.
const IO: &[&str] = &[
    "async-*",
    "axum*",
    "chrono",
    "clap",
    "crossbeam*",
    "fastrand",
    "futures*",
    "getrandom",
    "hyper*",
    "if-addrs",
    "mio",
    "quinn*",
    "rand",
    "rayon",
    "reqwest",
    "rtrb",
    "smol",
    "socket2",
    "time",
    "tokio*",
    "toml",
    "tower*",
];
const WIRE_FORMATS: &[&str] = &["livekit-*", "prost*", "serde*"];
const MEDIA_ENGINE: &[&str] = &["str0m*"];

const CRATES: &[Crate] = &[
    Crate {
        name: "madang-sfu",
        ours: &[],
        forbidden: &[IO, WIRE_FORMATS],
    },
    Crate {
        name: "madang-turn",
        ours: &[],
        forbidden: &[IO, WIRE_FORMATS, MEDIA_ENGINE],
    },
    Crate {
        name: "madang-signalling",
        ours: &["madang-sfu"],
        forbidden: &[IO, MEDIA_ENGINE],
    },
    Crate {
        name: "madang",
        // The client is for `main.rs` alone: see `words.rs`.
        ours: &[
            "madang-client",
            "madang-sfu",
            "madang-turn",
            "madang-signalling",
        ],
        forbidden: &[MEDIA_ENGINE],
    },
    Crate {
        name: "madang-client",
        ours: &[],
        forbidden: &[],
    },
    Crate {
        name: "madang-netsim",
        ours: &["madang-sfu", "madang-turn", "madang-signalling"],
        forbidden: &[&["tokio*", "socket2", "quinn*", "rand", "getrandom"]],
    },
    Crate {
        name: "madang-bench",
        ours: &["madang", "madang-sfu", "madang-turn", "madang-client"],
        forbidden: &[MEDIA_ENGINE],
    },
    Crate {
        name: "xtask",
        ours: &[],
        forbidden: &[],
    },
];

pub(crate) fn check(tree: &Tree, findings: &mut Vec<Finding>) -> Result<()> {
    let packages = metadata(tree)?.packages;
    for package in &packages {
        let manifest = package
            .manifest_path
            .strip_prefix(&tree.root)
            .unwrap_or(&package.manifest_path);
        let path = manifest.to_string_lossy().replace('\\', "/");
        let text = tree
            .files
            .iter()
            .find(|file| file.path == path)
            .map_or("", |file| &file.text);
        let mut report = |what: String, line: usize, remedy: &'static str| {
            findings.push(Finding {
                path: path.clone(),
                line,
                rule: RULE,
                what,
                remedy,
            });
        };
        let Some(row) = CRATES.iter().find(|row| row.name == package.name) else {
            let what = format!("the crate {} is not in the table of edges", package.name);
            report(
                what,
                1,
                "add it to xtask/src/tidy/edges.rs, with a note in docs/decisions",
            );
            continue;
        };
        for dependency in &package.dependencies {
            let name = dependency.name.as_str();
            let is_ours = packages.iter().any(|other| other.name == name);
            let line = line_of(text, name);
            if is_ours {
                if !row.ours.contains(&name) {
                    let what = format!("{} must not depend on {name}", row.name);
                    report(
                        what,
                        line,
                        "turn the need around, or argue the edge in docs/decisions and add it to the table",
                    );
                }
            } else if row
                .forbidden
                .iter()
                .copied()
                .flatten()
                .any(|pattern| is_match(pattern, name))
            {
                let what = format!("{} must not depend on {name}", row.name);
                report(
                    what,
                    line,
                    "hand the value in (time, randomness, bytes), or do it in the shell",
                );
            }
        }
    }
    Ok(())
}

#[derive(Deserialize)]
struct Metadata {
    packages: Vec<Package>,
}

#[derive(Deserialize)]
struct Package {
    name: String,
    manifest_path: std::path::PathBuf,
    dependencies: Vec<Dependency>,
}

#[derive(Deserialize)]
struct Dependency {
    name: String,
}

/// What cargo understands of the manifests. The dependencies need not be downloaded for it.
fn metadata(tree: &Tree) -> Result<Metadata> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output = Command::new(cargo)
        .args([
            "metadata",
            "--format-version",
            "1",
            "--no-deps",
            "--offline",
        ])
        .current_dir(&tree.root)
        .output()
        .context("cannot run cargo metadata")?;
    if !output.status.success() {
        bail!(
            "cargo metadata failed: {}",
            String::from_utf8_lossy(&output.stderr)
        );
    }
    serde_json::from_slice(&output.stdout).context("cargo metadata answered something unexpected")
}

fn is_match(pattern: &str, name: &str) -> bool {
    pattern
        .strip_suffix('*')
        .map_or(pattern == name, |start| name.starts_with(start))
}

fn line_of(manifest: &str, dependency: &str) -> usize {
    let is_key = |line: &str| {
        line.trim_start()
            .strip_prefix(dependency)
            .is_some_and(|rest| rest.starts_with(['.', ' ', '=']))
    };
    manifest
        .lines()
        .position(is_key)
        .map_or(1, |index| index + 1)
}
