//! The paths of the service, and what each of them takes.

use std::collections::BTreeMap;

use poem::http::{HeaderValue, Method};

use crate::payload::header_value;

/// A path, as the OpenAPI document has it: `/v1/verifications/{id}`.
pub(crate) struct Path {
    pub(crate) template: String,
    segments: Vec<String>,
    /// The methods that it takes.
    pub(crate) allow: HeaderValue,
    /// Operations by their methods in upper case; none of a page.
    operations: BTreeMap<String, String>,
}

impl Path {
    fn page(template: &str, methods: &str) -> Self {
        Self {
            template: template.to_owned(),
            segments: segments(template),
            allow: header_value(methods),
            operations: BTreeMap::new(),
        }
    }

    fn fits(&self, asked: &[String]) -> bool {
        let is_any = |segment: &str| segment.starts_with('{');
        self.segments.len() == asked.len()
            && self
                .segments
                .iter()
                .zip(asked)
                .all(|(segment, asked)| segment == asked || (is_any(segment) && !asked.is_empty()))
    }

    /// The `operationId` of a method.
    pub(crate) fn operation(&self, method: &Method) -> Option<&str> {
        self.operations.get(method.as_str()).map(String::as_str)
    }
}

/// Every path.
pub(crate) struct Paths(Vec<Path>);

impl Paths {
    /// Reads the document's paths, and adds those of pages that are not in it, with their methods.
    pub(crate) fn new(document: &serde_json::Value, pages: &[(&str, &str)]) -> Self {
        let of_document = document["paths"].as_object().into_iter().flatten();
        let mut paths: Vec<_> = of_document
            .map(|(template, operations)| {
                let operations = operations.as_object().into_iter().flatten();
                let operations: BTreeMap<_, _> = operations
                    .map(|(method, operation)| {
                        let id = operation["operationId"].as_str().unwrap_or_default();
                        (method.to_uppercase(), id.to_owned())
                    })
                    .collect();
                let mut methods: Vec<_> = operations.keys().map(String::as_str).collect();
                if methods.contains(&"GET") {
                    methods.push("HEAD");
                }
                let allow = header_value(&methods.join(", "));
                Path { template: template.clone(), segments: segments(template), allow, operations }
            })
            .collect();
        paths.extend(pages.iter().map(|(template, methods)| Path::page(template, methods)));
        // What is spelt out goes before what may be anything.
        paths.sort_by_key(|path| path.template.matches('{').count());
        Self(paths)
    }

    /// The path that fits what was asked for.
    pub(crate) fn of(&self, asked: &str) -> Option<&Path> {
        let asked = segments(asked);
        self.0.iter().find(|path| path.fits(&asked))
    }
}

fn segments(path: &str) -> Vec<String> {
    path.strip_prefix('/').unwrap_or(path).split('/').map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_found_by_what_fits_it_and_what_is_spelt_out_goes_first() {
        let paths = Paths::new(&crate::openapi_document(), &[("/docs", "GET, HEAD")]);
        for (asked, template, method, operation) in [
            (
                "/v1/verifications/0190",
                Some("/v1/verifications/{id}"),
                "GET",
                Some("getVerification"),
            ),
            (
                "/v1/verifications/confirm",
                Some("/v1/verifications/confirm"),
                "POST",
                Some("confirmVerification"),
            ),
            ("/v1/me", Some("/v1/me"), "POST", None),
            ("/docs", Some("/docs"), "GET", None),
            ("/v1/verifications", Some("/v1/verifications"), "POST", Some("createVerification")),
            ("/nothing/of/the/kind", None, "GET", None),
            // To the router it is another path.
            ("/v1/me/", None, "GET", None),
        ] {
            let path = paths.of(asked);
            assert_eq!(path.map(|path| path.template.as_str()), template, "{asked}");
            let method = method.parse().expect("a method");
            assert_eq!(path.and_then(|path| path.operation(&method)), operation, "{asked}");
        }
    }
}
