//! What follows from a request belongs to the request's trace.

use mapae_application::ports::TraceCaller;
use mapae_application::trace::TraceParent;

use crate::{World, email};

fn span(number: u8, sampled: bool) -> TraceParent {
    TraceParent::new([number; 16], [number; 8], sampled).expect("a span")
}

#[tokio::test]
async fn a_send_follows_the_span_that_caused_its_message() {
    let world = World::new();
    for (number, sampled) in [(1, true), (2, false)] {
        world.traces.enter(Some(span(number, sampled)));
        world.begin("own", &email(&format!("minji{number}@example.com"))).await;
    }
    // It is sent when nothing of the request is left.
    world.traces.enter(None);
    world.deliver().await;
    let mut followed = world.traces.followed();
    followed.sort_by_key(|(parent, _)| parent.span_id());
    let expected = [(1, true), (2, false)];
    let expected = expected.map(|(number, on)| (span(number, on), TraceCaller::Trusted));
    assert_eq!(followed, expected);
}

#[tokio::test]
async fn a_message_that_was_caused_by_no_span_is_sent_all_the_same() {
    let world = World::new();
    let contact = email("minji@example.com");
    world.begin("own", &contact).await;
    world.code_to(&contact).await;
    assert_eq!(world.traces.followed(), []);
}
