use super::Outcome;
use super::closing::{Closing, Counts};

/// What the suite adds to the sum: passed, failed.
fn sum(closing: Closing, output: &str, ok: bool) -> (u32, u32) {
    let Counts { passed, failed, .. } = Outcome::new(Some(closing), output, ok).counts();
    (passed, failed)
}

#[test]
fn cargo_reports_one_line_per_binary() {
    let output = "test result: ok. 3 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.00s\n\
                  test a::passed ... ok\n\
                  test result: FAILED. 4 passed; 2 failed; 0 ignored; 0 measured; 0 filtered out; finished in 1.20s\n";
    assert_eq!(sum(Closing::Cargo, output, false), (7, 2));
}

#[test]
fn vitest_reports_in_colour() {
    let output = " \u{1b}[2m Test Files \u{1b}[22m \u{1b}[1m\u{1b}[32m2 passed\u{1b}[39m\u{1b}[22m (2)\n\
                  \u{1b}[2m      Tests \u{1b}[22m \u{1b}[1m\u{1b}[31m1 failed\u{1b}[39m\u{1b}[22m | \u{1b}[32m12 passed\u{1b}[39m (13)\n";
    assert_eq!(sum(Closing::Vitest, output, false), (12, 1));
}

#[test]
fn node_reports_a_group_of_lines() {
    let spec = "✔ joins (3ms)\nℹ tests 4\nℹ suites 0\nℹ pass 3\nℹ fail 0\nℹ cancelled 1\nℹ skipped 0\nℹ todo 0\n";
    assert_eq!(sum(Closing::Node, spec, false), (3, 1));
    let tap = "ok 1 - joins\n# tests 2\n# pass 2\n# fail 0\n";
    assert_eq!(sum(Closing::Node, tap, true), (2, 0));
}

#[test]
fn a_suite_that_cannot_be_read_has_failed() {
    assert_eq!(
        sum(Closing::Cargo, "error: could not compile\n", false),
        (0, 1)
    );
    assert_eq!(sum(Closing::Node, "", true), (0, 1));
    assert_eq!(
        sum(
            Closing::Cargo,
            "test result: ok. 0 passed; 0 failed; 0 ignored\n",
            true
        ),
        (0, 1)
    );
}

#[test]
fn a_suite_that_ends_badly_has_failed_though_its_tests_passed() {
    let output = "test result: ok. 3 passed; 0 failed; 0 ignored\nerror: 1 target failed\n";
    assert_eq!(sum(Closing::Cargo, output, false), (3, 1));
}

#[test]
fn a_step_counts_only_when_it_fails() {
    assert_eq!(Outcome::new(None, "", true).counts(), Counts::default());
    assert_eq!(
        Outcome::new(None, "", false).counts(),
        Counts {
            failed: 1,
            ..Counts::default()
        }
    );
}

#[test]
fn a_suite_that_cannot_be_started_has_failed() {
    assert_eq!(
        Outcome::NotRun.counts(),
        Counts {
            failed: 1,
            ..Counts::default()
        }
    );
}
