//! Reading the closing lines of test runners.

use std::ops::AddAssign;

/// Whose closing lines to look for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Closing {
    /// `test result: ok. 3 passed; 0 failed; 1 ignored; …`, one per binary.
    Cargo,
    /// `Tests  1 failed | 12 passed | 2 skipped (15)`.
    Vitest,
    /// `ℹ pass 3` or `# pass 3`, and the same for fail, cancelled, skipped; one group per run.
    Node,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    pub(crate) passed: u32,
    pub(crate) failed: u32,
    pub(crate) skipped: u32,
}

impl Closing {
    /// The sum over all closing lines; nothing if there is none, or if they count no test at all.
    pub(crate) fn read(self, output: &str) -> Option<Counts> {
        let mut sum = Counts::default();
        for line in output.lines() {
            let line = without_colours(line);
            let line = line.trim();
            let pairs = match self {
                Closing::Cargo => line
                    .strip_prefix("test result: ")
                    .map(pairs_of_number_and_word),
                Closing::Vitest => line.strip_prefix("Tests ").map(pairs_of_number_and_word),
                Closing::Node => line
                    .strip_prefix("ℹ ")
                    .or(line.strip_prefix("# "))
                    .and_then(pair_of_word_and_number),
            };
            for (count, word) in pairs.unwrap_or_default() {
                sum += match word.as_str() {
                    "passed" | "pass" => Counts {
                        passed: count,
                        ..Counts::default()
                    },
                    "failed" | "fail" | "cancelled" => Counts {
                        failed: count,
                        ..Counts::default()
                    },
                    "skipped" | "ignored" | "todo" => Counts {
                        skipped: count,
                        ..Counts::default()
                    },
                    _ => Counts::default(),
                };
            }
        }
        (sum.passed + sum.failed > 0).then_some(sum)
    }
}

impl AddAssign for Counts {
    fn add_assign(&mut self, other: Counts) {
        self.passed += other.passed;
        self.failed += other.failed;
        self.skipped += other.skipped;
    }
}

/// `ok. 3 passed; 0 failed` and `1 failed | 12 passed (13)`.
fn pairs_of_number_and_word(text: &str) -> Vec<(u32, String)> {
    let words: Vec<&str> = text
        .split(|c: char| c.is_whitespace() || ";|.,()".contains(c))
        .filter(|w| !w.is_empty())
        .collect();
    words
        .windows(2)
        .filter_map(|pair| match pair {
            [number, word] => number
                .parse()
                .ok()
                .map(|number| (number, (*word).to_owned())),
            _ => None,
        })
        .collect()
}

/// `pass 3`, and nothing after it.
fn pair_of_word_and_number(text: &str) -> Option<Vec<(u32, String)>> {
    let (word, number) = text.split_once(' ')?;
    Some(vec![(number.parse().ok()?, word.to_owned())])
}

fn without_colours(line: &str) -> String {
    let mut plain = String::new();
    let mut escaped = false;
    for c in line.chars() {
        match c {
            '\u{1b}' => escaped = true,
            'm' if escaped => escaped = false,
            c if !escaped => plain.push(c),
            _ => {}
        }
    }
    plain
}
