//! The chores of this repository: `cargo xtask tidy` refuses what the compiler and clippy cannot see,
//! `cargo xtask test` runs every suite and adds up what they report.

mod suites;
mod tidy;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

const USAGE: &str = "\
usage: cargo xtask <chore>

  tidy            check the rules of the house; prints file:line, the rule and the remedy
  tidy --lower    also lower the entries of xtask/ratchet.txt to what the code needs now (never raises one)
  test            run every suite, print what each says, end with `N passed, N failed`
  test NAME...    only these suites
";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let outcome = match arguments.as_slice() {
        ["tidy"] => tidy::run(&repository(), tidy::Ratchet::Keep),
        ["tidy", "--lower"] => tidy::run(&repository(), tidy::Ratchet::Lower),
        ["test", names @ ..] => suites::run(&repository(), names),
        _ => {
            eprint!("{USAGE}");
            return ExitCode::from(2);
        }
    };
    match outcome {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("xtask: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// The root of the workspace: the directory above this crate.
fn repository() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent()
        .expect("xtask is a member directory of the workspace")
        .to_owned()
}
