//! Functions that fit on a screen, and matches that name every state of our own enums.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::Result;
use syn::spanned::Spanned;
use syn::visit::{self, Visit};
use syn::{Arm, Block, ExprMatch, ImplItemFn, ItemEnum, ItemFn, ItemImpl, Pat, Path, Type};

use super::source::{self, Source};
use super::{unused, verdict};

/// The longest function, signature included.
const FUNCTION_LINES: usize = 70;

/// Tables over states or facts, written out in full: nothing in them but rows.
const TABLES: &[&str] = &["step", "on", "sentence"];

pub(super) fn functions() -> Result<()> {
    let mut findings = Vec::new();
    for source in source::all()? {
        let mut ruler = Ruler {
            source: &source,
            findings: &mut findings,
        };
        ruler.visit_file(&source.syntax);
    }
    verdict(findings)
}

struct Ruler<'a> {
    source: &'a Source,
    findings: &'a mut Vec<String>,
}

impl Ruler<'_> {
    fn measure(&mut self, signature: &syn::Signature, body: &Block) {
        let first = signature.span().start().line;
        let lines = body.span().end().line - first + 1;
        let name = signature.ident.to_string();
        let is_table = TABLES.contains(&name.as_str()) && only_a_match(body);
        if lines > FUNCTION_LINES && !is_table {
            let at = self.source.at(signature.span());
            self.findings
                .push(format!("{at}: {name} has {lines} lines"));
        }
    }
}

/// Is the last expression a `match`, and everything before it an item or a constant?
fn only_a_match(body: &Block) -> bool {
    let Some((last, before)) = body.stmts.split_last() else {
        return false;
    };
    let rows = matches!(last, syn::Stmt::Expr(syn::Expr::Match(_), None));
    rows && before
        .iter()
        .all(|statement| matches!(statement, syn::Stmt::Item(_)))
}

impl<'ast> Visit<'ast> for Ruler<'_> {
    fn visit_item_fn(&mut self, item: &'ast ItemFn) {
        self.measure(&item.sig, &item.block);
        visit::visit_item_fn(self, item);
    }

    fn visit_impl_item_fn(&mut self, item: &'ast ImplItemFn) {
        self.measure(&item.sig, &item.block);
        visit::visit_impl_item_fn(self, item);
    }
}

/// No catch-all arm in a `match` over an enum of ours: a new state must fail to compile until every
/// place that asks has an answer. Tests, and the lab is one, may look for one variant among many.
pub(super) fn matches() -> Result<()> {
    let sources = source::all()?;
    let foreign = unused::foreign()?;
    let mut enums = Enums::new();
    for source in &sources {
        note_enums(source, &mut enums);
    }
    let mut findings = Vec::new();
    for source in sources.iter().filter(|source| source.is_program()) {
        let mut reader = MatchReader {
            source,
            enums: &enums,
            foreign: &foreign,
            implementing: None,
            findings: &mut findings,
        };
        for item in source.items() {
            reader.visit_item(item);
        }
    }
    verdict(findings)
}

/// The variants of each enum: a constant of the enum's (`Tunnel::GRE`) is a value like any other.
type Enums = BTreeMap<String, BTreeSet<String>>;

fn note_enums(source: &Source, enums: &mut Enums) {
    struct Names<'a>(&'a mut Enums);
    impl<'ast> Visit<'ast> for Names<'_> {
        fn visit_item_enum(&mut self, item: &'ast ItemEnum) {
            let variants = item.variants.iter().map(|one| one.ident.to_string());
            let known = self.0.entry(item.ident.to_string()).or_default();
            known.extend(variants);
        }
    }
    if source.is_program() {
        let mut names = Names(enums);
        source.items().for_each(|item| names.visit_item(item));
    }
}

struct MatchReader<'a> {
    source: &'a Source,
    enums: &'a Enums,
    /// Libraries of others: an enum of theirs may be called like one of ours.
    foreign: &'a BTreeSet<String>,
    /// The type whose `impl` this is, for `Self::Variant`.
    implementing: Option<String>,
    findings: &'a mut Vec<String>,
}

impl MatchReader<'_> {
    /// The enum of ours that this path names a variant of.
    fn owner(&self, path: &Path) -> Option<String> {
        let first = path.segments.first()?.ident.to_string();
        if self.foreign.contains(&first) {
            return None;
        }
        let owner = path.segments.iter().rev().nth(1)?.ident.to_string();
        let owner = match owner.as_str() {
            "Self" => self.implementing.clone()?,
            _ => owner,
        };
        let variant = path.segments.last()?.ident.to_string();
        let variants = self.enums.get(&owner)?;
        variants.contains(&variant).then_some(owner)
    }

    /// The enums that the pattern takes apart, by position where it is a tuple.
    fn subjects(&self, pattern: &Pat) -> Vec<(usize, String)> {
        match pattern {
            Pat::Tuple(tuple) => {
                let parts = tuple.elems.iter().enumerate();
                parts
                    .flat_map(|(position, part)| {
                        let inner = self.subjects(part).into_iter();
                        inner.map(move |(_, owner)| (position, owner))
                    })
                    .collect()
            }
            Pat::Or(or) => or
                .cases
                .iter()
                .flat_map(|case| self.subjects(case))
                .collect(),
            Pat::Path(path) => self.subject(&path.path),
            Pat::TupleStruct(pattern) => self.subject(&pattern.path),
            Pat::Struct(pattern) => self.subject(&pattern.path),
            Pat::Ident(ident) => match &ident.subpat {
                Some((_, inner)) => self.subjects(inner),
                None => Vec::new(),
            },
            Pat::Paren(inner) => self.subjects(&inner.pat),
            Pat::Guard(guarded) => self.subjects(&guarded.pat),
            Pat::Reference(inner) => self.subjects(&inner.pat),
            _ => Vec::new(),
        }
    }

    fn subject(&self, path: &Path) -> Vec<(usize, String)> {
        self.owner(path)
            .map(|owner| (0, owner))
            .into_iter()
            .collect()
    }
}

/// Does the arm take everything that is left? One with a condition does not.
fn takes_all(arm: &Arm) -> bool {
    fn everything(pattern: &Pat) -> bool {
        match pattern {
            Pat::Wild(_) | Pat::Rest(_) => true,
            Pat::Ident(ident) => ident.subpat.is_none() && is_binding(&ident.ident.to_string()),
            Pat::Tuple(tuple) => tuple.elems.iter().all(everything),
            Pat::Paren(inner) => everything(&inner.pat),
            Pat::Reference(inner) => everything(&inner.pat),
            _ => false,
        }
    }
    everything(&arm.pat)
}

/// A name, not a constant.
fn is_binding(ident: &str) -> bool {
    ident.starts_with(|first: char| first.is_lowercase() || first == '_')
}

impl<'ast> Visit<'ast> for MatchReader<'_> {
    fn visit_item_impl(&mut self, item: &'ast ItemImpl) {
        let name = match &*item.self_ty {
            Type::Path(path) => path.path.segments.last().map(|last| last.ident.to_string()),
            _ => None,
        };
        let outer = std::mem::replace(&mut self.implementing, name);
        visit::visit_item_impl(self, item);
        self.implementing = outer;
    }

    fn visit_expr_match(&mut self, expression: &'ast ExprMatch) {
        let subjects: BTreeSet<String> = expression
            .arms
            .iter()
            .flat_map(|arm| self.subjects(&arm.pat))
            .map(|(_, owner)| owner)
            .collect();
        if !subjects.is_empty() {
            for arm in expression.arms.iter().filter(|arm| takes_all(arm)) {
                let names: Vec<&str> = subjects.iter().map(String::as_str).collect();
                let at = self.source.at(arm.span());
                self.findings.push(format!(
                    "{at}: takes all that is left of {}",
                    names.join(", ")
                ));
            }
        }
        visit::visit_expr_match(self, expression);
    }
}
