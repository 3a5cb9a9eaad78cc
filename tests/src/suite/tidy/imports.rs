//! No import circle inside a crate: what a file takes from others must not lead back to it.
//!
//! A module and what is nested in it are one house: a child may use its parent's types. Every other
//! arrow between two files counts, be it a `use` or a path in the code.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::Result;
use syn::visit::{self, Visit};
use syn::{Item, UseTree};

use super::source::{self, Source};
use super::verdict;

/// From a module to the modules that it takes something from.
type Arrows = BTreeMap<Vec<String>, BTreeSet<Vec<String>>>;

pub(super) fn circles() -> Result<()> {
    let sources = source::all()?;
    let packages: BTreeSet<&str> = sources.iter().map(|s| s.package.as_str()).collect();
    let mut findings = Vec::new();
    for package in packages {
        let files: Vec<&Source> = sources
            .iter()
            .filter(|source| source.package == package && !source.is_test)
            .collect();
        for circle in circles_of(&arrows_of(&files)) {
            let names: Vec<String> = circle.iter().map(|module| module.join("::")).collect();
            findings.push(format!("{package}: {}", names.join(" -> ")));
        }
    }
    verdict(findings)
}

fn arrows_of(files: &[&Source]) -> Arrows {
    let modules: BTreeSet<Vec<String>> = files.iter().map(|file| file.module.clone()).collect();
    let mut arrows = Arrows::new();
    for file in files {
        let mut reader = PathReader {
            here: &file.module,
            paths: Vec::new(),
        };
        file.items().for_each(|item| reader.visit_item(item));
        let targets = reader.paths.into_iter().filter_map(|path| {
            let known = |length: &usize| modules.contains(&path[..*length]);
            let length = (1..=path.len()).rev().find(known)?;
            Some(path[..length].to_vec())
        });
        let apart = |target: &Vec<String>| {
            !target.starts_with(&file.module) && !file.module.starts_with(target)
        };
        arrows.insert(file.module.clone(), targets.filter(apart).collect());
    }
    arrows
}

/// Gathers paths into this crate, from its root.
struct PathReader<'a> {
    here: &'a [String],
    paths: Vec<Vec<String>>,
}

impl PathReader<'_> {
    fn take(&mut self, path: &[String]) {
        let mut from: Vec<String> = match path.first().map(String::as_str) {
            Some("crate") => Vec::new(),
            Some("self" | "super") => self.here.to_vec(),
            _ => return,
        };
        for part in path {
            match part.as_str() {
                "crate" | "self" => {}
                "super" => {
                    from.pop();
                }
                name => from.push(name.to_owned()),
            }
        }
        self.paths.push(from);
    }

    fn take_tree(&mut self, before: &mut Vec<String>, tree: &UseTree) {
        match tree {
            UseTree::Path(path) => {
                before.push(path.ident.to_string());
                self.take_tree(before, &path.tree);
                before.pop();
            }
            UseTree::Group(group) => {
                for tree in &group.items {
                    self.take_tree(before, tree);
                }
            }
            UseTree::Name(name) => self.take_end(before, &name.ident.to_string()),
            UseTree::Rename(rename) => self.take_end(before, &rename.ident.to_string()),
            UseTree::Glob(_) => self.take(before),
        }
    }

    fn take_end(&mut self, before: &[String], name: &str) {
        let mut path = before.to_vec();
        path.push(name.to_owned());
        self.take(&path);
    }
}

impl<'ast> Visit<'ast> for PathReader<'_> {
    fn visit_item_use(&mut self, item: &'ast syn::ItemUse) {
        // What is handed on is taken by whoever names it, not by this file.
        if !matches!(item.vis, syn::Visibility::Public(_)) {
            self.take_tree(&mut Vec::new(), &item.tree);
        }
    }

    fn visit_path(&mut self, path: &'ast syn::Path) {
        let parts: Vec<String> = path.segments.iter().map(|s| s.ident.to_string()).collect();
        self.take(&parts);
        visit::visit_path(self, path);
    }

    fn visit_item(&mut self, item: &'ast Item) {
        if !source::is_for_tests(item) {
            visit::visit_item(self, item);
        }
    }
}

/// One way round for each set of modules that can reach each other.
fn circles_of(arrows: &Arrows) -> Vec<Vec<Vec<String>>> {
    let mut found: Vec<Vec<Vec<String>>> = Vec::new();
    for start in arrows.keys() {
        let known = found.iter().any(|circle| circle.contains(start));
        if !known && let Some(circle) = way_back(arrows, start) {
            found.push(circle);
        }
    }
    found
}

/// The shortest way from a module back to itself.
fn way_back(arrows: &Arrows, start: &Vec<String>) -> Option<Vec<Vec<String>>> {
    let mut ways: Vec<Vec<&Vec<String>>> = vec![vec![start]];
    let mut seen = BTreeSet::new();
    while !ways.is_empty() {
        let mut longer = Vec::new();
        for way in ways {
            let last = way.last().copied().unwrap_or(start);
            for next in arrows.get(last).into_iter().flatten() {
                let mut further = way.clone();
                further.push(next);
                if next == start {
                    return Some(further.into_iter().cloned().collect());
                }
                if seen.insert(next) {
                    longer.push(further);
                }
            }
        }
        ways = longer;
    }
    None
}

#[cfg(test)]
mod tests;
