//! An upgrade while people are served: the release before goes on, on the schema of this one.

use mapae_e2e::{Server, ServerOptions};
use mapae_store_seaorm::scratch;
use serde_json::json;

use crate::{PASSWORD, complete_sign_up, log_in};

/// The binary of the release before, where there is one. `.ci/run` builds it from its tag.
const PREVIOUS: &str = "MAPAE_E2E_PREVIOUS_BIN";

/// Steps that took something away: a release that does not know one is refused.
async fn contractions(server: &Server) -> i64 {
    let sql = r"SELECT COUNT(*) FROM seaql_migrations WHERE version LIKE '%contract'";
    scratch::number(&server.database_url(), sql).await.expect("an answer")
}

async fn refresh(server: &Server, token: &str) -> (String, String) {
    let body = json!({ "refresh_token": token });
    let pair = server.post("/v1/tokens/refresh", &body).await.expect(200);
    (pair.text("access_token"), pair.text("refresh_token"))
}

#[tokio::test]
async fn the_release_before_goes_on_serving_on_the_schema_of_this_one() {
    let Some(previous) = std::env::var_os(PREVIOUS) else {
        #[expect(clippy::print_stderr, reason = "what a test has not looked at is said")]
        {
            eprintln!("skipped: {PREVIOUS} names no release before this one");
        }
        return;
    };
    // Whose tokens they are, whichever process has made them.
    let options = ServerOptions::default().with("PUBLIC_ORIGIN", "http://localhost:8080");
    let before = options.of_release(previous.into()).start().await;
    complete_sign_up(&before, "early@example.com").await;
    let pair = log_in(&before, "early@example.com", PASSWORD).await.expect(200);
    let (access, mut token) = (pair.text("access_token"), pair.text("refresh_token"));

    let contracted = contractions(&before).await;
    // The first process of this release brings the schema up.
    let after = before.start_this_release().await;
    before.get_as("/v1/me", &access).await.expect(200);
    complete_sign_up(&before, "between@example.com").await;
    complete_sign_up(&after, "late@example.com").await;
    for (server, other) in [(&before, &after), (&after, &before)] {
        for person in ["early", "between", "late"] {
            log_in(server, &format!("{person}@example.com"), PASSWORD).await.expect(200);
        }
        let renewed = refresh(server, &token).await;
        other.get_as("/v1/me", &renewed.0).await.expect(200);
        token = renewed.1;
    }
    // One of the release before starts, which has died meanwhile.
    if contractions(&after).await == contracted {
        let again = before.start_replica().await;
        complete_sign_up(&again, "again@example.com").await;
        again.get_as("/v1/me", &refresh(&after, &token).await.0).await.expect(200);
    }
}
