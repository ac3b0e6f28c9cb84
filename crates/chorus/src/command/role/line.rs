//! The one line that a process says when it is up. It holds no secret.

use std::net::SocketAddr;

use super::Post;
use crate::house::House;

/// Who this is, what it stands on, and where it answers.
pub(super) fn of(house: &House, post: &Post, address: Option<SocketAddr>) -> String {
    let stands_on: Vec<String> = house
        .dependencies()
        .iter()
        .map(|dependency| format!("{} {}", dependency.name, dependency.what))
        .collect();
    let answers = match (post.has_gateway(), address) {
        (true, Some(address)) => format!("clients and probes on http://{address}"),
        (false, Some(address)) => format!("probes on http://{address}"),
        (_, None) => "no probes (probe.listen is empty)".to_owned(),
    };
    format!("chorus {}: {}; {answers}", name(post), stands_on.join(", "))
}

fn name(post: &Post) -> String {
    match post {
        Post::One(role) => role.name().to_owned(),
        Post::Workers(pools) if pools.is_empty() => "worker of all pools".to_owned(),
        Post::Workers(pools) => format!(
            "worker of {}",
            pools
                .iter()
                .map(ToString::to_string)
                .collect::<Vec<_>>()
                .join(", ")
        ),
        Post::Whole => "serve".to_owned(),
    }
}
