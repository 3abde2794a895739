//! Words, as the index keeps them and as queries ask for them: without case, accents and
//! ligatures, the same for every language. There is no stemmer, because the texts of one shop are
//! in several languages and a stemmer of one mangles the others; that the last word of a query may
//! be unfinished, and typos, find most other forms of a word.

use std::collections::HashSet;
use std::ops::RangeInclusive;

use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::is_combining_mark;

/// Letters of a word that are looked at.
const LONGEST: usize = 40;

/// Appends the words of a text that is to be found, each with a space behind it.
pub(super) fn keep(text: &str, words: &mut String) {
    let mut push = |word: &str| {
        words.push_str(word);
        words.push(' ');
    };
    each_run(text, |run| {
        each_part(run, |part| match part {
            Part::Word(word) => push(word),
            // Where words are not set apart, each letter begins a word of two; the last one
            // stands alone.
            Part::Dense(letters) => {
                let pairs = letters
                    .windows(2)
                    .chain(letters.last().map(std::slice::from_ref));
                pairs.for_each(|pair| push(&String::from_iter(pair)));
            }
        });
    });
}

/// The words of a text that is looked for, each once. The last one stays where it is, for it may be
/// unfinished.
pub(super) fn asked(text: &str) -> Vec<String> {
    let mut words: Vec<String> = Vec::new();
    each_run(text, |run| {
        each_part(run, |part| match part {
            Part::Word(word) => words.push(word.to_owned()),
            Part::Dense([alone]) => words.push(alone.to_string()),
            Part::Dense(letters) => words.extend(letters.windows(2).map(String::from_iter)),
        });
    });
    let mut seen = HashSet::new();
    words.reverse();
    words.retain(|word| seen.insert(word.clone()));
    words.reverse();
    words
}

/// The text as one, for what is compared as a whole: `MUG-S/01` is `mug s 01`.
pub(super) fn whole(text: &str) -> String {
    let mut whole = String::new();
    each_run(text, |run| {
        if !whole.is_empty() {
            whole.push(' ');
        }
        whole.push_str(run);
    });
    whole
}

/// Hands out what stands between spaces, punctuation and symbols, folded.
fn each_run(text: &str, mut hand_out: impl FnMut(&str)) {
    let mut plain = String::new();
    for run in text.split(|letter| !is_letter(letter)) {
        plain.clear();
        if run.is_ascii() {
            plain.push_str(cut(run));
            plain.make_ascii_lowercase();
        } else {
            fold(run, &mut plain);
        }
        // What one letter stands for may be several words.
        let runs = plain.split(|letter| !is_letter(letter)).map(cut);
        runs.filter(|run| !run.is_empty()).for_each(&mut hand_out);
    }
}

fn is_letter(letter: char) -> bool {
    letter.is_alphanumeric() || is_combining_mark(letter)
}

fn cut(word: &str) -> &str {
    let end = word.char_indices().nth(LONGEST);
    end.map_or(word, |(end, _)| &word[..end])
}

fn fold(run: &str, folded: &mut String) {
    let lower = run.nfkd().flat_map(char::to_lowercase).nfkd();
    for letter in lower.filter(|letter| !is_accent(*letter)).nfc() {
        match letter {
            'ß' => folded.push_str("ss"),
            'æ' => folded.push_str("ae"),
            'œ' => folded.push_str("oe"),
            'þ' => folded.push_str("th"),
            'ø' => folded.push('o'),
            'ð' | 'đ' => folded.push('d'),
            'ł' => folded.push('l'),
            'ı' => folded.push('i'),
            'ς' => folded.push('σ'),
            letter => folded.push(letter),
        }
    }
}

/// Marks that people leave out when they search. Those of the scripts of India and others are
/// vowels and stay.
fn is_accent(letter: char) -> bool {
    matches!(
        letter,
        '\u{300}'..='\u{36f}' | '\u{1ab0}'..='\u{1aff}' | '\u{1dc0}'..='\u{1dff}'
            | '\u{591}'..='\u{5c7}' | '\u{610}'..='\u{61a}' | '\u{64b}'..='\u{65f}' | '\u{670}'
    )
}

/// Scripts that put no spaces between words: Thai to Myanmar, Khmer, kana, Han.
const DENSE: [RangeInclusive<char>; 7] = [
    '\u{e00}'..='\u{eff}',
    '\u{1000}'..='\u{109f}',
    '\u{1780}'..='\u{17ff}',
    '\u{3040}'..='\u{30ff}',
    '\u{3400}'..='\u{9fff}',
    '\u{f900}'..='\u{faff}',
    '\u{20000}'..='\u{3ffff}',
];

fn is_dense(letter: char) -> bool {
    letter >= '\u{e00}' && DENSE.iter().any(|script| script.contains(&letter))
}

/// A piece of a run.
enum Part<'a> {
    Word(&'a str),
    /// Words that are not set apart.
    Dense(&'a [char]),
}

fn each_part(run: &str, mut hand_out: impl FnMut(Part<'_>)) {
    if run.is_ascii() || !run.contains(is_dense) {
        return hand_out(Part::Word(run));
    }
    let letters: Vec<char> = run.chars().collect();
    for part in letters.chunk_by(|a, b| is_dense(*a) == is_dense(*b)) {
        match part {
            [first, ..] if is_dense(*first) => hand_out(Part::Dense(part)),
            _ => hand_out(Part::Word(&String::from_iter(part))),
        }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The words that are kept of a text.
    pub(crate) fn kept(text: &str) -> Vec<String> {
        let mut words = String::new();
        keep(text, &mut words);
        words.split_terminator(' ').map(ToOwned::to_owned).collect()
    }

    #[test]
    fn words_are_set_apart_by_what_is_no_letter() {
        assert_eq!(
            kept("Blue mug, 2-pack (0.5l)"),
            ["blue", "mug", "2", "pack", "0", "5l"]
        );
        assert_eq!(
            kept("L'eau \"douce\": +title:*"),
            ["l", "eau", "douce", "title"]
        );
        assert_eq!(kept(" \t—… ☕ "), [""; 0]);
    }

    #[test]
    fn case_accents_and_ligatures_are_gone() {
        for (text, word) in [
            ("ÉTAGÈRE", "etagere"),
            ("e\u{301}tage\u{300}re", "etagere"),
            ("Straße", "strasse"),
            ("STRASSE", "strasse"),
            ("Smørrebrød", "smorrebrod"),
            ("Łódź", "lodz"),
            ("İstanbul", "istanbul"),
            ("ﬁnest", "finest"),
            ("Œuvre", "oeuvre"),
            ("Ёлка", "елка"),
            ("ΟΔΟΣ", "οδοσ"),
            ("οδός", "οδοσ"),
            ("ｍｕｇ", "mug"),
            ("커피", "커피"),
        ] {
            assert_eq!(kept(text), [word], "{text}");
            assert_eq!(asked(text), [word], "{text}");
        }
        assert_ne!(kept("कि"), kept("का"), "vowels stay");
    }

    #[test]
    fn scripts_without_spaces_are_found_from_any_letter_on() {
        assert_eq!(kept("東京タワー"), ["東京", "京タ", "タワ", "ワー", "ー"]);
        assert_eq!(asked("京タ"), ["京タ"]);
        assert_eq!(asked("京"), ["京"]);
        assert_eq!(
            kept("iPhone用ケース"),
            ["iphone", "用ケ", "ケー", "ース", "ス"]
        );
        let kept = kept("คอมพิวเตอร์");
        assert!(asked("พิว").iter().all(|word| kept.contains(word)));
    }

    #[test]
    fn a_query_asks_once_for_each_word_and_keeps_the_last_one_last() {
        assert_eq!(asked("mug blue Mug"), ["blue", "mug"]);
    }

    #[test]
    fn codes_are_compared_as_a_whole() {
        assert_eq!(whole("MUG-S/01"), "mug s 01");
        assert_eq!(whole(" mug s 01"), "mug s 01");
    }

    #[test]
    fn long_words_are_cut() {
        assert_eq!(kept(&"ab".repeat(50)), ["ab".repeat(20)]);
        assert_eq!(kept(&"é".repeat(50)), ["e".repeat(40)]);
    }

    proptest! {
        #[test]
        fn any_text_has_words_without_spaces_that_find_it(text: String) {
            let kept = kept(&text);
            let space = |word: &String| word.is_empty() || word.contains(char::is_whitespace);
            prop_assert!(!kept.iter().any(space), "{kept:?}");
            prop_assert!(kept.iter().all(|word| word.chars().count() <= LONGEST));
            for word in asked(&text) {
                prop_assert!(kept.iter().any(|kept| kept.starts_with(&word)), "{word} in {kept:?}");
            }
        }

        #[test]
        fn folding_again_changes_nothing(text: String) {
            let once = kept(&text).join(" ");
            prop_assert_eq!(whole(&once), once);
        }
    }
}
