//! Log lines and errors of librdkafka, written to the log of this process.

use rdkafka::client::ClientContext;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::ConsumerContext;
use rdkafka::error::KafkaError;

/// Context of every client that has no other: it only logs.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct ClientLogger;

impl ClientContext for ClientLogger {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, line: &str) {
        match level {
            RDKafkaLogLevel::Emerg | RDKafkaLogLevel::Alert | RDKafkaLogLevel::Critical => {
                tracing::error!(kafka.facility = facility, "{line}");
            }
            RDKafkaLogLevel::Error | RDKafkaLogLevel::Warning => {
                tracing::warn!(kafka.facility = facility, "{line}");
            }
            RDKafkaLogLevel::Notice | RDKafkaLogLevel::Info | RDKafkaLogLevel::Debug => {
                tracing::debug!(kafka.facility = facility, "{line}");
            }
        }
    }

    /// Debug level: librdkafka logs the same error itself, once, where this is called for every connection.
    fn error(&self, error: KafkaError, reason: &str) {
        tracing::debug!(error = %error, "connection to Kafka failed: {reason}");
    }
}

impl ConsumerContext for ClientLogger {}
