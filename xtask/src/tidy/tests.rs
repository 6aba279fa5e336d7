use super::{Finding, Tree};
use std::path::Path;
use std::process::Command;

/// A repository with these files, and the rules it breaks: `path:line rule`, in order.
fn broken(files: &[(&str, &str)]) -> Vec<String> {
    let root = plant(files);
    let findings =
        super::check(&Tree::read(root.path()).expect("a readable tree")).expect("a checkable tree");
    findings
        .iter()
        .map(
            |Finding {
                 path, line, rule, ..
             }| format!("{path}:{line} {rule}"),
        )
        .collect()
}

fn plant(files: &[(&str, &str)]) -> tempfile::TempDir {
    let root = tempfile::tempdir().expect("a temporary folder");
    let git = Command::new("git")
        .args(["init", "--quiet"])
        .current_dir(root.path())
        .status()
        .expect("git runs");
    assert!(git.success());
    if !files.iter().any(|(path, _)| *path == "Cargo.toml") {
        write(root.path(), "Cargo.toml", "[workspace]\nmembers = []\n");
    }
    for (path, text) in files {
        write(root.path(), path, text);
    }
    root
}

fn write(root: &Path, path: &str, text: &str) {
    let path = root.join(path);
    std::fs::create_dir_all(path.parent().expect("a file has a folder")).expect("a folder");
    std::fs::write(path, text).expect("a file");
}

/// Member crates with their manifests after `[package]`.
fn workspace(members: &[(&str, &str, &str)]) -> Vec<String> {
    let folders: Vec<String> = members
        .iter()
        .map(|(folder, ..)| format!("\"{folder}\""))
        .collect();
    let root = format!(
        "[workspace]\nresolver = \"3\"\nmembers = [{}]\n{LINTS}",
        folders.join(", ")
    );
    let mut files = vec![
        ("Cargo.toml".to_owned(), root),
        ("clippy-sans-io.toml".to_owned(), "# strict\n".to_owned()),
    ];
    for (folder, name, rest) in members {
        let manifest = format!(
            "[package]\nname = \"{name}\"\nversion = \"0.1.0\"\nedition = \"2024\"\n[lints]\nworkspace = true\n{rest}"
        );
        files.push((format!("{folder}/Cargo.toml"), manifest));
        files.push((format!("{folder}/src/lib.rs"), String::new()));
        files.push((format!("{folder}/clippy.toml"), "# strict\n".to_owned()));
    }
    let files: Vec<(&str, &str)> = files
        .iter()
        .map(|(path, text)| (path.as_str(), text.as_str()))
        .collect();
    broken(&files)
}

/// The part of a workspace manifest that members inherit.
const LINTS: &str = "[workspace.lints.rust]\nunsafe_code = \"forbid\"\n";
const NOTHING: [&str; 0] = [];

#[test]
fn a_clean_tree_has_no_findings() {
    let members = [
        (
            "crates/sfu",
            "madang-sfu",
            "[dependencies]\nbytes = \"1\"\n",
        ),
        (
            "crates/signalling",
            "madang-signalling",
            "[dependencies]\nmadang-sfu = { path = \"../sfu\" }\nserde = \"1\"\n",
        ),
        (
            "crates/server",
            "madang",
            "[dependencies]\nmadang-sfu = { path = \"../sfu\" }\ntokio = \"1\"\n",
        ),
    ];
    assert_eq!(workspace(&members), NOTHING);
}

#[test]
fn the_core_imports_nothing_of_ours() {
    let members = [
        (
            "crates/sfu",
            "madang-sfu",
            "[dependencies]\nmadang-signalling = { path = \"../signalling\" }\n",
        ),
        ("crates/signalling", "madang-signalling", ""),
    ];
    assert_eq!(workspace(&members), ["crates/sfu/Cargo.toml:8 edges"]);
}

#[test]
fn edges_of_tests_count_too() {
    let members = [
        (
            "crates/client",
            "madang-client",
            "[dev-dependencies]\nmadang = { path = \"../server\" }\n",
        ),
        (
            "crates/server",
            "madang",
            "[dev-dependencies]\nmadang-client = { path = \"../client\" }\n",
        ),
    ];
    assert_eq!(workspace(&members), ["crates/client/Cargo.toml:8 edges"]);
}

#[test]
fn sans_io_crates_have_no_runtime_randomness_or_wire_format() {
    let members = [
        (
            "crates/sfu",
            "madang-sfu",
            "[dependencies]\nserde_json = \"1\"\n[dev-dependencies]\ntokio = \"1\"\n",
        ),
        (
            "crates/turn",
            "madang-turn",
            "[dependencies]\nbytes = \"1\"\ngetrandom = \"0.4\"\n",
        ),
        (
            "crates/signalling",
            "madang-signalling",
            "[dependencies]\ntokio-util = \"1\"\n",
        ),
    ];
    let found = workspace(&members);
    let expected = [
        "crates/sfu/Cargo.toml:10 edges",
        "crates/sfu/Cargo.toml:8 edges",
        "crates/signalling/Cargo.toml:8 edges",
        "crates/turn/Cargo.toml:9 edges",
    ];
    let mut sorted = found.clone();
    sorted.sort();
    assert_eq!(sorted, expected, "{found:?}");
}

#[test]
fn the_server_reaches_the_media_engine_through_the_core_only() {
    assert_eq!(
        workspace(&[(
            "crates/server",
            "madang",
            "[dependencies]\nstr0m = \"0.25\"\n"
        )]),
        ["crates/server/Cargo.toml:8 edges"]
    );
}

#[test]
fn an_unknown_crate_must_enter_the_table() {
    assert_eq!(
        workspace(&[("crates/core", "madang-core", "")]),
        ["crates/core/Cargo.toml:1 edges"]
    );
}

#[test]
fn str0m_stays_in_its_module() {
    let import = "use str0m::Rtc;\n";
    assert_eq!(
        broken(&[("crates/sfu/src/connection/rtc.rs", import)]),
        NOTHING
    );
    assert_eq!(
        broken(&[("crates/sfu/src/room.rs", "// str0m is named in a comment\n")]),
        NOTHING
    );
    assert_eq!(broken(&[("crates/sfu/src/room/tests.rs", import)]), NOTHING);
    assert_eq!(
        broken(&[("crates/sfu/src/room.rs", import)]),
        ["crates/sfu/src/room.rs:1 str0m-home"]
    );
    let inline = "fn f() {\n    let _rtc = str0m::Rtc::builder();\n}\n";
    assert_eq!(
        broken(&[("crates/server/src/shard.rs", inline)]),
        ["crates/server/src/shard.rs:2 str0m-home"]
    );
}

#[test]
fn the_program_alone_has_the_client() {
    let import = "use madang_client::Peer;\n";
    assert_eq!(broken(&[("crates/server/src/main.rs", import)]), NOTHING);
    assert_eq!(broken(&[("crates/server/tests/it/a.rs", import)]), NOTHING);
    assert_eq!(
        broken(&[("crates/server/src/app.rs", import)]),
        ["crates/server/src/app.rs:1 client-in-main"]
    );
}

#[test]
fn the_core_names_no_dialect() {
    let path = "crates/sfu/src/api.rs";
    for text in [
        "// what LiveKit calls a sid\n",
        "struct WhipSession;\n",
        "const A: &str = \"ertc\";\n",
        "fn spider_leg() {}\n",
        "// a Socket.IO event\n",
    ] {
        assert_eq!(
            broken(&[(path, text)]),
            ["crates/sfu/src/api.rs:1 dialect-blind"],
            "{text}"
        );
    }
    for text in [
        "struct InsertCandidate;\n",
        "// an advert component\n",
        "fn whipped() {}\n",
    ] {
        assert_eq!(broken(&[(path, text)]), NOTHING, "{text}");
    }
}

#[test]
fn what_dialects_share_names_none_of_them() {
    for (path, text) in [
        ("objects.rs", "// as Kurento has it\n"),
        ("objects/tests.rs", "const A: &str = \"WebRtcEndpoint\";\n"),
        ("jsonrpc.rs", "fn media_pipeline() {}\nfn spider() {}\n"),
    ] {
        let path = format!("crates/signalling/src/{path}");
        let line = text.lines().count();
        assert_eq!(
            broken(&[(&path, text)]),
            [format!("{path}:{line} dialect-blind")],
            "{text}"
        );
    }
    let door = "// as Kurento has it\nuse crate::objects::Objects;\n";
    assert_eq!(broken(&[("crates/signalling/src/door.rs", door)]), NOTHING);
}

#[test]
fn what_dialects_share_looks_down_only() {
    let path = "crates/signalling/src/objects.rs";
    let tests = "crates/signalling/src/objects/tests.rs";
    let below = "use crate::jsonrpc::{self, Call};\nuse crate::Frame;\npub(crate) struct A;\n";
    assert_eq!(broken(&[(path, below)]), NOTHING);
    assert_eq!(
        broken(&[(tests, "use super::Id;\nuse crate::testing::now;\n")]),
        NOTHING
    );
    for text in [
        "use crate::switchboard::Output;\n",
        "use crate::testing::now;\n",
        "type A = crate::door::Place;\n",
        "use super::switchboard::Output;\n",
    ] {
        assert_eq!(
            broken(&[(path, text)]),
            ["crates/signalling/src/objects.rs:1 downwards"],
            "{text}"
        );
    }
}

#[test]
fn a_dialect_sees_the_api_of_the_core_alone() {
    let path = "crates/signalling/src/spider.rs";
    assert_eq!(
        broken(&[(path, "use madang_sfu::api::{Event, Now};\n")]),
        NOTHING
    );
    for text in [
        "use madang_sfu::Sfu;\n",
        "use madang_sfu::{Sfu, api::Event};\n",
        "type A = madang_sfu::Counters;\n",
    ] {
        assert_eq!(
            broken(&[(path, text)]),
            ["crates/signalling/src/spider.rs:1 api-only"],
            "{text}"
        );
    }
}

#[test]
fn files_have_at_most_800_lines_without_tests() {
    let code = "const A: u8 = 1;\n".repeat(799);
    let tests = format!(
        "#[cfg(test)]\nmod tests {{\n{}}}\n",
        "    const B: u8 = 1;\n".repeat(50)
    );
    assert_eq!(
        broken(&[("crates/server/src/a.rs", &format!("{code}{tests}"))]),
        NOTHING
    );
    assert_eq!(
        broken(&[("crates/server/src/a/tests.rs", &code.repeat(2))]),
        NOTHING
    );
    let long = "export const a = 1;\n".repeat(801);
    assert_eq!(
        broken(&[("web/src/a.ts", &long)]),
        ["web/src/a.ts:1 length"]
    );
    assert_eq!(broken(&[("web/src/a.test.ts", &long)]), NOTHING);
}

#[test]
fn functions_have_at_most_70_lines_of_code() {
    let function = |lines: usize| {
        format!(
            "fn f() {{\n    // why\n\n{}}}\n",
            "    g();\n".repeat(lines)
        )
    };
    assert_eq!(
        broken(&[("crates/server/src/a.rs", &function(70))]),
        NOTHING
    );
    assert_eq!(
        broken(&[("crates/server/src/a.rs", &function(71))]),
        ["crates/server/src/a.rs:1 length"]
    );
    let method = format!("struct A;\nimpl A {{\n{}}}\n", function(71));
    assert_eq!(
        broken(&[("crates/server/src/a.rs", &method)]),
        ["crates/server/src/a.rs:3 length"]
    );
}

#[test]
fn a_dialect_has_at_most_500_lines_over_all_of_its_files() {
    let lines = |count: usize| "const A: u8 = 1;\n".repeat(count);
    let door = |own: usize, words: usize, ratchet: &str| {
        broken(&[
            ("crates/signalling/src/spider.rs", &lines(own)),
            ("crates/signalling/src/spider/words.rs", &lines(words)),
            ("crates/signalling/src/spider/tests.rs", &lines(700)),
            ("crates/signalling/src/door.rs", &lines(300)),
            ("xtask/ratchet.txt", ratchet),
        ])
    };
    assert_eq!(door(420, 80, ""), NOTHING);
    assert_eq!(
        door(420, 81, ""),
        ["crates/signalling/src/spider.rs:1 length"]
    );
    let entry = "dialect crates/signalling/src/spider 501\n";
    assert_eq!(door(420, 81, entry), NOTHING);
    assert_eq!(door(419, 81, entry), ["xtask/ratchet.txt:1 length"]);
}

#[test]
fn sentences_have_transcripts_and_stand_in_the_documents() {
    let code = "fn f(name: &str) {\n    end(\"the door is shut\");\n    end(&format!(\"{name} is not allowed\"));\n    g().expect(\"it holds\");\n}\n";
    let shared = "#[error(\"room is full\")]\nstruct A;\n/// a comment\nstruct B;\n";
    let door = |transcript: &str, document: &str| {
        broken(&[
            ("crates/signalling/src/spider.rs", code),
            ("crates/signalling/src/door.rs", shared),
            (
                "crates/signalling/tests/transcripts/spider/a.txt",
                transcript,
            ),
            ("docs/protocols/spider.md", document),
        ])
    };
    let transcript = "a> the door is shut\na> Kim is not allowed\na> room is full\n";
    let document = "`the door is shut`\n`… is not allowed`\n```\na> the door is shut\n\na> …m is not allowed\n```\n";
    assert_eq!(door(transcript, document), NOTHING);
    assert_eq!(
        door("a> the door is shut\na> Kim is not allowed\n", document),
        ["crates/signalling/src/door.rs:1 transcripts"]
    );
    assert_eq!(
        door(
            "a> the door is shut\na> room is full\n",
            "`the door is shut`, ` is not allowed`\n"
        ),
        ["crates/signalling/src/spider.rs:3 transcripts"]
    );
    assert_eq!(
        door(transcript, "` is not allowed`\n"),
        ["crates/signalling/src/spider.rs:2 transcripts"]
    );
    let ground = |sentence: &str| {
        broken(&[
            (
                "crates/signalling/src/objects.rs",
                "const A: &str = \"too many things\";\n",
            ),
            (
                "crates/signalling/tests/transcripts/kurento/a.txt",
                sentence,
            ),
            ("docs/protocols/kurento.md", sentence),
        ])
    };
    assert_eq!(ground("too many things\n"), NOTHING);
    assert_eq!(
        ground("too many others\n"),
        [
            "crates/signalling/src/objects.rs:1 transcripts",
            "crates/signalling/src/objects.rs:1 transcripts"
        ]
    );
    let quotes =
        "`the door is shut`, ` is not allowed`\n```\na> the door\na> Lee is…allowed\n```\n";
    assert_eq!(
        door(transcript, &quotes.replace(", ", "\n")),
        [
            "docs/protocols/spider.md:4 transcripts",
            "docs/protocols/spider.md:5 transcripts"
        ]
    );
}

#[test]
fn the_ratchet_only_goes_down() {
    let function = format!("fn f() {{\n{}}}\n", "    g();\n".repeat(80));
    let with = |entry: &str| {
        broken(&[
            ("crates/server/src/a.rs", &function),
            ("xtask/ratchet.txt", entry),
        ])
    };
    assert_eq!(with("fn crates/server/src/a.rs f 80\n"), NOTHING);
    assert_eq!(
        with("fn crates/server/src/a.rs f 79\n"),
        ["crates/server/src/a.rs:1 length"]
    );
    assert_eq!(
        with("fn crates/server/src/a.rs f 81\n"),
        ["xtask/ratchet.txt:1 length"]
    );
    assert_eq!(
        with("fn crates/server/src/a.rs f 80\nfn gone.rs g 90\n"),
        ["xtask/ratchet.txt:1 length"]
    );
    assert_eq!(
        with("fn crates/server/src/a.rs f 80\nsomething else\n"),
        ["xtask/ratchet.txt:2 length"]
    );
}

#[test]
fn lowering_drops_what_is_not_needed_and_raises_nothing() {
    let entries =
        "fn crates/server/src/a.rs f 90\nfn crates/server/src/a.rs g 75\nfn gone.rs h 90\n";
    let body = |lines: usize| "    g();\n".repeat(lines);
    let code = format!("fn f() {{\n{}}}\nfn g() {{\n{}}}\n", body(80), body(78));
    let root = plant(&[
        ("crates/server/src/a.rs", &code),
        ("xtask/ratchet.txt", entries),
    ]);
    super::length::lower(&Tree::read(root.path()).expect("a readable tree"))
        .expect("a writable ratchet");
    let text = std::fs::read_to_string(root.path().join("xtask/ratchet.txt")).expect("the ratchet");
    let kept: Vec<&str> = text.lines().filter(|line| !line.starts_with('#')).collect();
    assert_eq!(
        kept,
        [
            "fn crates/server/src/a.rs f 80",
            "fn crates/server/src/a.rs g 75"
        ]
    );
}

#[test]
fn nothing_unfinished_is_committed() {
    let marks = [
        concat!("FIX", "ME"),
        concat!("TO", "DO"),
        concat!("to", "do!()"),
        concat!("unimpl", "emented!()"),
    ];
    for mark in marks {
        assert_eq!(
            broken(&[("web/src/a.ts", &format!("// {mark} later\n"))]),
            ["web/src/a.ts:1 finished"],
            "{mark}"
        );
    }
    assert_eq!(
        broken(&[("web/src/a.ts", "const TODOS = mastodon;\n")]),
        NOTHING
    );
}

#[test]
fn sans_io_crates_do_not_sleep() {
    let test = "#[test]\nfn t() {\n    std::thread::sleep(LONG);\n}\n";
    assert_eq!(
        broken(&[("crates/netsim/tests/it/main.rs", test)]),
        ["crates/netsim/tests/it/main.rs:3 no-sleep"]
    );
    assert_eq!(
        broken(&[("crates/sfu/src/a/tests.rs", "// may sleep for ever\n")]),
        NOTHING
    );
    assert_eq!(broken(&[("crates/server/tests/it/main.rs", test)]), NOTHING);
}

#[test]
fn a_dialect_decides_every_event() {
    let path = "crates/signalling/src/spider.rs";
    let over = |pattern: &str, arm: &str| {
        format!(
            "fn f(e: Option<Event>) {{\n    match e {{\n        {pattern} => {{}}\n        {arm} => {{}}\n    }}\n}}\n"
        )
    };
    for (pattern, arm) in [
        ("Event::Joined { .. }", "_"),
        ("Event::Joined { .. }", "other"),
        ("api::Event::Closed(_)", "Event::Left | _"),
        ("Some(Event::Closed(_))", "Some(_) | None"),
        ("(State::New, Event::Closed(_))", "(_, _)"),
    ] {
        assert_eq!(
            broken(&[(path, &over(pattern, arm))]),
            ["crates/signalling/src/spider.rs:4 events"],
            "{pattern} {arm}"
        );
    }
    assert_eq!(
        broken(&[(
            path,
            &over("Event::Joined { .. }", "Event::Left | Event::Closed(_)")
        )]),
        NOTHING
    );
    assert_eq!(broken(&[(path, &over("Frame::Text(_)", "_"))]), NOTHING);
    assert_eq!(
        broken(&[(path, "use madang_sfu::api::Event::*;\n")]),
        ["crates/signalling/src/spider.rs:1 events"]
    );
}

#[test]
fn no_path_of_a_machine() {
    for text in [
        concat!("cd /ho", "me/kim/madang\n"),
        concat!("see `/ro", "ot/x`\n"),
        concat!("/wo", "rk/main\n"),
    ] {
        assert_eq!(
            broken(&[("docs/a.md", text)]),
            ["docs/a.md:1 machine-paths"],
            "{text}"
        );
    }
    assert_eq!(
        broken(&[(
            "docs/a.md",
            concat!("https://example.org/ho", "me/kim and ./wo", "rk/x\n")
        )]),
        NOTHING
    );
}

#[test]
fn locks_name_public_registries_only() {
    let lock = "{\n  \"resolved\": \"https://mirror.example/a.tgz\",\n  \"resolved\": \"https://registry.npmjs.org/a.tgz\",\n}\n";
    assert_eq!(
        broken(&[("web/package-lock.json", lock)]),
        ["web/package-lock.json:2 registry"]
    );
    // Of a folder only if there is a package in it.
    let lock = "{\n  \"resolved\": \"ours/a\",\n  \"resolved\": \"ours/b\",\n}\n";
    assert_eq!(
        broken(&[
            ("web/package-lock.json", lock),
            ("web/ours/a/package.json", "{}")
        ]),
        ["web/package-lock.json:3 registry"]
    );
    let lock = "[[package]]\nsource = \"git+https://github.com/a/b\"\n";
    assert_eq!(
        broken(&[("fuzz/Cargo.lock", lock)]),
        ["fuzz/Cargo.lock:2 registry"]
    );
}

#[test]
fn a_crate_inherits_the_lints() {
    let root = ("Cargo.toml", "[workspace]\nmembers = [\"crates/client\"]\n");
    let manifest = "[package]\nname = \"madang-client\"\nversion = \"0.1.0\"\nedition = \"2024\"\n";
    let files = [
        root,
        ("crates/client/Cargo.toml", manifest),
        ("crates/client/src/lib.rs", ""),
    ];
    assert_eq!(broken(&files), ["crates/client/Cargo.toml:1 lints"]);
}

#[test]
fn sans_io_crates_carry_the_strict_clippy_file() {
    let root = format!("[workspace]\nmembers = [\"crates/sfu\"]\n{LINTS}");
    let root = ("Cargo.toml", root.as_str());
    let manifest = "[package]\nname = \"madang-sfu\"\nversion = \"0.1.0\"\nedition = \"2024\"\n[lints]\nworkspace = true\n";
    let files = [
        root,
        ("crates/sfu/Cargo.toml", manifest),
        ("crates/sfu/src/lib.rs", ""),
        ("clippy-sans-io.toml", "# strict\n"),
    ];
    assert_eq!(broken(&files), ["crates/sfu/Cargo.toml:1 sans-io-clippy"]);
}

#[test]
fn one_test_binary_per_crate() {
    assert_eq!(broken(&[("crates/server/tests/it/main.rs", "")]), NOTHING);
    assert_eq!(
        broken(&[("crates/server/tests/udp.rs", "")]),
        ["crates/server/tests/udp.rs:1 test-binary"]
    );
    assert_eq!(
        broken(&[("crates/server/tests/more/main.rs", "")]),
        ["crates/server/tests/more/main.rs:1 test-binary"]
    );
}

#[test]
fn architecture_stays_short() {
    assert_eq!(
        broken(&[("ARCHITECTURE.md", &"line\n".repeat(301))]),
        ["ARCHITECTURE.md:1 architecture"]
    );
}

#[test]
fn links_of_documents_lead_somewhere() {
    let there = ("docs/there.md", "text\n");
    let good =
        "[a](there.md), [b](there.md#part), [c](../docs), [d](https://example.org/x), [e](#here)\n";
    assert_eq!(broken(&[there, ("docs/a.md", good)]), NOTHING);
    assert_eq!(
        broken(&[there, ("docs/a.md", "text\n[a](there.md) [b](gone.md)\n")]),
        ["docs/a.md:2 links"]
    );
}
