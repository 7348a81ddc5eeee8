//! Figures: several measurements of one thing.

use std::fmt::Write as _;

use serde_json::{Value, json};

/// Measurements of one thing.
#[derive(Clone, Debug)]
pub struct Figure {
    /// Of what.
    pub name: String,
    /// Their unit.
    pub unit: &'static str,
    /// One a round.
    pub values: Vec<f64>,
    /// What the median is to stay below, or above.
    pub reach: Option<Reach>,
    /// False if the machine was not the same throughout.
    pub is_usable: bool,
}

/// Where a figure is to be.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Reach {
    /// There or below.
    AtMost(f64),
    /// There or above.
    AtLeast(f64),
}

impl Reach {
    fn is_met(self, value: f64) -> bool {
        match self {
            Self::AtMost(bound) => value <= bound,
            Self::AtLeast(bound) => value >= bound,
        }
    }

    fn text(self) -> String {
        match self {
            Self::AtMost(bound) => format!("<= {}", number(bound)),
            Self::AtLeast(bound) => format!(">= {}", number(bound)),
        }
    }
}

impl Figure {
    /// Of one thing, with nothing measured yet.
    pub fn new(name: impl Into<String>, unit: &'static str) -> Self {
        Self {
            name: name.into(),
            unit,
            values: Vec::new(),
            reach: None,
            is_usable: true,
        }
    }

    /// The same, which is to be there.
    #[must_use]
    pub fn reach(self, reach: Reach) -> Self {
        Self {
            reach: Some(reach),
            ..self
        }
    }

    /// Least, median, and most; of nothing, nothing.
    pub fn summary(&self) -> Option<[f64; 3]> {
        let mut sorted = self.values.clone();
        sorted.sort_by(f64::total_cmp);
        let (least, most) = (*sorted.first()?, *sorted.last()?);
        let middle = sorted.len() / 2;
        let median = if sorted.len().is_multiple_of(2) {
            f64::midpoint(sorted[middle - 1], sorted[middle])
        } else {
            sorted[middle]
        };
        Some([least, median, most])
    }

    fn row(&self) -> [String; 5] {
        let [least, median, most] = self.summary().map_or_else(
            || [(); 3].map(|()| "-".to_owned()),
            |summary| summary.map(number),
        );
        let reach = match self.reach {
            _ if !self.is_usable => "unusable: the control is off".to_owned(),
            Some(reach) => {
                let is_met = self
                    .summary()
                    .is_some_and(|[_, median, _]| reach.is_met(median));
                format!("{} {}", reach.text(), if is_met { "yes" } else { "no" })
            }
            None => String::new(),
        };
        let range = format!("{least} .. {most}");
        [
            self.name.clone(),
            median,
            range,
            self.unit.to_owned(),
            reach,
        ]
    }

    fn json(&self) -> Value {
        let summary = self.summary();
        json!({
            "name": self.name,
            "unit": self.unit,
            "values": self.values,
            "median": summary.map(|[_, median, _]| median),
            "reach": self.reach.map(Reach::text),
            "usable": self.is_usable,
        })
    }
}

/// Three significant digits, and no fewer than there are before the point.
fn number(value: f64) -> String {
    match value.abs() {
        100.0.. => format!("{value:.0}"),
        10.0.. => format!("{value:.1}"),
        1.0.. => format!("{value:.2}"),
        _ => format!("{value:.3}"),
    }
}

/// Figures that were taken together.
#[derive(Clone, Debug)]
pub struct Report {
    /// Of what.
    pub title: &'static str,
    /// They.
    pub figures: Vec<Figure>,
}

impl Report {
    /// As a table.
    pub fn table(&self) -> String {
        let header = ["", "median", "range", "unit", "reach"].map(str::to_owned);
        let rows: Vec<[String; 5]> = std::iter::once(header)
            .chain(self.figures.iter().map(Figure::row))
            .collect();
        let width = |column: usize| {
            let cells = rows.iter().map(|row| row[column].chars().count());
            cells.max().unwrap_or(0)
        };
        let widths = [0, 1, 2, 3, 4].map(width);
        let mut table = format!("{}\n", self.title);
        for row in &rows {
            let [name, median, range, unit, reach] = row;
            let [w_name, w_median, w_range, w_unit, _] = widths;
            let line = format!(
                "  {name:w_name$}  {median:>w_median$}  {range:>w_range$}  {unit:w_unit$}  {reach}"
            );
            let _ = writeln!(table, "{}", line.trim_end());
        }
        table
    }

    /// As JSON.
    pub fn json(&self) -> Value {
        let figures: Vec<Value> = self.figures.iter().map(Figure::json).collect();
        json!({ "title": self.title, "figures": figures })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_figure_is_its_median_and_range() {
        let mut figure = Figure::new("a packet", "ns").reach(Reach::AtMost(7.0));
        assert_eq!(figure.summary(), None);
        figure.values = vec![9.0, 3.0, 4.0];
        assert_eq!(figure.summary(), Some([3.0, 4.0, 9.0]));
        figure.values.push(6.0);
        assert_eq!(figure.summary(), Some([3.0, 5.0, 9.0]));
        let unusable = Figure {
            is_usable: false,
            ..figure.clone()
        };
        assert_eq!(unusable.row()[4], "unusable: the control is off");
        let report = Report {
            title: "kernel",
            figures: vec![figure],
        };
        assert_eq!(
            report.table(),
            "kernel\n            median         range  unit  reach\n  \
             a packet    5.00  3.00 .. 9.00  ns    <= 7.00 yes\n"
        );
    }
}
