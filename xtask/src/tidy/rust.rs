//! Looking into Rust source: its words with their lines, and which lines are code.

use proc_macro2::{TokenStream, TokenTree};
use std::collections::BTreeSet;
use syn::spanned::Spanned;

/// Every identifier outside comments, with its line. Doc comments are comments.
pub(crate) fn identifiers(text: &str) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    if let Ok(tokens) = text.parse() {
        collect_identifiers(tokens, &mut found);
    }
    found
}

/// Every string with a space in it, with its line: what somebody may be told. Not the reasons of `expect`, nor comments.
pub(crate) fn sentences(text: &str) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    if let Ok(tokens) = text.parse() {
        collect_sentences(tokens, &mut found);
    }
    found
}

/// Lines that hold code: neither blank nor nothing but comment.
pub(crate) fn code_lines(text: &str) -> BTreeSet<usize> {
    let mut lines = BTreeSet::new();
    if let Ok(tokens) = text.parse() {
        collect_lines(tokens, &mut lines);
    }
    // A doc comment reaches us as an attribute whose tokens carry the lines of the comment.
    let comments = text
        .lines()
        .enumerate()
        .filter(|(_, line)| line.trim_start().starts_with("//"));
    for (index, _) in comments {
        lines.remove(&(index + 1));
    }
    lines
}

/// First and last lines of the inline modules marked `#[cfg(test)]`.
pub(crate) fn test_module_lines(file: &syn::File) -> Vec<std::ops::RangeInclusive<usize>> {
    let modules = file.items.iter().filter_map(|item| {
        if let syn::Item::Mod(module) = item {
            Some(module)
        } else {
            None
        }
    });
    modules
        .filter(|module| module.content.is_some() && is_cfg_test(&module.attrs))
        .map(|module| module.span().start().line..=module.span().end().line)
        .collect()
}

pub(crate) fn is_cfg_test(attributes: &[syn::Attribute]) -> bool {
    attributes.iter().any(|attribute| {
        attribute.path().is_ident("cfg")
            && attribute
                .parse_args::<syn::Path>()
                .is_ok_and(|condition| condition.is_ident("test"))
    })
}

fn collect_identifiers(tokens: TokenStream, found: &mut Vec<(usize, String)>) {
    for token in tokens {
        match token {
            TokenTree::Ident(ident) => found.push((ident.span().start().line, ident.to_string())),
            TokenTree::Group(group) => collect_identifiers(group.stream(), found),
            TokenTree::Punct(_) | TokenTree::Literal(_) => {}
        }
    }
}

fn collect_sentences(tokens: TokenStream, found: &mut Vec<(usize, String)>) {
    let mut before = String::new();
    for token in tokens {
        let is_for_readers = before == "expect" || before == "doc";
        match &token {
            TokenTree::Group(group) if !is_for_readers => {
                collect_sentences(group.stream(), found);
            }
            TokenTree::Literal(literal) => {
                // A doc comment is `doc = "…"`.
                let text = syn::parse_str::<syn::LitStr>(&literal.to_string());
                let text = text.map(|text| text.value()).unwrap_or_default();
                if before != "doc" && text.trim().contains(' ') {
                    found.push((literal.span().start().line, text));
                }
            }
            TokenTree::Group(_) | TokenTree::Ident(_) | TokenTree::Punct(_) => {}
        }
        // `=` of `doc = "…"` does not come between.
        if !matches!(&token, TokenTree::Punct(punct) if punct.as_char() == '=') {
            before = token.to_string();
        }
    }
}

fn collect_lines(tokens: TokenStream, lines: &mut BTreeSet<usize>) {
    for token in tokens {
        let span = match token {
            TokenTree::Group(group) => {
                lines.insert(group.span_open().start().line);
                lines.insert(group.span_close().end().line);
                collect_lines(group.stream(), lines);
                continue;
            }
            TokenTree::Ident(ident) => ident.span(),
            TokenTree::Punct(punct) => punct.span(),
            TokenTree::Literal(literal) => literal.span(),
        };
        lines.extend(span.start().line..=span.end().line);
    }
}
