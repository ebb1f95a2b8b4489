//! Says hello to whoever shows a good token.
use mapae_guard::{Guard, Verified};
use poem::{EndpointExt as _, Route, Server, get, handler, listener::TcpListener};

#[handler]
fn hello(user: Verified) -> String {
    format!("Hello, {}.\n", user.sub)
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let guard = Guard::new(&std::env::var("MAPAE_ORIGIN")?)?;
    let listener = TcpListener::bind(std::env::var("LISTEN")?);
    Ok(Server::new(listener).run(Route::new().at("/hello", get(hello)).with(guard)).await?)
}
