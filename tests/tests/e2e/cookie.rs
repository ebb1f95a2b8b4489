//! Tokens in cookies: where they go, what other sites can do with them (nothing), and that each
//! protected operation takes them as it takes a bearer token.

use mapae_e2e::{Answer, Server, ServerOptions};
use reqwest::Method;
use serde_json::{Value, json};

use crate::{PASSWORD, check, complete_sign_up, first_verification, sign_up};

/// The cookies of a browser, as far as these tests need one.
struct Jar {
    access: String,
    refresh: String,
    csrf_token: String,
}

/// The attributes of the cookie of that name, its value first.
fn set_cookie(answer: &Answer, name: &str) -> Vec<String> {
    let cookies = answer.headers.get_all("set-cookie").iter();
    let mut cookies = cookies.map(|cookie| cookie.to_str().expect("text"));
    let cookie = cookies.find_map(|cookie| cookie.strip_prefix(&format!("{name}=")));
    let cookie = cookie.unwrap_or_else(|| panic!("no {name} in {:?}", answer.headers));
    cookie.split("; ").map(str::to_owned).collect()
}

fn jar(answer: &Answer, (access, refresh): (&str, &str)) -> Jar {
    Jar {
        access: format!("{access}={}", set_cookie(answer, access)[0]),
        refresh: format!("{refresh}={}", set_cookie(answer, refresh)[0]),
        csrf_token: answer.text("csrf_token"),
    }
}

const PLAIN: (&str, &str) = ("mapae_access", "mapae_refresh");
const SECURE: (&str, &str) = ("__Host-mapae_access", "__Secure-mapae_refresh");
const ORIGIN: &str = "https://auth.example.com";
const APP: &str = "https://app.example.com";
const OURS: (&str, &str) = ("sec-fetch-site", "same-origin");

async fn log_in_with(server: &Server, headers: &[(&str, &str)], transport: &str) -> Answer {
    let body = json!({"login": "minji@example.com", "password": PASSWORD, "transport": transport});
    server.post_with("/v1/tokens", headers, &body).await
}

async fn send(
    server: &Server,
    (method, path): (Method, &str),
    headers: &[(&str, &str)],
    body: Option<&Value>,
) -> Answer {
    let mut headers = headers.to_vec();
    if body.is_some() {
        headers.push(("content-type", "application/json"));
    }
    let body = body.map(|body| body.to_string().into_bytes());
    server.send(method, path, &headers, body).await
}

async fn secure_server() -> Server {
    let server = ServerOptions::default().with("PUBLIC_ORIGIN", ORIGIN).start().await;
    complete_sign_up(&server, "minji@example.com").await;
    server
}

#[tokio::test]
async fn tokens_in_cookies_are_out_of_every_scripts_reach() {
    let server = secure_server().await;
    let answer = log_in_with(&server, &[], "cookie").await.expect(200);
    let body = answer.json();
    for absent in ["access_token", "refresh_token"] {
        assert!(body.get(absent).is_none(), "{body}");
    }
    assert_eq!((&body["token_type"], &body["expires_in"]), (&json!("Bearer"), &json!(600)));
    assert_eq!(answer.headers["cache-control"], "no-store");
    let access = set_cookie(&answer, SECURE.0);
    let (token, attributes) = access.split_first().expect("a value");
    assert_eq!(attributes, ["Path=/", "Max-Age=600", "HttpOnly", "SameSite=Lax", "Secure"]);
    server.get_as("/v1/me", token).await.expect(200);
    let refresh = set_cookie(&answer, SECURE.1);
    let (_, attributes) = refresh.split_first().expect("a value");
    let week = ["Path=/v1/tokens", "Max-Age=604800", "HttpOnly", "SameSite=Lax", "Secure"];
    assert_eq!(attributes, week);
    for cookie in answer.headers.get_all("set-cookie") {
        assert!(cookie.len() <= 4_096);
    }
    // On plain HTTP, in development, a browser would refuse both prefixes and `Secure`.
    let plain = Server::start().await;
    complete_sign_up(&plain, "minji@example.com").await;
    let answer = log_in_with(&plain, &[], "cookie").await.expect(200);
    assert_eq!(set_cookie(&answer, PLAIN.0)[1..], attributes_of("/", 600));
    assert_eq!(set_cookie(&answer, PLAIN.1)[1..], attributes_of("/v1/tokens", 604_800));
    // Nobody gets cookies without asking for them, and there is no third way.
    for transport in ["body", "cookie"] {
        let set = log_in_with(&plain, &[], transport).await.expect(200);
        assert_eq!(set.headers.contains_key("set-cookie"), transport == "cookie");
    }
    log_in_with(&plain, &[], "pigeon").await.expect_problem(400, "validation_failed");
}

fn attributes_of(path: &str, seconds: u32) -> Vec<String> {
    let (path, age) = (format!("Path={path}"), format!("Max-Age={seconds}"));
    vec![path, age, "HttpOnly".to_owned(), "SameSite=Lax".to_owned()]
}

#[tokio::test]
async fn whichever_way_somebody_logs_in_the_tokens_can_come_as_cookies() {
    let server = Server::start().await;
    let registration = sign_up(&server, "minji@example.com").await;
    let code = server.message("minji@example.com").await.code();
    check(&server, &first_verification(&registration), &code).await.expect(200);
    let path = format!("/v1/registrations/{}/tokens", registration.text("id"));
    let token = registration.text("registration_token");
    let body = json!({"registration_token": token, "transport": "cookie"});
    let first = jar(&server.post(&path, &body).await.expect(200), PLAIN);
    let begin = json!({"channel": "email", "to": "minji@example.com", "purpose": "login"});
    let id = server.post("/v1/verifications", &begin).await.expect(202).text("id");
    let code = server.messages("minji@example.com", 2).await.swap_remove(0).code();
    let receipt = check(&server, &id, &code).await.expect(200).text("receipt");
    let body = json!({"receipt": receipt, "transport": "cookie"});
    let second = jar(&server.post("/v1/tokens/receipt", &body).await.expect(200), PLAIN);
    for jar in [first, second] {
        let me = send(&server, (Method::GET, "/v1/me"), &[("cookie", &jar.access)], None).await;
        assert_eq!(me.expect(200).json()["email"], "minji@example.com");
    }
}

#[tokio::test]
async fn a_refresh_and_a_log_out_need_nothing_but_the_cookies() {
    let server = Server::start().await;
    complete_sign_up(&server, "minji@example.com").await;
    let first = jar(&log_in_with(&server, &[OURS], "cookie").await.expect(200), PLAIN);
    let refresh = async |cookie: &str, body: Option<&Value>| {
        let headers = [("cookie", cookie), OURS];
        send(&server, (Method::POST, "/v1/tokens/refresh"), &headers, body).await
    };
    let both = format!("{}; other=1; {}", first.access, first.refresh);
    let answer = refresh(&both, None).await.expect(200);
    assert!(answer.json().get("refresh_token").is_none());
    let second = jar(&answer, PLAIN);
    assert_ne!(first.refresh, second.refresh);
    assert_eq!(first.csrf_token, second.csrf_token, "one session, one token of a page");
    // Two tabs at once: the same successor, and the loser clears nobody's cookie.
    let repeat = refresh(&first.refresh, Some(&json!({}))).await.expect(200);
    assert_eq!(jar(&repeat, PLAIN).refresh, second.refresh);
    let nothing = refresh("mapae_refresh=nonsense", None).await;
    assert!(!nothing.headers.contains_key("set-cookie"), "{:?}", nothing.headers);
    nothing.expect_problem(401, "invalid_grant");
    refresh("other=1", None).await.expect_problem(400, "validation_failed");
    // A cookie of another host of the site beside ours: neither is believed.
    let tossed = format!("{}; mapae_refresh=another", second.refresh);
    refresh(&tossed, None).await.expect_problem(400, "validation_failed");
    // Whoever logs out of the others stays logged in, and keeps the cookies.
    let revoke = async |cookies: &str, body: Option<&Value>| {
        let headers = [("cookie", cookies), OURS];
        send(&server, (Method::POST, "/v1/tokens/revoke"), &headers, body).await.expect(204)
    };
    let both = format!("{}; {}", second.access, second.refresh);
    let others = revoke(&both, Some(&json!({"scope": "others"}))).await;
    assert!(!others.headers.contains_key("set-cookie"));
    let out = revoke(&both, None).await;
    for (name, path) in [(PLAIN.0, "/"), (PLAIN.1, "/v1/tokens")] {
        let cleared = set_cookie(&out, name);
        assert_eq!((cleared[0].as_str(), &cleared[1..]), ("", attributes_of(path, 0).as_slice()));
    }
    refresh(&second.refresh, None).await.expect_problem(401, "invalid_grant");
    let me = send(&server, (Method::GET, "/v1/me"), &[("cookie", &second.access)], None).await;
    me.expect_problem(401, "unauthenticated");
    // Where the refresh token's cookie is gone already, the access token's is enough.
    let third = jar(&log_in_with(&server, &[], "cookie").await.expect(200), PLAIN);
    revoke(&third.access, None).await;
    refresh(&third.refresh, None).await.expect_problem(401, "invalid_grant");
}

#[tokio::test]
async fn no_other_site_changes_anything_by_somebodys_cookies() {
    let server = secure_server().await;
    let jar = jar(&log_in_with(&server, &[OURS], "cookie").await.expect(200), SECURE);
    let csrf = jar.csrf_token.as_str();
    let of_another = jar_of_another(&server).await;
    let evil = "https://evil.example.net";
    // What a request says of itself, and whether it is let through.
    let cases: [(&[(&str, &str)], bool); 20] = [
        (&[OURS], true),
        (&[("sec-fetch-site", "none")], true),
        (&[("sec-fetch-site", "cross-site")], false),
        (&[("sec-fetch-site", "same-site")], false),
        (&[("sec-fetch-site", "nonsense")], false),
        (&[("sec-fetch-site", "cross-site"), ("origin", evil)], false),
        (&[("sec-fetch-site", "cross-site"), ("x-csrf-token", csrf)], false),
        (&[("origin", ORIGIN)], true),
        (&[("origin", evil)], false),
        (&[("origin", "null")], false),
        (&[("origin", "")], false),
        (&[("origin", "http://auth.example.com")], false),
        (&[("origin", "https://auth.example.com.evil.net")], false),
        (&[("origin", "https://auth.example.com:8443")], false),
        (&[("origin", evil), ("x-csrf-token", csrf)], false),
        (&[], false),
        (&[("x-csrf-token", csrf)], true),
        (&[("x-csrf-token", "nonsense")], false),
        (&[("x-csrf-token", "")], false),
        (&[("x-csrf-token", &of_another)], false),
    ];
    let both = format!("{}; {}", jar.access, jar.refresh);
    for (said, let_through) in cases {
        for (method, path, body, status) in [
            (Method::PATCH, "/v1/me", json!({"nickname": "민지"}), 200),
            (
                Method::DELETE,
                "/v1/me/sessions/019a9c9e-6f60-7c3e-8a51-2f6d0c1b7e44",
                json!(null),
                404,
            ),
            (Method::POST, "/v1/tokens/refresh", json!({}), 200),
        ] {
            let mut headers = vec![("cookie", both.as_str())];
            headers.extend(said);
            let body = (!body.is_null()).then_some(&body);
            let answer = send(&server, (method, path), &headers, body).await;
            if let_through {
                assert_eq!(answer.status, status, "{said:?} {path}: {}", answer.body);
            } else {
                answer.expect_problem(403, "csrf_refused");
            }
        }
        // To read is no change, and a bearer token comes with no browser by itself.
        let mut headers = vec![("cookie", both.as_str())];
        headers.extend(said);
        send(&server, (Method::GET, "/v1/me"), &headers, None).await.expect(200);
        let bearer = format!("Bearer {}", jar.access.split_once('=').expect("a cookie").1);
        let mut headers = vec![("authorization", bearer.as_str())];
        headers.extend(said);
        let body = json!({"nickname": "민지"});
        send(&server, (Method::PATCH, "/v1/me"), &headers, Some(&body)).await.expect(200);
    }
    // Nor does another site log somebody in as somebody else.
    for said in [("sec-fetch-site", "cross-site"), ("origin", evil), ("origin", "null")] {
        log_in_with(&server, &[said], "cookie").await.expect_problem(403, "csrf_refused");
        log_in_with(&server, &[said], "body").await.expect(200);
    }
    // Nor out: the session is still there.
    send(&server, (Method::GET, "/v1/me"), &[("cookie", &jar.access)], None).await.expect(200);
    let revoke = (Method::POST, "/v1/tokens/revoke");
    let refused = send(&server, revoke, &[("cookie", both.as_str())], Some(&json!({}))).await;
    refused.expect_problem(403, "csrf_refused");
}

/// What a page of another session would show.
async fn jar_of_another(server: &Server) -> String {
    log_in_with(server, &[OURS], "cookie").await.expect(200).text("csrf_token")
}

#[tokio::test]
async fn a_header_is_believed_before_any_cookie() {
    let server = Server::start().await;
    complete_sign_up(&server, "minji@example.com").await;
    let jar = jar(&log_in_with(&server, &[], "cookie").await.expect(200), PLAIN);
    for authorization in ["Bearer nonsense", "Bearer", "Basic YTpi", "JWT x", ""] {
        let headers = [("cookie", jar.access.as_str()), ("authorization", authorization)];
        let refused = send(&server, (Method::GET, "/v1/me"), &headers, None).await;
        refused.expect_problem(401, "unauthenticated");
    }
}

#[tokio::test]
async fn each_protected_operation_takes_a_cookie_as_it_takes_a_bearer_token() {
    let server = Server::start().await;
    let document = server.get("/openapi.json").await.expect(200).json();
    let mut protected = Vec::new();
    for (path, operations) in document["paths"].as_object().expect("paths") {
        for (method, operation) in operations.as_object().expect("operations") {
            let schemes = operation["security"].as_array().expect("said of each");
            if schemes.iter().any(|scheme| scheme.get("access_token").is_some()) {
                let path = path.replace("{id}", "019a9c9e-6f60-7c3e-8a51-2f6d0c1b7e44");
                protected.push((method.to_uppercase(), path));
            }
        }
    }
    assert!(protected.len() >= 6, "{protected:?}");
    let mut accounts: Vec<String> = Vec::new();
    for (method, path) in protected {
        // Two accounts of each operation's own: one of them is to leave.
        let account = async |transport: &str| {
            let email = format!("{}-{transport}@example.com", accounts.len());
            complete_sign_up(&server, &email).await;
            let body = json!({"login": email, "password": PASSWORD, "transport": transport});
            server.post("/v1/tokens", &body).await.expect(200)
        };
        let jar = jar(&account("cookie").await, PLAIN);
        let pair = account("body").await;
        accounts.push(path.clone());
        let bearer = format!("Bearer {}", pair.text("access_token"));
        let method = Method::from_bytes(method.as_bytes()).expect("a method");
        let is_safe = method == Method::GET;
        let body = (!is_safe && method != Method::DELETE).then(|| json!({}));
        let ask = async |headers: &[(&str, &str)]| {
            send(&server, (method.clone(), &path), headers, body.as_ref()).await
        };
        let at = format!("{method} {path}");
        let nobody = ask(&[OURS]).await;
        assert_eq!(nobody.status, 401, "{at}");
        let nonsense = ask(&[("cookie", "mapae_access=nonsense"), OURS]).await;
        assert_eq!(nonsense.status, 401, "{at}");
        let foreign = [("cookie", jar.access.as_str()), ("sec-fetch-site", "cross-site")];
        if !is_safe {
            ask(&foreign).await.expect_problem(403, "csrf_refused");
        }
        let by_bearer = ask(&[("authorization", &bearer)]).await;
        let by_cookie = ask(&[("cookie", &jar.access), OURS]).await;
        assert_ne!(by_bearer.status, 401, "{at}: {}", by_bearer.body);
        assert_eq!(by_bearer.status, by_cookie.status, "{at}: {}", by_cookie.body);
        let members = |answer: &Answer| match serde_json::from_str::<Value>(&answer.body) {
            Ok(Value::Object(members)) => members.keys().cloned().collect(),
            _ => Vec::new(),
        };
        assert_eq!(members(&by_bearer), members(&by_cookie), "{at}");
    }
}

#[tokio::test]
async fn a_page_of_another_origin_uses_cookies_only_where_it_is_configured() {
    let server = ServerOptions::default()
        .with("PUBLIC_ORIGIN", ORIGIN)
        .with("SERVER__ALLOWED_ORIGINS", &format!("[{APP:?}]"))
        .start()
        .await;
    complete_sign_up(&server, "minji@example.com").await;
    let from_app = [("origin", APP), ("sec-fetch-site", "same-site")];
    let answer = log_in_with(&server, &from_app, "cookie").await.expect(200);
    assert_eq!(answer.headers["access-control-allow-origin"], APP);
    assert_eq!(answer.headers["access-control-allow-credentials"], "true");
    let jar = jar(&answer, SECURE);
    let mut headers = vec![("cookie", jar.access.as_str())];
    headers.extend(from_app);
    let body = json!({"nickname": "민지"});
    send(&server, (Method::PATCH, "/v1/me"), &headers, Some(&body)).await.expect(200);
    let asks = [
        ("origin", APP),
        ("access-control-request-method", "PATCH"),
        ("access-control-request-headers", "content-type"),
    ];
    let preflight = send(&server, (Method::OPTIONS, "/v1/me"), &asks, None).await;
    assert!(preflight.status.is_success(), "{}", preflight.status);
    let methods = preflight.headers["access-control-allow-methods"].to_str().expect("text");
    assert!(methods.contains("PATCH"), "{methods}");
    for other in ["https://evil.example.net", "null", "https://app.example.com.evil.net"] {
        let headers = [("origin", other), ("cookie", jar.access.as_str())];
        let refused = send(&server, (Method::PATCH, "/v1/me"), &headers, Some(&body)).await;
        assert!(!refused.headers.contains_key("access-control-allow-origin"), "{other}");
        refused.expect_problem(403, "origin_not_allowed");
    }
    // Where no other origin is configured, none is told anything.
    let alone = secure_server().await;
    let answer = alone.send(Method::GET, "/healthz", &[("origin", APP)], None).await;
    assert!(!answer.headers.contains_key("access-control-allow-origin"));
    for wrong in ["[\"*\"]", "[\"https://*.example.com\"]", "[\"app.example.com\"]"] {
        let settings = [("SERVER__ALLOWED_ORIGINS", wrong)];
        let (ended_well, _, error) = Server::run(&["serve"], &settings).await;
        assert!(!ended_well && error.contains("server.allowed_origins"), "{wrong}: {error}");
    }
}
