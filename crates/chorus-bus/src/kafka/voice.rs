//! What the client library has to say, in the log of this process.

use rdkafka::client::ClientContext;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::ConsumerContext;
use rdkafka::error::KafkaError;

/// Takes the client library's log lines and its errors of connections.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Voice;

impl ClientContext for Voice {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, line: &str) {
        match level {
            RDKafkaLogLevel::Emerg | RDKafkaLogLevel::Alert | RDKafkaLogLevel::Critical => {
                tracing::error!(kafka.facility = facility, "{line}");
            }
            RDKafkaLogLevel::Error | RDKafkaLogLevel::Warning => {
                tracing::warn!(kafka.facility = facility, "{line}")
            }
            RDKafkaLogLevel::Notice | RDKafkaLogLevel::Info | RDKafkaLogLevel::Debug => {
                tracing::debug!(kafka.facility = facility, "{line}");
            }
        }
    }

    /// The library's own log lines say the same, and say it once where this would say it every time.
    fn error(&self, error: KafkaError, reason: &str) {
        tracing::debug!(error = %error, "the connection to Kafka has trouble: {reason}");
    }
}

impl ConsumerContext for Voice {}
