//! Notices of a lost and a restored connection.

/// Receives changes of the connection, to show them to a person.
pub trait ConnectionListener: Send + Sync {
    /// Records that a server does not answer and the call is repeated. Called once for each call.
    fn lost(&self, server: &str, reason: &str);

    /// Records that a server answers after [`lost`](Self::lost).
    fn restored(&self, server: &str);
}
