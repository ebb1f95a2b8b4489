//! Keys are replaced while the service runs.

use mapae_e2e::{Server, until};
use serde_json::json;

use crate::{PASSWORD, complete_sign_up, log_in};

async fn published(server: &Server) -> Vec<String> {
    let keys = server.get("/.well-known/jwks.json").await.expect(200).json()["keys"].clone();
    let keys = keys.as_array().expect("keys").iter();
    keys.map(|key| key["kid"].as_str().expect("a kid").to_owned()).collect()
}

#[tokio::test]
async fn keys_are_rotated_and_retired_while_the_service_runs() {
    let server = Server::start().await;
    complete_sign_up(&server, "minji@example.com").await;
    let token = async || {
        log_in(&server, "minji@example.com", PASSWORD).await.expect(200).text("access_token")
    };
    let works = async |token: &str| {
        let body = json!({"token": token});
        server.post("/v1/tokens/verify", &body).await.status.is_success()
    };
    let old = published(&server).await.swap_remove(0);
    let first = token().await;
    let (ended_well, made, _) = server.run_beside(&["key", "rotate"]).await;
    assert!(ended_well && made.contains("next"), "{made}");
    // Published by the running service, and not signed with yet.
    until("the next key is published", async || published(&server).await.len() == 2).await;
    let second = token().await;
    assert!(works(&first).await && works(&second).await);
    let (_, listed, _) = server.run_beside(&["key", "list"]).await;
    assert!(listed.lines().next().is_some_and(|line| line.contains(&old)), "{listed}");
    assert!(listed.contains("signing") && listed.contains("next"), "{listed}");
    let (ended_well, _, refused) = server.run_beside(&["key", "retire", &old]).await;
    assert!(!ended_well && refused.contains("it signs"), "{refused}");
    // Somebody else may have it: it goes, and another signs.
    let (ended_well, _, log) = server.run_beside(&["key", "retire", &old, "--at-once"]).await;
    assert!(ended_well, "{log}");
    until("the old key is gone", async || !published(&server).await.contains(&old)).await;
    assert!(!works(&first).await && !works(&second).await);
    let third = token().await;
    assert!(works(&third).await);
    server.get_as("/v1/me", &third).await.expect(200);
}
