//! The sources as syntax: every Rust file with its package and its place in the module tree.
//! Read once, held against the rules of the other files here.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result};
use proc_macro2::{Span, TokenStream, TokenTree};
use syn::{Attribute, Item};

use super::files;
use crate::bed::repository;

/// One Rust file.
pub(super) struct Source {
    /// Relative to the repository, e.g. `hbd/core/src/wire/auth.rs`.
    pub(super) path: String,
    /// The folder of its package, e.g. `hbd/core`.
    pub(super) package: String,
    /// From the crate's root, e.g. `["wire", "auth"]`; empty for the root itself.
    pub(super) module: Vec<String>,
    /// Does it hold tests and nothing else?
    pub(super) is_test: bool,
    pub(super) text: String,
    pub(super) syntax: syn::File,
}

impl Source {
    /// `hbd/core/src/wire/auth.rs:12`
    pub(super) fn at(&self, span: Span) -> String {
        format!("{}:{}", self.path, span.start().line)
    }

    /// Is it part of what people run? The lab is a test of that.
    pub(super) fn is_program(&self) -> bool {
        !self.is_test && self.package != "tests"
    }

    /// Its items without those that are compiled for tests only.
    pub(super) fn items(&self) -> impl Iterator<Item = &Item> {
        self.syntax.items.iter().filter(|item| !is_for_tests(item))
    }
}

/// Every file of the workspace, in the order of its name.
pub(super) fn all() -> Result<Vec<Source>> {
    let packages = packages()?;
    let mut paths = files(".rs")?;
    paths.sort();
    let sources = paths.iter().map(|path| {
        let relative = path.strip_prefix(repository()).unwrap_or(path);
        let relative = relative.to_string_lossy().into_owned();
        let owner = packages
            .iter()
            .filter(|package| relative.starts_with(&format!("{package}/")))
            .max_by_key(|package| package.len());
        let package = owner.with_context(|| format!("{relative} belongs to no package"))?;
        let text = fs::read_to_string(path)?;
        let syntax = syn::parse_file(&text).with_context(|| format!("cannot parse {relative}"))?;
        let inside = &relative[package.len() + 1..];
        Ok(Source {
            package: package.clone(),
            module: module_of(inside),
            is_test: holds_tests(inside),
            path: relative,
            text,
            syntax,
        })
    });
    sources.collect()
}

/// The folders that hold a manifest with a package in it.
fn packages() -> Result<Vec<String>> {
    Ok(manifests()?.into_keys().collect())
}

/// Folder of a package, and the text of its manifest.
pub(super) fn manifests() -> Result<BTreeMap<String, String>> {
    let mut found = BTreeMap::new();
    for path in files("Cargo.toml")? {
        let text = fs::read_to_string(&path)?;
        if text.lines().any(|line| line.trim() == "[package]") {
            let folder: PathBuf = path.parent().map(PathBuf::from).unwrap_or_default();
            let folder = folder.strip_prefix(repository()).unwrap_or(&folder);
            found.insert(folder.to_string_lossy().into_owned(), text);
        }
    }
    Ok(found)
}

fn module_of(inside: &str) -> Vec<String> {
    let inside = inside.strip_prefix("src/").unwrap_or(inside);
    let name = inside.strip_suffix(".rs").unwrap_or(inside);
    let mut parts: Vec<String> = name.split('/').map(str::to_owned).collect();
    if parts.last().is_some_and(|last| last == "mod") {
        parts.pop();
    }
    if let [only] = parts.as_slice()
        && matches!(only.as_str(), "lib" | "main")
    {
        parts.clear();
    }
    parts
}

/// Integration tests, and the sibling files called `tests`.
fn holds_tests(inside: &str) -> bool {
    !inside.starts_with("src/")
        || inside
            .split('/')
            .any(|part| matches!(part, "tests" | "tests.rs" | "golden.rs"))
}

/// Has it `#[cfg(test)]` or `#[test]`?
pub(super) fn is_for_tests(item: &Item) -> bool {
    let attributes: &[Attribute] = match item {
        Item::Fn(item) => &item.attrs,
        Item::Mod(item) => &item.attrs,
        Item::Impl(item) => &item.attrs,
        Item::Use(item) => &item.attrs,
        Item::Const(item) => &item.attrs,
        Item::Struct(item) => &item.attrs,
        Item::Enum(item) => &item.attrs,
        _ => &[],
    };
    attributes.iter().any(|attribute| {
        attribute.path().is_ident("test")
            || (attribute.path().is_ident("cfg")
                && attribute
                    .meta
                    .require_list()
                    .is_ok_and(|list| list.tokens.to_string() == "test"))
    })
}

/// Every identifier, those inside macro calls included.
pub(super) fn identifiers(tokens: TokenStream, each: &mut impl FnMut(String)) {
    for token in tokens {
        match token {
            TokenTree::Ident(ident) => each(ident.to_string()),
            TokenTree::Group(group) => identifiers(group.stream(), each),
            TokenTree::Punct(_) | TokenTree::Literal(_) => {}
        }
    }
}
