//! Calls to providers over HTTP; a provider is data.
