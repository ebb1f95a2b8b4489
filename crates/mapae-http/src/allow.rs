//! Which methods a path takes: a 405 must say so (RFC 9110 §15.5.6).

use poem::http::{HeaderValue, StatusCode, header};
use poem::{Endpoint, IntoResponse, Request, Response};

use crate::payload::header_value;

/// The methods of every path, read off the OpenAPI document.
pub(crate) struct AllowedMethods(Vec<(Vec<String>, HeaderValue)>);

impl AllowedMethods {
    /// Reads the document's paths, and adds those of pages that are not in it.
    pub(crate) fn new(document: &serde_json::Value, pages: &[(&str, &str)]) -> Self {
        let of_document = document["paths"].as_object().into_iter().flatten();
        let mut paths: Vec<_> = of_document
            .map(|(path, operations)| {
                let methods = operations.as_object().into_iter().flatten();
                let mut methods: Vec<String> =
                    methods.map(|(method, _)| method.to_uppercase()).collect();
                if methods.iter().any(|method| method == "GET") {
                    methods.push("HEAD".to_owned());
                }
                (segments(path), header_value(&methods.join(", ")))
            })
            .collect();
        paths.extend(pages.iter().map(|(path, methods)| (segments(path), header_value(methods))));
        Self(paths)
    }

    fn of(&self, path: &str) -> Option<&HeaderValue> {
        let asked = segments(path);
        let fits = |template: &[String]| {
            template.len() == asked.len()
                && template.iter().zip(&asked).all(|(template, asked)| {
                    template == asked || (template.starts_with('{') && !asked.is_empty())
                })
        };
        self.0.iter().find(|(template, _)| fits(template)).map(|(_, methods)| methods)
    }
}

fn segments(path: &str) -> Vec<String> {
    path.trim_matches('/').split('/').map(str::to_owned).collect()
}

/// Adds `Allow` to every 405.
pub(crate) async fn with_allow<E: Endpoint>(
    inner: std::sync::Arc<E>,
    allowed: std::sync::Arc<AllowedMethods>,
    request: Request,
) -> poem::Result<Response> {
    let path = request.uri().path().to_owned();
    let mut response = match inner.call(request).await {
        Ok(response) => response.into_response(),
        Err(error) => crate::framework::answer(error),
    };
    if response.status() == StatusCode::METHOD_NOT_ALLOWED
        && let Some(methods) = allowed.of(&path)
    {
        response.headers_mut().insert(header::ALLOW, methods.clone());
    }
    Ok(response)
}
