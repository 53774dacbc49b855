//! Text from outside, made harmless for a terminal.

use std::borrow::Cow;

/// The text on one line: control characters and characters that turn the direction of writing are written out.
pub fn line(text: &str) -> Cow<'_, str> {
    if !text.chars().any(is_harmful) {
        return Cow::Borrowed(text);
    }
    let mut harmless = String::with_capacity(text.len() + 8);
    for character in text.chars() {
        match character {
            '\n' => harmless.push_str("\\n"),
            '\t' => harmless.push_str("\\t"),
            '\r' => harmless.push_str("\\r"),
            harmful if is_harmful(harmful) => harmless.push_str(&format!("\\u{{{:x}}}", harmful as u32)),
            harmless_one => harmless.push(harmless_one),
        }
    }
    Cow::Owned(harmless)
}

fn is_harmful(character: char) -> bool {
    character.is_control()
        || matches!(character, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{2028}' | '\u{2029}')
}

#[cfg(test)]
mod tests {
    use super::line;

    #[test]
    fn text_stays_on_its_line_and_cannot_command_the_terminal() {
        assert_eq!(line("Zürich · 東京"), "Zürich · 東京");
        assert_eq!(line("two\nlines\tand\r"), "two\\nlines\\tand\\r");
        assert_eq!(line("\u{1b}[2Jgone"), "\\u{1b}[2Jgone");
        assert_eq!(line("abc\u{202e}fdp.exe"), "abc\\u{202e}fdp.exe");
    }
}
