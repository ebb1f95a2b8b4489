//! What [`Clock`] promises.

use std::sync::Arc;
use std::time::Duration;

use mapae_application::ports::Clock;

use crate::build;

/// The time is of this age: neither seconds nor milliseconds were taken for microseconds.
pub fn the_time_is_of_this_age(clock: Arc<dyn Clock>) {
    let now = clock.now();
    assert!(now > build::timestamp(1_577_836_800), "before 2020: {now:?}");
    assert!(now < build::timestamp(4_102_444_800), "after 2100: {now:?}");
}

/// Two readings, one right after the other, are close to each other, on any thread.
pub fn readings_are_close_on_every_thread(clock: Arc<dyn Clock>) {
    let first = clock.now();
    let readings = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..4).map(|_| scope.spawn(|| clock.now())).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect::<Vec<_>>()
    });
    let minute = Duration::from_secs(60);
    for reading in readings {
        assert!(first.until(reading) < minute && reading.until(first) < minute, "{reading:?}");
    }
}
