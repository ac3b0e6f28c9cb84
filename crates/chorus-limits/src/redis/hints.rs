//! Hints of the server: groups that were freed or corrected. While the server is away there are none,
//! and a new subscription is tried once a second.

use std::sync::Arc;

use chorus_core::limit::GroupChange;
use chorus_core::time::Millis;
use futures_util::StreamExt;
use futures_util::stream::{self, BoxStream};
use redis::{Msg, RedisError};

use super::link::Link;
use super::reply::read_level;

const TRY_AGAIN: Millis = Millis(1_000);

struct Ear {
    link: Arc<Link>,
    messages: Option<BoxStream<'static, Msg>>,
}

/// Returns the groups that are freed or corrected from now on.
pub(super) fn listen(link: Arc<Link>) -> BoxStream<'static, GroupChange> {
    let ear = Ear {
        link,
        messages: None,
    };
    stream::unfold(ear, |mut ear| async move {
        let groups = ear.next().await;
        Some((stream::iter(groups), ear))
    })
    .flatten()
    .boxed()
}

impl Ear {
    async fn next(&mut self) -> Vec<GroupChange> {
        loop {
            match &mut self.messages {
                Some(messages) => match messages.next().await {
                    Some(message) => return groups(&message),
                    None => self.messages = None,
                },
                None => match subscribe(Arc::clone(&self.link)).await {
                    Ok(messages) => self.messages = Some(messages),
                    Err(problem) => {
                        tracing::debug!(error = %problem, "failed to listen for freed limits, trying again");
                        self.link.clock().sleep(TRY_AGAIN).await;
                    }
                },
            }
        }
    }
}

async fn subscribe(link: Arc<Link>) -> Result<BoxStream<'static, Msg>, RedisError> {
    let mut channel = link.client().get_async_pubsub().await?;
    channel.subscribe(link.channel()).await?;
    Ok(channel.into_on_message().boxed())
}

fn groups(message: &Msg) -> Vec<GroupChange> {
    let text: String = message.get_payload().unwrap_or_default();
    text.lines().filter_map(read_level).collect()
}
