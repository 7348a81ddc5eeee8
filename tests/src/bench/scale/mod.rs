//! Whether what one costs stays the same where there are many, and what becomes of more than fit.

mod daemon;
mod limits;
mod programs;

use anyhow::Result;

use super::Report;
use crate::netns::Netns;

/// Measures in so many rounds; an error where what is past a limit does not add up.
pub fn run(rounds: usize) -> Result<Report> {
    let netns = Netns::new("scale")?;
    let mut figures = programs::measure(&netns, rounds)?;
    figures.extend(daemon::measure(&netns, rounds)?);
    figures.extend(limits::check(&netns)?);
    Ok(Report {
        title: "scale: what one costs among many, and what is past the limits",
        figures,
    })
}
