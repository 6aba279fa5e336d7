//! The table: on the terminal, and in the document between its marks.

use std::fmt::Write as _;
use std::fs;

use anyhow::Context as _;

use super::{Comparison, Report};
use crate::{cpu, document};

const MARKS: [&str; 2] = [
    "<!-- turn: written by `make bench-turn` -->\n",
    "<!-- /turn -->\n",
];

pub(super) fn publish(comparison: &Comparison, report: &Report) -> anyhow::Result<()> {
    let table = table(report)?;
    let machine = format!(
        "{}, load average {} at the end",
        cpu::machine(),
        cpu::load()
    );
    println!("\n{table}\n{machine}");
    if comparison.only.is_some() {
        return Ok(());
    }
    let note = comparison
        .note
        .as_ref()
        .map_or(String::new(), |note| format!("Of this run: {note}.\n"));
    let section = format!(
        "{table}\n{note}\
         Machine: {machine}. {rounds} rounds of {milliseconds} ms for each figure, both servers in turns; the medians, and the median of the\n\
         rounds' ratios. Command: `make bench-turn`.\n",
        rounds = comparison.rounds,
        milliseconds = comparison.milliseconds,
    );
    let path = &comparison.document;
    let text =
        fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
    let text = document::replace(&text, MARKS, &section)
        .context("the marks are missing in the document")?;
    fs::write(path, text).with_context(|| format!("cannot write {}", path.display()))
}

fn table(report: &Report) -> anyhow::Result<String> {
    let Report {
        rows,
        facts,
        missing,
    } = report;
    let mut text = String::new();
    writeln!(text, "| | unit | coturn | madang | ratio | at most | |")?;
    writeln!(text, "|---|---|---:|---:|---:|---:|---|")?;
    for row in rows {
        let ratios: Vec<f64> = row
            .ours
            .iter()
            .zip(&row.other)
            .map(|(ours, other)| ours / other)
            .collect();
        let ratio = median(&ratios);
        writeln!(
            text,
            "| {} | {} | {:.2} | {:.2} | **{ratio:.2}** | {:.2} | {} |",
            row.name,
            row.unit,
            median(&row.other),
            median(&row.ours),
            row.bar,
            verdict(ratio, row.bar),
        )?;
    }
    writeln!(text, "\n| | madang | at most | | |")?;
    writeln!(text, "|---|---:|---:|---|---|")?;
    for fact in facts {
        let number = |value: f64| {
            if value < 10.0 {
                format!("{value:.2}")
            } else {
                format!("{value:.0}")
            }
        };
        writeln!(
            text,
            "| {} | **{}** {unit} | {} {unit} | {} | {} |",
            fact.name,
            number(fact.value),
            number(fact.bar),
            verdict(fact.value, fact.bar),
            fact.remark,
            unit = fact.unit,
        )?;
    }
    for missing in missing {
        writeln!(text, "\nNot measured: {missing}.")?;
    }
    Ok(text)
}

fn verdict(value: f64, bar: f64) -> &'static str {
    if value <= bar { "met" } else { "missed" }
}

pub(super) fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted.get(sorted.len() / 2).copied().unwrap_or(f64::NAN)
}
