//! A forgiving JSON reader: comments, single quotes, bare words, trailing and missing commas,
//! `None` and `nil` for null, and an end that was cut off. It never follows more than `DEEPEST`
//! levels.

use serde_json::{Map, Number, Value};

use super::Rung;

const DEEPEST: usize = 64;

/// Parses the value at the beginning of the text. The [`Rung`] says if its end was missing; none
/// when no value can be made out.
pub(super) fn parse(text: &str) -> Option<(Value, Rung)> {
    let mut reader = Reader {
        text,
        at: 0,
        rung: Rung::Repaired,
    };
    reader.skip();
    let value = reader.value(0)?;
    Some((value, reader.rung))
}

struct Reader<'a> {
    text: &'a str,
    at: usize,
    rung: Rung,
}

impl Reader<'_> {
    fn value(&mut self, depth: usize) -> Option<Value> {
        match self.peek()? {
            '{' if depth < DEEPEST => self.object(depth),
            '[' if depth < DEEPEST => self.list(depth),
            quote @ ('"' | '\'' | '“') => self.quoted(quote).map(Value::String),
            letter if letter.is_alphanumeric() || "-+._$".contains(letter) => {
                self.word().and_then(|word| meaning(&word))
            }
            _ => None,
        }
    }

    fn object(&mut self, depth: usize) -> Option<Value> {
        self.bump();
        let mut object = Map::new();
        loop {
            self.skip_commas();
            let key = match self.peek() {
                None => return self.closed(Value::Object(object)),
                Some('}') => {
                    self.bump();
                    return Some(Value::Object(object));
                }
                Some(quote @ ('"' | '\'' | '“')) => self.quoted(quote),
                Some(_) => self.word(),
            };
            let Some(key) = key else {
                return self.given_up(Value::Object(object));
            };
            self.skip();
            match self.peek() {
                Some(':' | '=') => self.bump(),
                Some(_) => return None,
                None => return self.given_up(Value::Object(object)),
            }
            self.skip();
            match self.value(depth + 1) {
                Some(value) => object.insert(key, value),
                None => return self.given_up(Value::Object(object)),
            };
        }
    }

    fn list(&mut self, depth: usize) -> Option<Value> {
        self.bump();
        let mut list = Vec::new();
        loop {
            self.skip_commas();
            match self.peek() {
                None => return self.closed(Value::Array(list)),
                Some(']') => {
                    self.bump();
                    return Some(Value::Array(list));
                }
                Some(_) => match self.value(depth + 1) {
                    Some(value) => list.push(value),
                    None => return self.given_up(Value::Array(list)),
                },
            }
        }
    }

    /// Parses a string; none when its end is missing, and then the text is used up.
    fn quoted(&mut self, open: char) -> Option<String> {
        let close = if open == '“' { '”' } else { open };
        self.bump();
        let mut text = String::new();
        while let Some(letter) = self.peek() {
            self.bump();
            match letter {
                _ if letter == close => return Some(text),
                '\\' => self.escape(&mut text)?,
                _ => text.push(letter),
            }
        }
        None
    }

    fn escape(&mut self, text: &mut String) -> Option<()> {
        let letter = self.peek()?;
        self.bump();
        match letter {
            'n' => text.push('\n'),
            't' => text.push('\t'),
            'r' => text.push('\r'),
            'b' | 'f' => {}
            'u' => {
                let code = self
                    .text
                    .get(self.at..self.at + 4)
                    .and_then(|digits| u32::from_str_radix(digits, 16).ok());
                match code {
                    Some(code) => {
                        self.at += 4;
                        text.push(char::from_u32(code).unwrap_or('\u{fffd}'));
                    }
                    None => text.push('u'),
                }
            }
            other => text.push(other),
        }
        Some(())
    }

    /// Parses a bare word; none when there is none.
    fn word(&mut self) -> Option<String> {
        let rest = &self.text[self.at..];
        let end = rest.find(|letter: char| !(letter.is_alphanumeric() || "-+._$".contains(letter)));
        let word = &rest[..end.unwrap_or(rest.len())];
        self.at += word.len();
        (!word.is_empty()).then(|| word.to_owned())
    }

    fn peek(&self) -> Option<char> {
        self.text[self.at..].chars().next()
    }

    fn bump(&mut self) {
        self.at += self.peek().map_or(0, char::len_utf8);
    }

    /// Skips white space and comments.
    fn skip(&mut self) {
        loop {
            let rest = &self.text[self.at..];
            let trimmed = rest.trim_start();
            self.at += rest.len() - trimmed.len();
            let comment = match trimmed {
                _ if trimmed.starts_with("//") || trimmed.starts_with('#') => {
                    trimmed.find('\n').unwrap_or(trimmed.len())
                }
                _ if trimmed.starts_with("/*") => {
                    trimmed.find("*/").map_or(trimmed.len(), |end| end + 2)
                }
                _ => return,
            };
            self.at += comment;
        }
    }

    fn skip_commas(&mut self) {
        self.skip();
        while let Some(',' | ';') = self.peek() {
            self.bump();
            self.skip();
        }
    }

    fn closed(&mut self, value: Value) -> Option<Value> {
        self.rung = self.rung.max(Rung::Closed);
        Some(value)
    }

    /// Returns the value if the text ended in the middle of it; none when there is more text.
    fn given_up(&mut self, value: Value) -> Option<Value> {
        self.skip();
        self.rung = Rung::Cut;
        self.peek().is_none().then_some(value)
    }
}

fn meaning(word: &str) -> Option<Value> {
    match word.to_ascii_lowercase().as_str() {
        "true" | "yes" => Some(Value::Bool(true)),
        "false" | "no" => Some(Value::Bool(false)),
        "null" | "none" | "nil" | "nan" | "undefined" | "infinity" | "-infinity" => {
            Some(Value::Null)
        }
        _ => Some(number(word).map_or_else(|| Value::String(word.to_owned()), Value::Number)),
    }
}

fn number(word: &str) -> Option<Number> {
    let word = word.trim_start_matches('+');
    let whole = word.parse::<i64>().ok().map(Number::from);
    whole.or_else(|| word.parse::<f64>().ok().and_then(Number::from_f64))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn check(text: &str, expected: &Value, rung: Rung) {
        assert_eq!(parse(text), Some((expected.clone(), rung)), "{text}");
    }

    #[test]
    fn faults_of_syntax_are_mended() {
        check(
            "{a: 1, 'b': [true,], }",
            &json!({"a": 1, "b": [true]}),
            Rung::Repaired,
        );
        check("[1 2, 3]", &json!([1, 2, 3]), Rung::Repaired);
        check(
            "{\"a\": 1 // one\n, /* two */ \"b\": 2}",
            &json!({"a": 1, "b": 2}),
            Rung::Repaired,
        );
        check(
            "[None, nil, undefined, True]",
            &json!([null, null, null, true]),
            Rung::Repaired,
        );
    }

    #[test]
    fn a_missing_end_is_graded_by_its_place() {
        check("{\"a\": [1, 2", &json!({"a": [1, 2]}), Rung::Closed);
        check("{\"a\": {\"b\": 1}", &json!({"a": {"b": 1}}), Rung::Closed);
        let (value, rung) = parse("{\"a\": 1, \"b\": \"unfin").expect("the first field is whole");
        assert_eq!((value, rung), (json!({"a": 1}), Rung::Cut));
    }

    fn value() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i32>().prop_map(Value::from),
            "[a-z\"\\\\{}\\[\\],:'/é\\n]{0,8}".prop_map(Value::from),
        ];
        leaf.prop_recursive(4, 24, 4, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                prop::collection::btree_map("[a-z ]{0,5}", inner, 0..4)
                    .prop_map(|map| Value::Object(map.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn sound_json_is_read_as_it_stands(value in value()) {
            let value = json!([value]);
            for text in [value.to_string(), format!("{value:#}")] {
                prop_assert_eq!(parse(&text).map(|(value, _)| value), Some(value.clone()), "{}", text);
            }
        }

        #[test]
        fn a_cut_never_invents_an_element(value in value(), at in 0.0..1.0f64) {
            let list = json!([value, 1, 2, 3]);
            let text = list.to_string();
            let at = (0..=(text.len() as f64 * at) as usize).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
            if let Some((Value::Array(found), _)) = parse(&text[..at]) {
                prop_assert!(found.len() <= 4);
            }
        }
    }
}
