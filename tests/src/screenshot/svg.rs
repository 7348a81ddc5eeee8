//! What a terminal shows, as an SVG of text: it can be read, searched and compared.

use std::{fmt::Write as _, num::NonZeroU16};

use vt100::{Cell, Color, Parser, Screen};

/// Of a cell, in pixels; most fonts of one width are 0.6 as wide as they are high.
const WIDTH: f32 = 8.4;
const HEIGHT: f32 = 18.0;
const MARGIN: f32 = 12.0;
const FONT: &str =
    "font-family=\"ui-monospace,SFMono-Regular,Menlo,Consolas,monospace\" font-size=\"14\"";
const BACKGROUND: &str = "#16181d";
const FOREGROUND: &str = "#d5d8df";
/// The eight colours of a terminal.
const COLOURS: [&str; 8] = [
    "#5c6370", "#ff6b6b", "#7bd88f", "#e6c07b", "#61afef", "#c678dd", "#56b6c2", "#d5d8df",
];

/// Draws what was captured with its escape sequences, of so many lines and columns.
pub(super) fn draw(captured: &str, (lines, columns): (u16, u16)) -> String {
    let [high, wide] = [lines, columns].map(|n| NonZeroU16::new(n).unwrap_or(NonZeroU16::MIN));
    let mut parser = Parser::new(high, wide, 0);
    parser.process(
        captured
            .trim_end_matches('\n')
            .replace('\n', "\r\n")
            .as_bytes(),
    );
    let width = f32::from(columns) * WIDTH + 2.0 * MARGIN;
    let height = f32::from(lines) * HEIGHT + 2.0 * MARGIN;
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width:.0} {height:.0}\" {FONT}>\n\
         <rect width=\"100%\" height=\"100%\" rx=\"6\" fill=\"{BACKGROUND}\"/>\n"
    );
    for line in 0..lines {
        svg += &row(parser.screen(), line, columns);
    }
    svg + "</svg>\n"
}

/// Runs of cells that look the same.
fn row(screen: &Screen, line: u16, columns: u16) -> String {
    let mut runs: Vec<(Style, u16, String)> = Vec::new();
    let cells = (0..columns).filter_map(|column| Some((column, screen.cell(line, column)?)));
    for (column, cell) in cells.filter(|(_, cell)| !cell.is_wide_continuation()) {
        let shown = if cell.has_contents() {
            cell.contents()
        } else {
            " "
        };
        match runs.last_mut() {
            Some((style, _, text)) if *style == Style::of(cell) => text.push_str(shown),
            _ => runs.push((Style::of(cell), column, shown.to_owned())),
        }
    }
    let top = f32::from(line) * HEIGHT + MARGIN;
    let seen = |(style, _, text): &&(Style, u16, String)| style.inverse || !text.trim().is_empty();
    runs.iter()
        .filter(seen)
        .map(|run| drawn(run, top))
        .collect()
}

#[derive(Clone, Copy, PartialEq)]
struct Style {
    colour: Color,
    bold: bool,
    inverse: bool,
}

impl Style {
    fn of(cell: &Cell) -> Self {
        Self {
            colour: cell.fgcolor(),
            bold: cell.bold(),
            inverse: cell.inverse(),
        }
    }

    fn fill(&self) -> &'static str {
        match self.colour {
            Color::Idx(index) => COLOURS.get(usize::from(index)).unwrap_or(&FOREGROUND),
            Color::Default | Color::Rgb(..) => FOREGROUND,
        }
    }
}

fn drawn((style, column, text): &(Style, u16, String), top: f32) -> String {
    let left = f32::from(*column) * WIDTH + MARGIN;
    let cells = u16::try_from(text.chars().count()).unwrap_or(u16::MAX);
    let width = f32::from(cells) * WIDTH;
    let (mut svg, mut fill) = (String::new(), style.fill());
    if style.inverse {
        // Writing to a string does not fail.
        let _ = writeln!(
            svg,
            "<rect x=\"{left:.1}\" y=\"{top:.1}\" width=\"{width:.1}\" height=\"{HEIGHT}\" fill=\"{fill}\"/>"
        );
        fill = BACKGROUND;
    }
    let bold = if style.bold {
        " font-weight=\"bold\""
    } else {
        ""
    };
    let base = top + 0.75 * HEIGHT;
    let _ = writeln!(
        svg,
        "<text x=\"{left:.1}\" y=\"{base:.1}\" fill=\"{fill}\"{bold} textLength=\"{width:.1}\" \
         xml:space=\"preserve\">{}</text>",
        escaped(text)
    );
    svg
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_are_drawn_with_their_styles() {
        let svg = draw("\x1b[1;31m! a<b\x1b[0m c\n\x1b[7m> x\x1b[0m\n", (3, 10));
        let texts: Vec<&str> = svg
            .lines()
            .filter(|line| line.starts_with("<text"))
            .collect();
        assert_eq!(texts.len(), 3, "{svg}");
        for (text, parts) in texts.iter().zip([
            ["#ff6b6b\" font-weight=\"bold\"", ">! a&lt;b</text>"],
            ["x=\"54.0\" y=\"25.5\"", "> c   </text>"],
            [&format!("fill=\"{BACKGROUND}\""), ">&gt; x</text>"],
        ]) {
            assert!(parts.iter().all(|part| text.contains(part)), "{text}");
        }
        assert_eq!(svg.matches("<rect").count(), 2, "{svg}");
    }
}
