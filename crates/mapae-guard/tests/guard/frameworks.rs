//! The same guard before a service on poem and before one on tower.

use std::convert::Infallible;

use http::{Request, StatusCode};
use mapae_guard::{Channel, Gate, Guard, Verified};
use mapae_testkit::fake::HttpReply;
use poem::{EndpointExt as _, IntoResponse as _, Route, get, handler};
use serde_json::Value;
use tower::{Layer as _, ServiceExt as _};

use crate::support::Issuer;

/// What a client sees.
struct Seen {
    status: StatusCode,
    headers: http::HeaderMap,
    body: String,
}

#[handler]
fn poem_hello(user: Verified) -> String {
    user.sub.clone()
}

async fn over_poem(gate: Gate, authorization: Option<&str>) -> Seen {
    let app = Route::new().at("/", get(poem_hello)).with(gate);
    ask_poem(app, authorization).await
}

async fn ask_poem(app: impl poem::Endpoint, authorization: Option<&str>) -> Seen {
    let mut request = poem::Request::builder();
    if let Some(authorization) = authorization {
        request = request.header("authorization", authorization);
    }
    let response = match app.call(request.finish()).await {
        Ok(response) => response.into_response(),
        Err(error) => error.into_response(),
    };
    let (parts, body) = response.into_parts();
    let body = body.into_string().await.expect("a body");
    Seen { status: parts.status, headers: parts.headers, body }
}

async fn over_tower(gate: Gate, authorization: Option<&str>) -> Seen {
    let hello = tower::service_fn(|request: Request<()>| async move {
        let user = request.extensions().get::<Verified>().expect("whoever was let through");
        Ok::<_, Infallible>(http::Response::new(user.sub.clone()))
    });
    let mut request = Request::builder().uri("/");
    if let Some(authorization) = authorization {
        request = request.header("authorization", authorization);
    }
    let request = request.body(()).expect("a request");
    let response = gate.layer(hello).oneshot(request).await.expect("an answer");
    let (parts, body) = response.into_parts();
    Seen { status: parts.status, headers: parts.headers, body }
}

async fn over_both(gate: &Gate, authorization: Option<&str>) -> [Seen; 2] {
    [over_poem(gate.clone(), authorization).await, over_tower(gate.clone(), authorization).await]
}

#[tokio::test]
async fn whoever_is_let_through_is_known_to_the_handler() {
    let issuer = Issuer::start().await;
    let token = issuer.token();
    let user = issuer.guard().check(&token).await.expect("a good token");
    let authorization = format!("Bearer {token}");
    for seen in over_both(&issuer.guard().into(), Some(&authorization)).await {
        assert_eq!((seen.status.as_u16(), &seen.body), (200, &user.sub));
    }
    // The extractor works by itself, too, with the guard as the service's data.
    let app = || Route::new().at("/", get(poem_hello));
    let guard: Guard = issuer.guard();
    let seen = ask_poem(app().data(guard.clone()), Some(&authorization)).await;
    assert_eq!((seen.status.as_u16(), seen.body), (200, user.sub.clone()));
    assert_eq!(ask_poem(app().data(guard.clone()), None).await.status, 401);
    assert_eq!(ask_poem(app().with(guard), None).await.status, 401);
    // Where there is no guard at all, nobody gets in.
    assert_eq!(ask_poem(app(), Some(&authorization)).await.status, 500);
}

#[tokio::test]
async fn whoever_is_not_is_told_why_in_the_terms_of_rfc_6750_and_9457() {
    let issuer = Issuer::start().await;
    let gate: Gate = issuer.guard().into();
    let good = format!("Bearer {}", issuer.token());
    let owner = issuer.guard().require_role("owner");
    let phone = issuer.guard().require_verified(Channel::Phone);
    let scope = "Bearer error=\"insufficient_scope\"";
    for (gate, authorization, status, code, challenge) in [
        (&gate, None, 401, "unauthenticated", "Bearer"),
        (&gate, Some("Bearer nonsense"), 401, "unauthenticated", "Bearer error=\"invalid_token\""),
        (&owner, Some(good.as_str()), 403, "role_required", scope),
        (&phone, Some(good.as_str()), 403, "verified_contact_required", scope),
    ] {
        for seen in over_both(gate, authorization).await {
            assert_eq!(seen.status.as_u16(), status);
            assert_eq!(seen.headers["www-authenticate"], challenge);
            assert_eq!(seen.headers["content-type"], "application/problem+json");
            assert_eq!(seen.headers["cache-control"], "no-store");
            let problem: Value = serde_json::from_str(&seen.body).expect("JSON");
            assert_eq!(problem["code"], code);
            assert_eq!(problem["status"], status);
            assert_eq!(problem["type"], format!("urn:mapae:problem:{code}"));
        }
    }
    let down = Issuer::start().await;
    down.answer_keys_with(HttpReply::Cut);
    for seen in over_both(&down.guard().into(), Some(&good)).await {
        assert_eq!(seen.status.as_u16(), 503);
        assert_eq!(seen.headers["retry-after"], "1");
        assert!(!seen.headers.contains_key("www-authenticate"));
    }
}
