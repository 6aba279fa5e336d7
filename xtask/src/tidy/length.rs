//! Files of at most 800 lines without tests, functions of at most 70 lines of code, dialects of at most 500 lines.
//!
//! `xtask/ratchet.txt` lists what is longer and by how much it may be: an entry may only shrink.

use super::rust::{code_lines, is_cfg_test, test_module_lines};
use super::{File, Finding, Tree};
use anyhow::{Context, Result};
use std::collections::BTreeMap;
use syn::visit::{self, Visit};

const RULE: &str = "length";
const RATCHET: &str = "xtask/ratchet.txt";
const FILE_LINES_MAX: usize = 800;
const FUNCTION_LINES_MAX: usize = 70;
/// Of a module of that folder with all of its files: a dialect, or what dialects share.
const DIALECT_LINES_MAX: usize = 500;
const DIALECTS: &str = "crates/signalling/src/";
const SOURCE_EXTENSIONS: [&str; 7] = ["rs", "ts", "tsx", "mjs", "js", "py", "sh"];
const HEAD: &str = "\
# What is longer than the house allows, and by how much it may be. Entries may only shrink: split the thing instead
# of adding one. `cargo xtask tidy --lower` lowers or drops the entries that are higher than the code needs.
#   file PATH LINES
#   fn PATH NAME LINES
#   dialect PATH LINES
";

pub(crate) fn check(tree: &Tree, findings: &mut Vec<Finding>) {
    let allowed = allowed(tree, findings);
    let measured = measure(tree);
    for (key, place) in &measured {
        let limit = allowed.get(key).copied().unwrap_or(place.lines_max);
        if place.lines > limit {
            findings.push(Finding {
                path: place.path.clone(),
                line: place.line,
                rule: RULE,
                what: format!("{key} has {} lines, {limit} allowed", place.lines),
                remedy: "split it along what it does; the ratchet does not go up",
            });
        }
    }
    for (key, limit) in &allowed {
        let needed = measured.get(key).map_or(0, |place| place.lines);
        if needed < *limit {
            findings.push(Finding {
                path: RATCHET.to_owned(),
                line: 1,
                rule: RULE,
                what: format!("{key} allows {limit} lines, {needed} are needed"),
                remedy: "run `cargo xtask tidy --lower` and commit the file",
            });
        }
    }
}

/// Lowers the entries of the ratchet to what the code needs, drops those that are not needed, adds none.
pub(crate) fn lower(tree: &Tree) -> Result<()> {
    let measured = measure(tree);
    let mut text = HEAD.to_owned();
    for (key, limit) in allowed(tree, &mut Vec::new()) {
        if let Some(place) = measured
            .get(&key)
            .filter(|place| place.lines > place.lines_max)
        {
            text += &format!("{key} {}\n", limit.min(place.lines));
        }
    }
    std::fs::write(tree.root.join(RATCHET), text).with_context(|| format!("cannot write {RATCHET}"))
}

/// Something with a length; its key is how the ratchet calls it.
struct Place {
    path: String,
    line: usize,
    lines: usize,
    lines_max: usize,
}

fn allowed(tree: &Tree, findings: &mut Vec<Finding>) -> BTreeMap<String, usize> {
    let mut entries = BTreeMap::new();
    let Some(file) = tree.files.iter().find(|file| file.path == RATCHET) else {
        return entries;
    };
    for (number, line) in file.lines() {
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        match line
            .rsplit_once(' ')
            .map(|(key, limit)| (key, limit.parse()))
        {
            Some((key, Ok(limit))) => {
                entries.insert(key.to_owned(), limit);
            }
            Some((_, Err(_))) | None => findings.push(file.finding(
                number,
                RULE,
                format!("not an entry: {line}"),
                "write `file PATH LINES`, `fn PATH NAME LINES` or `dialect PATH LINES`",
            )),
        }
    }
    entries
}

/// Everything that is measured and longer than it should be, and everything else too: the ratchet asks for both.
fn measure(tree: &Tree) -> BTreeMap<String, Place> {
    let mut places = BTreeMap::new();
    for file in tree
        .files
        .iter()
        .filter(|file| SOURCE_EXTENSIONS.contains(&file.extension()) && !file.is_test())
    {
        let tests: usize = file
            .rust
            .iter()
            .flat_map(test_module_lines)
            .map(Iterator::count)
            .sum();
        let lines = file.text.lines().count() - tests;
        let place = Place {
            path: file.path.clone(),
            line: 1,
            lines,
            lines_max: FILE_LINES_MAX,
        };
        places.insert(format!("file {}", file.path), place);
        if let Some(module) = dialect(file) {
            let place = places.entry(format!("dialect {module}")).or_insert(Place {
                path: file.path.clone(),
                line: 1,
                lines: 0,
                lines_max: DIALECT_LINES_MAX,
            });
            place.lines += lines;
        }
        if let Some(rust) = &file.rust {
            let mut functions = Functions {
                file,
                code: code_lines(&file.text),
                places: &mut places,
            };
            functions.visit_file(rust);
        }
    }
    places
}

fn dialect(file: &File) -> Option<String> {
    let rest = file.path.strip_prefix(DIALECTS)?;
    let module = rest.split('/').next().unwrap_or_default();
    let module = module.trim_end_matches(".rs");
    (module != "lib").then(|| format!("{DIALECTS}{module}"))
}

struct Functions<'a> {
    file: &'a File,
    code: std::collections::BTreeSet<usize>,
    places: &'a mut BTreeMap<String, Place>,
}

impl Functions<'_> {
    /// Counts as clippy's `too_many_lines` does: between the braces, without blank lines and comments.
    fn add(&mut self, name: &syn::Ident, body: &syn::Block) {
        let (open, close) = (
            body.brace_token.span.open().start().line,
            body.brace_token.span.close().end().line,
        );
        let lines = if close > open + 1 {
            self.code.range(open + 1..close).count()
        } else {
            0
        };
        let key = format!("fn {} {name}", self.file.path);
        let longest = self.places.get(&key).map_or(0, |place| place.lines);
        // Two functions of one name in one file share an entry: the longest counts.
        if lines >= longest {
            let path = self.file.path.clone();
            let line = name.span().start().line;
            self.places.insert(
                key,
                Place {
                    path,
                    line,
                    lines,
                    lines_max: FUNCTION_LINES_MAX,
                },
            );
        }
    }
}

impl<'ast> Visit<'ast> for Functions<'_> {
    fn visit_item_mod(&mut self, module: &'ast syn::ItemMod) {
        if !is_cfg_test(&module.attrs) {
            visit::visit_item_mod(self, module);
        }
    }

    fn visit_item_fn(&mut self, function: &'ast syn::ItemFn) {
        self.add(&function.sig.ident, &function.block);
        visit::visit_item_fn(self, function);
    }

    fn visit_impl_item_fn(&mut self, function: &'ast syn::ImplItemFn) {
        self.add(&function.sig.ident, &function.block);
        visit::visit_impl_item_fn(self, function);
    }

    fn visit_trait_item_fn(&mut self, function: &'ast syn::TraitItemFn) {
        if let Some(body) = &function.default {
            self.add(&function.sig.ident, body);
        }
        visit::visit_trait_item_fn(self, function);
    }
}
