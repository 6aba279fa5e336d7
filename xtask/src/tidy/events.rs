//! A new room event must be decided in each dialect: no catch-all arm over `Event`.

use super::{Finding, Tree};
use syn::spanned::Spanned;
use syn::visit::{self, Visit};

const RULE: &str = "events";
const DIALECTS: &[&str] = &["crates/signalling/src/"];

pub(crate) fn check(tree: &Tree, findings: &mut Vec<Finding>) {
    for file in tree.under(DIALECTS).filter(|file| !file.is_test()) {
        let Some(rust) = &file.rust else { continue };
        let mut matches = Matches::default();
        matches.visit_file(rust);
        findings.extend(matches.catch_alls.into_iter().map(|line| {
            let what = "a catch-all arm over Event".to_owned();
            file.finding(
                line,
                RULE,
                what,
                "name the events this dialect leaves out, each",
            )
        }));
        findings.extend(matches.globs.into_iter().map(|line| {
            let what = "the variants of Event are imported by a glob".to_owned();
            file.finding(
                line,
                RULE,
                what,
                "write Event::Name, so that the rule about its matches can see them",
            )
        }));
    }
}

#[derive(Default)]
struct Matches {
    catch_alls: Vec<usize>,
    globs: Vec<usize>,
}

impl<'ast> Visit<'ast> for Matches {
    fn visit_expr_match(&mut self, expression: &'ast syn::ExprMatch) {
        let over_event = expression.arms.iter().any(|arm| names_event(&arm.pat));
        if over_event {
            let caught = expression.arms.iter().filter(|arm| is_catch_all(&arm.pat));
            self.catch_alls
                .extend(caught.map(|arm| arm.pat.span().start().line));
        }
        visit::visit_expr_match(self, expression);
    }

    fn visit_use_path(&mut self, path: &'ast syn::UsePath) {
        if path.ident == "Event" && matches!(*path.tree, syn::UseTree::Glob(_)) {
            self.globs.push(path.ident.span().start().line);
        }
        visit::visit_use_path(self, path);
    }
}

fn names_event(pattern: &syn::Pat) -> bool {
    struct Paths(bool);
    impl<'ast> Visit<'ast> for Paths {
        fn visit_path(&mut self, path: &'ast syn::Path) {
            let segments = path.segments.len();
            let parent = segments
                .checked_sub(2)
                .and_then(|index| path.segments.get(index));
            self.0 |= parent.is_some_and(|segment| segment.ident == "Event");
            visit::visit_path(self, path);
        }
    }
    let mut paths = Paths(false);
    paths.visit_pat(pattern);
    paths.0
}

/// Whether the pattern lets every event through: `_`, a bare name, or these in `&`, `Some`, a tuple.
#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "syn's patterns are open: it adds kinds in minor releases"
)]
fn is_catch_all(pattern: &syn::Pat) -> bool {
    match pattern {
        syn::Pat::Wild(_) => true,
        syn::Pat::Ident(binding) => match &binding.subpat {
            Some((_, inner)) => is_catch_all(inner),
            None => binding
                .ident
                .to_string()
                .starts_with(|first: char| first.is_lowercase() || first == '_'),
        },
        syn::Pat::Reference(reference) => is_catch_all(&reference.pat),
        syn::Pat::Paren(inner) => is_catch_all(&inner.pat),
        syn::Pat::Tuple(tuple) => tuple.elems.iter().all(is_catch_all),
        syn::Pat::TupleStruct(wrapper) => {
            let wraps = wrapper
                .path
                .segments
                .last()
                .is_some_and(|last| last.ident == "Some" || last.ident == "Ok");
            wraps && wrapper.elems.iter().all(is_catch_all)
        }
        syn::Pat::Or(alternatives) => alternatives.cases.iter().any(is_catch_all),
        _ => false,
    }
}
