use std::fs;

use mapae_e2e::{Server, workspace};
use serde_json::Value;

/// Every operation of the document: path, method, and what is said of it.
fn operations(document: &Value) -> Vec<(String, String, &Value)> {
    let paths = document["paths"].as_object().expect("paths");
    let of_path = |(path, operations): (&String, &'_ Value)| {
        let path = path.clone();
        let operations = operations.as_object().map(|map| map.keys().cloned().collect::<Vec<_>>());
        operations.unwrap_or_default().into_iter().map(move |method| (path.clone(), method))
    };
    let named: Vec<_> = paths.iter().flat_map(of_path).collect();
    named
        .into_iter()
        .map(|(path, method)| {
            let operation = &document["paths"][path.as_str()][method.as_str()];
            (path, method, operation)
        })
        .collect()
}

fn resolve<'a>(document: &'a Value, schema: &'a Value) -> &'a Value {
    match schema["$ref"].as_str() {
        Some(reference) => {
            &document["components"]["schemas"][reference.rsplit('/').next().expect("a name")]
        }
        None => schema,
    }
}

#[tokio::test]
async fn the_document_that_is_served_is_the_golden_one() {
    let golden = fs::read_to_string(workspace().join("docs/openapi/mapae.json"));
    let golden: Value = serde_json::from_str(&golden.expect("the golden document")).expect("JSON");
    let (ended, printed, _) = Server::run(&["openapi"], &[]).await;
    assert!(ended);
    let printed: Value = serde_json::from_str(&printed).expect("JSON");
    assert!(golden == printed, "out of date: cargo run -p xtask -- openapi");
    let server = Server::start().await;
    let served = server.get("/openapi.json").await.expect(200).json();
    assert!(golden == served, "what is served differs from what is printed");
}

#[tokio::test]
async fn every_operation_has_an_id_a_tag_a_description_and_an_example() {
    let server = Server::start().await;
    let document = server.get("/openapi.json").await.expect(200).json();
    assert_eq!(document["openapi"], "3.0.3");
    let mut ids = std::collections::HashSet::new();
    for (path, method, operation) in operations(&document) {
        let at = format!("{method} {path}");
        let id = operation["operationId"].as_str().unwrap_or_else(|| panic!("no id: {at}"));
        assert!(ids.insert(id.to_owned()), "{id} stands twice");
        assert!(operation["tags"][0].is_string(), "no tag: {at}");
        for (member, least) in [("summary", 5), ("description", 20)] {
            let text = operation[member].as_str().unwrap_or_default();
            assert!(text.len() >= least, "no {member}: {at}");
        }
        let mut examples = 0;
        let request = &operation["requestBody"]["content"]["application/json"]["schema"];
        if !request.is_null() {
            let schema = resolve(&document, request);
            assert!(schema["example"].is_object(), "no example of the request: {at}");
            assert_eq!(schema["additionalProperties"], false, "{at}");
            examples += 1;
        }
        let responses = operation["responses"].as_object().expect("responses");
        for (status, response) in responses {
            let text = response["description"].as_str().unwrap_or_default();
            assert!(!text.is_empty(), "no description of {status}: {at}");
            let Some(content) = response["content"].as_object() else {
                assert!(matches!(status.as_str(), "204" | "304"), "{status} {at}");
                examples += 1;
                continue;
            };
            for (media_type, body) in content {
                let schema = resolve(&document, &body["schema"]);
                if status.starts_with('2') {
                    assert_eq!(media_type, "application/json", "{at}");
                    assert!(schema["example"].is_object(), "no example of {status}: {at}");
                    examples += 1;
                } else {
                    assert_eq!(media_type, "application/problem+json", "{status} {at}");
                    assert_eq!(
                        body["schema"]["$ref"], "#/components/schemas/Problem",
                        "{status} {at}"
                    );
                }
            }
        }
        assert!(examples > 0, "no example: {at}");
    }
    assert!(ids.len() >= 19, "{} operations", ids.len());
}

#[tokio::test]
async fn swagger_ui_comes_from_the_binary_alone() {
    let server = Server::start().await;
    let page = server.get("/docs").await.expect(200);
    let policy = page.headers["content-security-policy"].to_str().expect("a policy").to_owned();
    assert!(policy.contains("script-src 'self'") && !policy.contains("http"), "{policy}");
    assert!(!page.body.contains("//"), "something from elsewhere: {}", page.body);
    for (asset, least) in
        [("swagger-ui-bundle.js", 1_000_000), ("swagger-ui.css", 100_000), ("docs.js", 50)]
    {
        assert!(page.body.contains(&format!("/docs/{asset}")), "{asset}");
        let answer = server.get(&format!("/docs/{asset}")).await.expect(200);
        assert!(answer.body.len() >= least, "{asset}: {} bytes", answer.body.len());
    }
    let document = server.get("/openapi.json").await.expect(200).json();
    let schemes = document["components"]["securitySchemes"].clone();
    assert_eq!(schemes["access_token"]["scheme"], "bearer", "{schemes}");
}

#[tokio::test]
async fn every_answer_keeps_browsers_strict_and_bears_an_id() {
    let server = Server::start().await;
    for path in ["/healthz", "/v1/me", "/nothing", "/docs", "/dev/inbox", "/verify/email?key=x"] {
        let answer = server.get(path).await;
        let header = |name: &str| {
            answer.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
        };
        assert_eq!(header("x-content-type-options"), "nosniff", "{path}");
        assert_eq!(header("referrer-policy"), "no-referrer", "{path}");
        assert!(header("content-security-policy").contains("default-src 'none'"), "{path}");
        assert!(header("x-request-id").len() >= 32, "{path}");
    }
    let named = [("x-request-id", "from-a-proxy.1")];
    let answer = server.send(reqwest::Method::GET, "/healthz", &named, None).await;
    assert_eq!(answer.headers["x-request-id"], "from-a-proxy.1");
    let hostile = [("x-request-id", "a b\"c<d>")];
    let answer = server.send(reqwest::Method::GET, "/healthz", &hostile, None).await;
    assert_ne!(answer.headers["x-request-id"], "a b\"c<d>");
}
