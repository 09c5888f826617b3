//! Reading a request body.

use serde_json::Value;

use crate::error::ScimError;

/// How deep arrays and objects may be nested in a body unless the server says otherwise.
pub const DEFAULT_DEPTH: usize = 32;

/// Parses a JSON body whose arrays and objects are nested at most `depth` deep. The caller bounds its size.
///
/// # Errors
/// `invalidSyntax`, with line and column. The text itself is not repeated.
pub fn parse(body: &[u8], depth: usize) -> Result<Value, ScimError> {
    if body.iter().all(u8::is_ascii_whitespace) {
        return Err(ScimError::invalid_syntax("the body is empty; JSON was expected"));
    }
    if let Some(offset) = too_deep(body, depth) {
        let (line, column) = position(body, offset);
        return Err(ScimError::invalid_syntax(format!(
            "the body is nested more than {depth} levels deep at line {line}, column {column}"
        )));
    }
    let body = body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(body);
    serde_json::from_slice(body).map_err(|error| {
        let what = match error.classify() {
            serde_json::error::Category::Eof => "ends too early",
            _ => "is not valid JSON",
        };
        ScimError::invalid_syntax(format!(
            "the body {what} at line {}, column {}",
            error.line(),
            error.column()
        ))
    })
}

/// Where the nesting first exceeds `depth`.
fn too_deep(body: &[u8], depth: usize) -> Option<usize> {
    let mut level = 0_usize;
    let mut in_string = false;
    let mut escaped = false;
    for (offset, byte) in body.iter().enumerate() {
        if in_string {
            match byte {
                _ if escaped => escaped = false,
                b'\\' => escaped = true,
                b'"' => in_string = false,
                _ => {}
            }
            continue;
        }
        match byte {
            b'"' => in_string = true,
            b'[' | b'{' => {
                level += 1;
                if level > depth {
                    return Some(offset);
                }
            }
            b']' | b'}' => level = level.saturating_sub(1),
            _ => {}
        }
    }
    None
}

fn position(body: &[u8], offset: usize) -> (usize, usize) {
    let before = &body[..offset];
    let line = before.iter().filter(|byte| **byte == b'\n').count() + 1;
    let column = before.iter().rev().take_while(|byte| **byte != b'\n').count() + 1;
    (line, column)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::ScimType;

    #[test]
    fn faults_are_located() {
        let cases: [(&[u8], &str); 5] = [
            (b"", "empty"),
            (b"{\"a\": }", "line 1, column 7"),
            (b"{\n \"a\": 1,\n", "ends too early at line 3"),
            (b"{\"a\": \"\xff\"}", "not valid JSON"),
            (b"[[[[1]]]]", "more than 3 levels deep at line 1, column 4"),
        ];
        for (body, expected) in cases {
            let error = parse(body, 3).expect_err(expected);
            assert_eq!(error.scim_type, Some(ScimType::InvalidSyntax));
            assert!(
                error.detail.contains(expected),
                "{} lacks {expected}",
                error.detail
            );
        }
    }

    #[test]
    fn brackets_in_text_do_not_nest() {
        let body = br#"{"a": "[[[[\"[[[["}"#;
        assert_eq!(parse(body, 1).expect("flat")["a"], "[[[[\"[[[[");
        assert!(
            parse(b"\xef\xbb\xbf{}", 1).is_ok(),
            "a byte order mark is passed over"
        );
    }
}
