//! What an export says of who uses what, in words.

use std::collections::BTreeMap;

use serde_json::Value;

/// `nginx on web1 depends_on tcp/8000 on app`, in order; only what stands.
pub fn edges(lines: &[Value]) -> Vec<String> {
    let items: BTreeMap<&str, &Value> = lines
        .iter()
        .map(|line| &line["item"])
        .filter_map(|item| Some((item["id"].as_str()?, item)))
        .collect();
    let mut found: Vec<String> = lines
        .iter()
        .map(|line| &line["relationship"])
        .filter(|one| one["status"] == "active")
        .filter(|one| ["depends_on", "connects_to", "provided_by"].iter().any(|kind| one["type"] == *kind))
        .map(|one| {
            let end = |end: &str| {
                one[end].as_str().and_then(|id| items.get(id)).map_or("?".to_owned(), |item| label(item))
            };
            format!("{} {} {}", end("from"), one["type"].as_str().unwrap_or_default(), end("to"))
        })
        .collect();
    found.sort();
    found
}

/// An endpoint by what its owner calls it, if it has one.
fn label(item: &Value) -> String {
    let claims = item["claims"].as_array().map(Vec::as_slice).unwrap_or_default();
    let owned = claims.iter().map(|claim| &claim["attributes"]).find(|said| said["binding"].is_string());
    match owned {
        Some(said) => format!("{} on {}", plain(&said["binding"]), plain(&said["host_name"])),
        None => plain(&item["name"]).to_owned(),
    }
}

fn plain(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}
