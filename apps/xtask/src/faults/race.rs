//! Requests that race for one row, on every replica.

use std::collections::HashSet;
use std::time::Duration;

use serde_json::json;

use super::experiments::at_once;
use super::load::{PASSWORD, World, code_in};
use crate::Failure;

/// A verification and its code.
#[derive(Clone)]
pub(crate) struct Sent {
    id: String,
    code: String,
}

impl Sent {
    /// Gives the code, or a wrong one: the `off`th after it. Asks until there is an answer.
    pub(crate) async fn give(self, world: World, off: usize) -> u16 {
        let number: usize = self.code.parse().unwrap_or_default();
        let code = format!("{:06}", (number + off) % 1_000_000);
        world.check(&self.id, &code).await.map_or(0, |answer| answer.status.as_u16())
    }
}

impl World {
    /// Has a number verified, and waits for its code.
    pub(crate) async fn verification(&self, nth: usize) -> Result<Sent, Failure> {
        let number = format!("010{:08}", 60_000_000 + nth);
        let body = json!({"channel": "sms", "to": number, "purpose": "own"});
        let begun = self.ask("/v1/verifications", &body).await?;
        let id = begun.json["id"].as_str().ok_or("no id")?.to_owned();
        loop {
            if let Some(message) = self.sens.taken_to(&number).first() {
                return Ok(Sent { id, code: code_in(&message.content)? });
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// Signs somebody up, refreshes their token fifty times at once, and gives how many successors
    /// there are.
    pub(crate) async fn fifty_refreshes(&self, nth: usize) -> Result<usize, Failure> {
        let number = format!("010{:08}", 70_000_000 + nth);
        let body = json!({"phone": number, "password": PASSWORD});
        let begun = self.ask("/v1/registrations", &body).await?;
        let id = begun.json["verifications"][0]["id"].as_str().ok_or("no id")?.to_owned();
        let code = loop {
            if let Some(message) = self.sens.taken_to(&number).first() {
                break code_in(&message.content)?;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        };
        if !self.check(&id, &code).await?.is_yes() {
            return Err("a right code is refused".into());
        }
        let pair = self.log_in(&number).await?;
        let token = pair.json["refresh_token"].as_str().ok_or("no token")?.to_owned();
        let answers = at_once(50, |_| {
            let (world, token) = (self.clone(), token.clone());
            async move {
                let answer = world.refresh(&token).await.ok()?;
                answer.json["refresh_token"].as_str().map(str::to_owned)
            }
        })
        .await;
        Ok(answers.into_iter().collect::<HashSet<_>>().len())
    }
}
