//! Requests that race for one row, on every replica.

use std::collections::HashSet;

use super::experiments::at_once;
use super::load::{Doing, World};
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
    pub(crate) async fn verification(&self) -> Result<Sent, Failure> {
        let mut told = self.stranger();
        self.begin(&mut told, Doing::Verifying).await?;
        let code = self.code(&told.number).await?;
        Ok(Sent { id: told.verification.unwrap_or_default(), code })
    }

    /// Gives a hundred wrong codes at once, and counts those that were compared.
    pub(crate) async fn wrong_codes_compared(&self) -> Result<usize, Failure> {
        let verification = self.verification().await?;
        let answers = at_once(100, |nth| verification.clone().give(self.clone(), nth + 1)).await;
        Ok(answers.into_iter().filter(|status| *status == 400).count())
    }

    /// Signs somebody up, refreshes their token fifty times at once, and gives how many successors
    /// there are.
    pub(crate) async fn fifty_refreshes(&self) -> Result<usize, Failure> {
        let mut told = self.stranger();
        self.sign_up(&mut told).await?;
        let token = told.refresh_token.unwrap_or_default();
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
