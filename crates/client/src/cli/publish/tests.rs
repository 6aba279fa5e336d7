use clap::Parser as _;

use super::*;

#[derive(Debug, clap::Parser)]
struct Program {
    #[command(flatten)]
    publish: Publish,
}

fn parsed(line: &str) -> Result<Publish, clap::Error> {
    let words = ["publish", "--spider", "ws://a", "-c", "yard"];
    let words = words.into_iter().chain(line.split_whitespace());
    Program::try_parse_from(words).map(|program| program.publish)
}

#[test]
fn sizes() {
    assert_eq!(parse_size("640x360"), Ok((640, 360)));
    for wrong in [
        "", "640", "640x", "x360", "641x360", "0x0", "-2x2", "99999x2", "640X360",
    ] {
        assert!(parse_size(wrong).is_err(), "{wrong:?}");
    }
}

#[test]
fn one_source_at_most_and_something_at_least() {
    for (line, sources) in [
        ("--test", 1),
        ("-", 1),
        ("- --timed", 1),
        ("--csi", 1),
        ("--camera", 1),
        ("--camera /dev/video2", 1),
        ("--file a.ivf --file b.ogg --loop", 2),
        ("--data metric", 0),
    ] {
        let args = parsed(line).unwrap_or_else(|error| panic!("{line}: {error}"));
        let origins = args
            .origins()
            .unwrap_or_else(|error| panic!("{line}: {error}"));
        assert_eq!(origins.len(), sources, "{line}");
    }
    for line in [
        "--test --csi",
        "--test -",
        "--file a --camera",
        "x.ivf",
        "--test --json",
        "--test --fps 0",
        "--test --size 1x1",
    ] {
        assert!(parsed(line).is_err(), "{line}");
    }
    for line in [
        "",
        "--loop",
        "--test --loop",
        "--file a --timed",
        "- --data a --data-from -",
        "--csi --codec vp8",
    ] {
        let refused = parsed(line).expect("clap lets it pass").origins();
        assert!(matches!(refused, Err(CliError::Usage(_))), "{line}");
    }
}

#[test]
fn lines_come_from_standard_input_where_it_is_free() {
    let from = |line: &str| {
        let args = parsed(line).unwrap_or_else(|error| panic!("{line}: {error}"));
        args.lines_from().map(|path| path.display().to_string())
    };
    assert_eq!(from("--test --data metric").as_deref(), Some("-"));
    assert_eq!(
        from("--test --data metric --data-from x").as_deref(),
        Some("x")
    );
    assert_eq!(from("- --data metric"), None);
    assert_eq!(from("--test"), None);
}
