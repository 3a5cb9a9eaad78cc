//! Nothing that nobody uses: public items of the cores, and packages named in a manifest.

use std::collections::{BTreeMap, BTreeSet};
use std::str::FromStr;

use anyhow::{Result, anyhow};
use proc_macro2::TokenStream;
use syn::spanned::Spanned;
use syn::visit::{self, Visit};
use syn::{ImplItem, Item, Visibility};

use super::source::{self, Source};
use super::verdict;

const CORES: &[&str] = &["hbd/core", "ldird/core"];

/// What is public in a core is named somewhere in the programs, apart from where it stands. A name
/// that only tests speak is code built ahead.
pub(super) fn items() -> Result<()> {
    let sources = source::all()?;
    let mut spoken: BTreeMap<String, usize> = BTreeMap::new();
    for source in sources.iter().filter(|source| source.is_program()) {
        let mut text = TokenStream::new();
        for item in source.items() {
            quote::ToTokens::to_tokens(item, &mut text);
        }
        source::identifiers(text, &mut |name| *spoken.entry(name).or_default() += 1);
    }
    let mut findings = Vec::new();
    for source in &sources {
        if !CORES.contains(&source.package.as_str()) || source.is_test {
            continue;
        }
        for (name, at) in public_items(source) {
            if spoken.get(&name).copied().unwrap_or(0) < 2 {
                findings.push(format!("{at}: nobody uses {name}"));
            }
        }
    }
    verdict(findings)
}

fn public_items(source: &Source) -> Vec<(String, String)> {
    struct Names<'a>(&'a Source, Vec<(String, String)>);
    impl Names<'_> {
        fn take(&mut self, visibility: &Visibility, name: &syn::Ident) {
            if matches!(visibility, Visibility::Public(_)) {
                self.1.push((name.to_string(), self.0.at(name.span())));
            }
        }
    }
    impl<'ast> Visit<'ast> for Names<'_> {
        fn visit_item(&mut self, item: &'ast Item) {
            if source::is_for_tests(item) {
                return;
            }
            match item {
                Item::Fn(item) => self.take(&item.vis, &item.sig.ident),
                Item::Struct(item) => self.take(&item.vis, &item.ident),
                Item::Enum(item) => self.take(&item.vis, &item.ident),
                Item::Const(item) => self.take(&item.vis, &item.ident),
                Item::Type(item) => self.take(&item.vis, &item.ident),
                Item::Trait(item) => self.take(&item.vis, &item.ident),
                _ => {}
            }
            visit::visit_item(self, item);
        }

        fn visit_impl_item(&mut self, item: &'ast ImplItem) {
            match item {
                ImplItem::Fn(item) => self.take(&item.vis, &item.sig.ident),
                ImplItem::Const(item) => self.take(&item.vis, &item.ident),
                _ => {}
            }
        }

        fn visit_variant(&mut self, variant: &'ast syn::Variant) {
            let at = self.0.at(variant.span());
            self.1.push((variant.ident.to_string(), at));
        }

        fn visit_field(&mut self, field: &'ast syn::Field) {
            if let Some(name) = &field.ident {
                self.take(&field.vis, name);
            }
        }
    }
    let mut names = Names(source, Vec::new());
    source.items().for_each(|item| names.visit_item(item));
    names.1
}

/// What a package is called in sources.
fn library(package: &str) -> String {
    match package {
        "md-5" => "md5".to_owned(),
        _ => package.replace('-', "_"),
    }
}

/// Every package that a manifest asks for is spoken of in the sources below it.
pub(super) fn dependencies() -> Result<()> {
    let sources = source::all()?;
    let mut findings = Vec::new();
    for (package, manifest) in source::manifests()? {
        let mut spoken = BTreeSet::new();
        for source in sources.iter().filter(|source| source.package == package) {
            let tokens = TokenStream::from_str(&source.text)
                .map_err(|error| anyhow!("{}: {error}", source.path))?;
            source::identifiers(tokens, &mut |name| {
                spoken.insert(name);
            });
        }
        for name in dependency_names(&manifest) {
            if !spoken.contains(&library(&name)) {
                findings.push(format!("{package}/Cargo.toml: nothing uses {name}"));
            }
        }
    }
    verdict(findings)
}

/// What sources call the libraries that are not ours.
pub(super) fn foreign() -> Result<BTreeSet<String>> {
    let manifests = source::manifests()?;
    let own = |name: &String| {
        let line = format!("name = \"{name}\"");
        let mut texts = manifests.values();
        texts.any(|text| text.lines().any(|found| found == line))
    };
    let names = manifests.values().flat_map(|text| dependency_names(text));
    let foreign = names.filter(|name| !own(name));
    let libraries = foreign.map(|name| library(&name));
    Ok(libraries.chain(["std".to_owned()]).collect())
}

/// The keys of the tables whose name ends in `dependencies`.
fn dependency_names(manifest: &str) -> Vec<String> {
    let mut names = Vec::new();
    let mut inside = false;
    for line in manifest.lines().map(str::trim) {
        if let Some(table) = line.strip_prefix('[') {
            inside = table.trim_end_matches(']').ends_with("dependencies");
        } else if inside && !line.starts_with('#') {
            let name = line.split(['=', '.', ' ']).next().unwrap_or_default();
            if !name.is_empty() {
                names.push(name.to_owned());
            }
        }
    }
    names
}
