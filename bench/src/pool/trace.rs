//! Sizes of real calls, from `bench/traces`.

/// Tokens of one call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Sizes {
    pub(crate) input: u64,
    pub(crate) output: u64,
}

/// Calls of a conversation service.
pub(crate) fn conversations() -> Vec<Sizes> {
    read(include_str!("../../traces/azure_2023_conv.csv"))
}

/// Calls of a code completion service: long prompts, short answers.
pub(crate) fn completions() -> Vec<Sizes> {
    read(include_str!("../../traces/azure_2023_code.csv"))
}

/// Reads `input,output` lines; others are left out.
fn read(text: &str) -> Vec<Sizes> {
    let sizes = text.lines().filter_map(|line| {
        let (input, output) = line.split_once(',')?;
        Some(Sizes {
            input: input.parse().ok()?,
            output: output.parse().ok()?,
        })
    });
    sizes.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_of_both_traces_is_a_call() {
        assert_eq!(conversations().len(), 19_366);
        assert_eq!(completions().len(), 8_819);
        assert_eq!(
            conversations()[0],
            Sizes {
                input: 374,
                output: 44
            }
        );
    }
}
