//! Wire forms of LLM calls to and from the canonical model. Pure codecs, used at both edges.
