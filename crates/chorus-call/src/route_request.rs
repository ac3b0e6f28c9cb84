//! Tailoring of a canonical request to the route that admission chose.

use chorus_core::catalog::Model;
use chorus_core::id::{ModelSlug, ProviderId};
use chorus_core::llm::Request;

/// Share of a prompt's base count by which a model may count it higher, as a divisor.
const COUNTED_MORE: u64 = 4;

/// Returns the most tokens that the model can produce after a prompt of so many tokens by the base
/// count; 0 when the prompt alone may fill its context.
pub fn output_room(model: &Model, prompt_tokens: u64) -> u32 {
    model.room(prompt_tokens + prompt_tokens / COUNTED_MORE)
}

/// Returns the request with the model's name at the provider, and with `max_tokens` that the model
/// can produce: the request's own, else `asked`, bounded by [`output_room`], at least 1.
///
/// A model that is not in the catalogue keeps its slug and takes what is asked.
pub fn route_request(
    mut request: Request,
    (provider, slug): (&ProviderId, &ModelSlug),
    model: Option<&Model>,
    prompt_tokens: u64,
    asked: u32,
) -> Request {
    let wire_name = model.and_then(|model| model.routes.get(provider));
    request.model = wire_name.map_or_else(|| slug.to_string(), Clone::clone);
    let asked = request.sampling.max_tokens.unwrap_or(asked);
    let room = model.map_or(asked, |model| output_room(model, prompt_tokens));
    request.sampling.max_tokens = Some(asked.min(room).max(1));
    request
}

#[cfg(test)]
mod tests {
    use super::*;

    fn model((context, max_output): (u32, u32)) -> Model {
        let row = format!(
            r#"{{"slug": "local/small", "pool": "other", "routes": {{"local": "small-1"}},
            "context": {context}, "max_output": {max_output},
            "price": {{"input": 0, "output": 0}}, "strength": 1}}"#
        );
        serde_json::from_str(&row).expect("a row of the catalogue")
    }

    fn check(sizes: (u32, u32), prompt: u64, expected: u32) {
        let (model, slug) = (model(sizes), ModelSlug::new("local/small"));
        assert_eq!(
            output_room(&model, prompt),
            expected,
            "{prompt} in {sizes:?}"
        );
        let route = (&ProviderId::new("local"), &slug);
        let request = route_request(Request::default(), route, Some(&model), prompt, 24_000);
        assert_eq!(request.model, "small-1");
        let asked = expected.clamp(1, 24_000);
        assert_eq!(request.sampling.max_tokens, Some(asked));
    }

    #[test]
    fn an_answer_has_the_room_that_the_prompt_leaves() {
        check((200_000, 64_000), 4_000, 64_000);
        check((8_192, 4_096), 4_000, 3_192);
        check((8_192, 512), 4_000, 512);
        check((8_192, 4_096), 7_000, 0);
    }

    #[test]
    fn a_model_that_is_not_in_the_catalogue_is_asked_under_its_slug() {
        let slug = ModelSlug::new("other/model");
        let route = (&ProviderId::new("local"), &slug);
        let request = route_request(Request::default(), route, None, 9, 50);
        assert_eq!(request.model, "other/model");
        assert_eq!(request.sampling.max_tokens, Some(50));
    }
}
