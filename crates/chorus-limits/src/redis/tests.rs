//! Redis against the ledger in memory: the same random histories, the same answers and levels. Tried when
//! `CHORUS_TEST_REDIS` names a server.

mod history;
mod server;

use chorus_core::limit::{HeldLease, Reserved};
use chorus_core::port::LimitState;

use history::{Played, Step};
use server::Server;

/// Plays one history on both.
async fn check_history(server: &Server, seed: u64, steps: usize) -> Played {
    let mut pair = history::Pair::new(server, seed).await;
    for number in 0..steps {
        let step = pair.draw();
        pair.take(&step).await.unwrap_or_else(|problem| panic!("seed {seed}, step {number}, {step:?}: {problem}"));
    }
    pair.played
}

#[tokio::test]
async fn random_histories_have_the_answers_and_levels_of_the_ledger() {
    let Some(server) = Server::given() else { return };
    let mut all = Played::default();
    for seeds in (0..400).collect::<Vec<u64>>().chunks(16) {
        let histories = seeds.iter().map(|seed| check_history(&server, *seed, 60));
        futures_util::future::join_all(histories).await.into_iter().for_each(|played| all += played);
    }
    println!("400 histories: {all:?}");
    assert!(all.granted > 1_000 && all.waited > 1_000 && all.never > 10 && all.lost > 10 && all.sent > 500, "{all:?}");
}

#[tokio::test]
async fn what_was_reserved_on_a_server_that_forgot_is_held_again_after_a_restore() {
    let Some(server) = Server::given() else { return };
    let mut pair = history::Pair::new(&server, 9_000).await;
    let demand = pair.demand();
    let Ok(Reserved::Granted(lease)) = pair.redis.reserve(demand.clone()).await else { panic!("there is room") };
    pair.take(&Step::Flush).await.expect("both forget");
    assert!(pair.redis.reserve(demand.clone()).await.is_err());
    let groups = demand.candidates[0].groups.clone();
    pair.redis.restore(vec![HeldLease { lease: lease.clone(), groups, sent_until: None }]).await.expect("the server answers");
    assert_eq!(pair.redis.live_leases().await, Ok(1));
    assert_eq!(pair.redis.reserve(demand).await, Ok(Reserved::Granted(lease)));
}
