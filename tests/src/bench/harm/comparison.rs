//! What a work told, compared.

use super::{
    super::{Figure, figure::Reach},
    rival::Rival,
    work::{RATE, Told},
};

/// How much the two without may differ, in most rounds.
const CONTROL: f64 = 0.05;

/// A work beside one of those that watch.
pub(super) struct Trial {
    pub(super) rival: Rival,
    /// Without it, beside it, and without it again.
    pub(super) told: [Vec<Told>; 3],
    /// What it says that it has not seen.
    pub(super) lost: f64,
}

/// For each thing told: itself without any, what each makes of it, and its control.
pub(super) fn figures(trials: &[Trial], rivals: &[Rival]) -> Vec<Figure> {
    let things = trials.first().map_or(0, |trial| trial.told[0].len());
    let mut figures = Vec::new();
    for thing in 0..things {
        figures.extend(without(trials, thing));
        for rival in rivals {
            figures.extend(beside(trials, thing, *rival));
        }
    }
    figures.extend(rivals.iter().map(|rival| lost(trials, *rival)));
    figures
}

fn without(trials: &[Trial], thing: usize) -> Option<Figure> {
    let Told { name, unit, .. } = trials.first()?.told[0][thing];
    let mut figure = Figure::new(name, unit);
    let values = trials.iter().map(|trial| trial.told[0][thing].value);
    figure.values = values.collect();
    Some(figure)
}

fn beside(trials: &[Trial], thing: usize, rival: Rival) -> [Figure; 2] {
    let mut figure = Figure::new(format!("  {}", rival.name()), "x");
    let mut control = Figure::new("    without, twice", "x");
    for trial in of(trials, rival) {
        let [before, beside, after] = trial.told.each_ref().map(|told| told[thing]);
        if rival == Rival::Us && before.name == RATE {
            figure = figure.reach(Reach::AtLeast(0.98));
        }
        let without = f64::midpoint(before.value, after.value);
        figure.values.push(beside.value / without);
        control.values.push(after.value / before.value);
    }
    figure.is_usable = is_steady(&control);
    [figure, control]
}

/// A median of ratios can be 1 by chance, where half are far above and half are far below. Of
/// nothing it cannot be said.
fn is_steady(control: &Figure) -> bool {
    let mut off = Figure::new("", "x");
    off.values = control
        .values
        .iter()
        .map(|ratio| (ratio - 1.0).abs())
        .collect();
    off.summary()
        .is_some_and(|[_, median, _]| median <= CONTROL)
}

fn lost(trials: &[Trial], rival: Rival) -> Figure {
    let mut figure = Figure::new(format!("{}: {}", rival.name(), rival.loses()), "");
    figure.values = of(trials, rival).map(|trial| trial.lost).collect();
    figure
}

fn of(trials: &[Trial], rival: Rival) -> impl Iterator<Item = &Trial> {
    trials.iter().filter(move |trial| trial.rival == rival)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn trial(rival: Rival, rates: [f64; 3]) -> Trial {
        let told = rates.map(|rate| vec![Told::rate(rate, "1/s")]);
        Trial {
            rival,
            told,
            lost: 7.0,
        }
    }

    #[test]
    fn a_ratio_is_of_both_without() {
        let trials = [
            trial(Rival::Us, [100.0, 99.0, 98.0]),
            trial(Rival::Tshark, [98.0, 44.0, 78.0]),
        ];
        let figures = figures(&trials, &Rival::WATCHERS);
        let names: Vec<&str> = figures.iter().map(|figure| figure.name.trim()).collect();
        let expected = [
            "rate",
            "with us",
            "without, twice",
            "beside tcpdump",
            "without, twice",
            "beside tshark",
            "without, twice",
            "with us: events lost",
            "beside tcpdump: packets dropped",
            "beside tshark: packets dropped",
        ];
        assert_eq!(names, expected);
        let values = |at: usize| figures[at].values.clone();
        assert_eq!(values(0), [100.0, 98.0]);
        assert_eq!((values(1), values(2)), (vec![1.0], vec![0.98]));
        assert_eq!(values(5), [0.5]);
        assert_eq!(values(7), [7.0]);
        let usable = [1, 3, 5].map(|at| figures[at].is_usable);
        assert_eq!(usable, [true, false, false]);
    }

    #[test]
    fn a_control_is_steady_in_most_rounds() {
        let mut control = Figure::new("control", "x");
        assert!(!is_steady(&control));
        for (values, expected) in [([0.97, 1.04, 3.0], true), ([0.2, 1.0, 5.0], false)] {
            control.values = values.to_vec();
            assert_eq!(is_steady(&control), expected, "{values:?}");
        }
    }
}
