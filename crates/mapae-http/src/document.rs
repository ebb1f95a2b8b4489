//! The OpenAPI document, cleaned of what the framework cannot say rightly.

use serde_json::{Map, Value, json};

/// The tags in the order in which they are read.
const TAGS: [&str; 6] =
    ["Registrations", "Verifications", "Tokens", "Account", "Service", "Development"];

/// Turns the framework's document into the one that is served: OpenAPI 3.0.3, closed request
/// objects, paths without a trailing slash, no empty descriptions.
pub(crate) fn clean(mut document: Value) -> Value {
    document["openapi"] = json!("3.0.3");
    if let Some(paths) = document["paths"].as_object_mut() {
        *paths = std::mem::take(paths)
            .into_iter()
            .map(|(path, operations)| {
                let trimmed = path.trim_end_matches('/');
                (if trimmed.is_empty() { path.clone() } else { trimmed.to_owned() }, operations)
            })
            .collect();
    }
    if let Some(tags) = document["tags"].as_array_mut() {
        // As somebody meets them, and not by the alphabet.
        tags.sort_by_key(|tag| TAGS.iter().position(|name| tag["name"] == *name));
    }
    // Wherever the document was read from.
    document["servers"] = json!([{"url": "/"}]);
    say_who_may_ask(&mut document);
    close_requests(&mut document);
    walk(&mut document);
    document
}

/// Says of each operation that takes no token that it takes none, and of the one that may take one
/// that it may.
fn say_who_may_ask(document: &mut Value) {
    let Some(paths) = document["paths"].as_object_mut() else { return };
    let operations = paths.values_mut().filter_map(Value::as_object_mut).flat_map(Map::values_mut);
    for operation in operations.filter_map(Value::as_object_mut) {
        let security = match operation.get("operationId").and_then(Value::as_str) {
            Some("revokeTokens") => json!([{}, {"access_token": []}]),
            _ => json!([]),
        };
        operation.entry("security").or_insert(security);
    }
}

/// Says of each request's object, and of what it holds, that it takes no other members, which the
/// service refuses, and that a member it need not have may be `null`, which the service takes.
fn close_requests(document: &mut Value) {
    let mut names = Vec::new();
    for operation in operations(document) {
        // A form of OAuth 2 is open: what is not known is ignored (RFC 6749 §3.2).
        let json = &operation["requestBody"]["content"]["application/json"];
        collect_references(json, &mut names);
    }
    let mut closed = 0;
    while let Some(name) = names.get(closed).cloned() {
        closed += 1;
        let schema = &mut document["components"]["schemas"][name.as_str()];
        let mut inner = Vec::new();
        collect_references(schema, &mut inner);
        if let Some(schema) = schema.as_object_mut()
            && schema.get("type").is_some_and(|kind| kind == "object")
        {
            schema.insert("additionalProperties".to_owned(), json!(false));
            let required = schema.get("required").cloned().unwrap_or_default();
            let properties = schema.get_mut("properties").and_then(Value::as_object_mut);
            for (name, property) in properties.into_iter().flatten() {
                let needed = required.as_array().is_some_and(|names| names.contains(&json!(name)));
                if !needed && property.get("type").is_some() {
                    // As absent; or, where it says so, to clear.
                    property["nullable"] = json!(true);
                }
            }
        }
        names.extend(inner.into_iter().filter(|name| !names.contains(name)).collect::<Vec<_>>());
    }
}

fn operations(document: &Value) -> impl Iterator<Item = &Value> {
    let paths = document["paths"].as_object().into_iter().flatten();
    paths.flat_map(|(_, operations)| operations.as_object().into_iter().flatten()).map(|(_, o)| o)
}

fn collect_references(value: &Value, names: &mut Vec<String>) {
    match value {
        Value::Object(members) => {
            if let Some(Value::String(reference)) = members.get("$ref") {
                names.extend(reference.rsplit('/').next().map(str::to_owned));
            }
            members.values().for_each(|value| collect_references(value, names));
        }
        Value::Array(items) => items.iter().for_each(|value| collect_references(value, names)),
        _ => {}
    }
}

fn walk(value: &mut Value) {
    match value {
        Value::Object(members) => {
            tidy(members);
            members.values_mut().for_each(walk);
        }
        Value::Array(items) => items.iter_mut().for_each(walk),
        _ => {}
    }
}

fn tidy(members: &mut Map<String, Value>) {
    if members.get("description").is_some_and(|description| description == "") {
        members.remove("description");
    }
    // The framework writes what an example leaves out as `null`, which is another thing.
    if let Some(Value::Object(example)) = members.get_mut("example") {
        example.retain(|_, value| !value.is_null());
    }
    // Headers are written as people know them.
    if members.get("in").is_some_and(|place| place == "header")
        && let Some(Value::String(name)) = members.get_mut("name")
        && name.eq_ignore_ascii_case("idempotency-key")
    {
        *name = "Idempotency-Key".to_owned();
    }
}
