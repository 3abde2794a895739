//! The cell that says which categories a product is in: `Home > Kitchen > Mugs`, and several such
//! paths with `;` between them. A backslash takes away the meaning of what follows.

use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::is_combining_mark;

const STEP: char = '>';
const PATH: char = ';';
const ESCAPE: char = '\\';
const LONGEST_SLUG: usize = 120;

/// The names of categories from the top down.
pub(crate) type CategoryPath = Vec<String>;

/// Reads the cell.
pub(crate) fn read(cell: &str) -> Vec<CategoryPath> {
    let (mut paths, mut path, mut step) = (Vec::new(), Vec::new(), String::new());
    let end_step = |step: &mut String, path: &mut CategoryPath| {
        let name = step.trim();
        if !name.is_empty() {
            path.push(name.to_owned());
        }
        step.clear();
    };
    let mut letters = cell.chars().peekable();
    while let Some(letter) = letters.next() {
        match letter {
            STEP => end_step(&mut step, &mut path),
            PATH => {
                end_step(&mut step, &mut path);
                paths.push(std::mem::take(&mut path));
            }
            ESCAPE => {
                let escaped = letters.next_if(|next| matches!(*next, STEP | PATH | ESCAPE));
                step.push(escaped.unwrap_or(ESCAPE));
            }
            letter => step.push(letter),
        }
    }
    end_step(&mut step, &mut path);
    paths.push(path);
    let mut distinct: Vec<CategoryPath> = Vec::with_capacity(paths.len());
    for path in paths {
        if !path.is_empty() && !distinct.contains(&path) {
            distinct.push(path);
        }
    }
    distinct
}

/// Writes the cell.
pub(crate) fn write(paths: &[CategoryPath]) -> String {
    let path = |path: &CategoryPath| {
        let steps: Vec<String> = path.iter().map(|name| escaped(name)).collect();
        steps.join(" > ")
    };
    let paths: Vec<String> = paths.iter().map(path).collect();
    paths.join("; ")
}

fn escaped(name: &str) -> String {
    let mut text = String::with_capacity(name.len());
    for letter in name.chars() {
        if matches!(letter, STEP | PATH | ESCAPE) {
            text.push(ESCAPE);
        }
        text.push(letter);
    }
    text
}

/// The slug that a name suggests: its letters and digits in lower case and without accents, with
/// hyphens for the rest. Letters that are not Latin are written as their numbers.
pub(crate) fn slug(name: &str) -> String {
    let mut words: Vec<String> = vec![String::new()];
    for letter in name.nfkd().filter(|letter| !is_combining_mark(*letter)) {
        let last = words.last_mut().expect("there is one from the beginning");
        if letter.is_ascii_alphanumeric() {
            last.push(letter.to_ascii_lowercase());
        } else if letter.is_alphanumeric() {
            words.push(format!("{:x}", u32::from(letter)));
            words.push(String::new());
        } else if !matches!(letter, '\'' | '’') && !last.is_empty() {
            words.push(String::new());
        }
    }
    words.retain(|word| !word.is_empty());
    let mut slug = words.join("-");
    slug.truncate(LONGEST_SLUG);
    slug.truncate(slug.trim_end_matches('-').len());
    if slug.is_empty() {
        slug.push('x');
    }
    slug
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn path(names: &[&str]) -> CategoryPath {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    #[test]
    fn paths_are_read() {
        let mugs = path(&["Home", "Kitchen", "Mugs"]);
        for cell in ["Home > Kitchen > Mugs", "Home>Kitchen >Mugs > ;"] {
            assert_eq!(read(cell), std::slice::from_ref(&mugs), "{cell}");
        }
        assert_eq!(
            read("Home > Kitchen > Mugs; Gifts;Gifts"),
            [mugs, path(&["Gifts"])]
        );
        assert_eq!(
            read(r"Sizes \> 40; C:\New\; Old"),
            [path(&["Sizes > 40"]), path(&[r"C:\New; Old"])]
        );
        assert!(read(" > ;; ").is_empty());
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(names in prop::collection::vec("[a-c>;\\\\ ]{1,6}", 1..4)) {
            let names: CategoryPath = names.iter().map(|name| name.trim().to_owned()).collect();
            prop_assume!(names.iter().all(|name| !name.is_empty()));
            prop_assert_eq!(read(&write(std::slice::from_ref(&names))), [names]);
        }

        #[test]
        fn slugs_are_slugs(name: String) {
            prop_assert!(crate::rules::is_slug(&slug(&name)), "{}", slug(&name));
        }
    }

    #[test]
    fn slugs_keep_what_can_be_typed() {
        assert_eq!(slug("Käse & Brot"), "kase-brot");
        assert_eq!(slug("Children's  Books"), "childrens-books");
        assert_eq!(slug("食器"), "98df-5668");
        assert_eq!(slug("&"), "x");
    }
}
