//! Attributes of one name mean the same in every class.

use std::collections::BTreeMap;

use super::Attribute;
use super::declaration::{AttributeDeclaration, Declarations};
use super::document::File;
use super::finding::{At, Finding};

/// What the classes agree on, by attribute name.
pub(super) fn agree(
    files: &[File<'_>],
    declarations: &Declarations,
    findings: &mut Vec<Finding>,
) -> BTreeMap<String, Attribute> {
    let mut agreed: BTreeMap<String, (Attribute, At)> = BTreeMap::new();
    for declaration in all(declarations) {
        let (attribute, first) = agreed
            .entry(declaration.name.value.clone())
            .or_insert_with(|| (bare(declaration), declaration.name.at));
        attribute.indexed |= declaration.indexed;
        if let Some(message) = contradiction(attribute, declaration) {
            let (_, first) = (&attribute, first.finding(files, ""));
            let place = format!("{}:{}:{}", first.file, first.line, first.column);
            let message = format!("{message} at {place}: one name means the same in every class");
            findings.push(declaration.name.at.finding(files, message));
        }
    }
    agreed.into_iter().map(|(name, (attribute, _))| (name, attribute)).collect()
}

fn all(declarations: &Declarations) -> impl Iterator<Item = &AttributeDeclaration> {
    let classes = declarations.classes.iter().flat_map(|class| &class.attributes);
    classes.chain(declarations.extensions.iter().flat_map(|extension| &extension.attributes))
}

fn bare(declaration: &AttributeDeclaration) -> Attribute {
    Attribute {
        name: declaration.name.value.clone(),
        value_type: declaration.value_type,
        element: declaration.element,
        unit: declaration.unit.clone(),
        description: declaration.description.clone(),
        indexed: declaration.indexed,
        normalise: declaration.normalise.unwrap_or_default(),
        inherited_from: None,
    }
}

/// In what a declaration differs from the first of its name.
fn contradiction(first: &Attribute, declaration: &AttributeDeclaration) -> Option<String> {
    let name = &declaration.name.value;
    if declaration.value_type != first.value_type {
        return Some(format!(
            "attribute \"{name}\" is {} here and {}",
            declaration.value_type, first.value_type
        ));
    }
    if let (Some(here), Some(there)) = (declaration.element, first.element)
        && here != there
    {
        return Some(format!("attribute \"{name}\" is a list of {here} here and of {there}"));
    }
    match declaration.normalise {
        Some(here) if here != first.normalise => Some(format!(
            "attribute \"{name}\" has normalise = \"{}\" here and \"{}\"",
            here.name(),
            first.normalise.name()
        )),
        _ => None,
    }
}

/// One class's declaration, completed by what all agree on.
pub(super) fn completed(declaration: &AttributeDeclaration, agreed: &Attribute) -> Attribute {
    Attribute {
        element: declaration.element.or(agreed.element),
        indexed: agreed.indexed,
        normalise: agreed.normalise,
        ..bare(declaration)
    }
}
