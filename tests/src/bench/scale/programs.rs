//! Nanoseconds of the programs for one TFTP pair and one HTTP request, by how many there are.

use anyhow::Result;
use observer_user::kernel::Settings;

use crate::{
    bench::{Figure, clock::Clock, crowd::Crowd, ends::Verb, tftp::Tftp, traffic::Http},
    cpu,
    netns::Netns,
};

const CONNECTIONS: [usize; 4] = [1, 1_000, 10_000, 50_000];
const TRANSFERS: [usize; 5] = [1, 100, 1_000, 10_000, 20_000];
/// At least, in one measurement: where there are more, each is used once.
const USES: usize = 20_000;

/// Where traffic goes to ports that are not watched: what it costs at the client's end, too.
struct Control {
    http: Http,
    tftp: Tftp,
}

pub(super) fn measure(netns: &Netns, rounds: usize) -> Result<Vec<Figure>> {
    let inside = || {
        // With all that is started from here.
        cpu::stay_on_one()?;
        let mut crowd = Crowd::start(netns, CONNECTIONS[CONNECTIONS.len() - 1])?;
        let mut control = Control::new()?;
        let mut clock = Clock::start(&Settings {
            http_ports: crowd.http_ports(),
            tftp_ports: crowd.tftp_ports(),
            ..Settings::default()
        })?;
        let mut figures = Vec::new();
        for transfers in TRANSFERS {
            figures.push(PAIR.measure(transfers, rounds, &mut crowd, &mut control, &mut clock)?);
        }
        crowd.leave()?;
        for connections in CONNECTIONS {
            figures.push(REQUEST.measure(
                connections,
                rounds,
                &mut crowd,
                &mut control,
                &mut clock,
            )?);
        }
        Ok(figures)
    };
    netns.inside(inside)?
}

impl Control {
    fn new() -> Result<Self> {
        let (mut http, mut tftp) = (Http::new()?, Tftp::new()?);
        http.hold(1)?;
        tftp.begin(1)?;
        Ok(Self { http, tftp })
    }
}

/// What is done between steps.
type Between<'a> = &'a mut dyn FnMut() -> Result<()>;

/// Something that many do.
struct Use {
    name: fn(usize) -> String,
    /// Has so many that do it.
    hold: fn(&mut Crowd, usize, Between<'_>) -> Result<()>,
    /// Each does it so many times.
    each: fn(&mut Crowd, usize, Between<'_>) -> Result<()>,
    /// The same, [`USES`] times, at a port that is not watched.
    unwatched: fn(&mut Control) -> Result<()>,
}

const PAIR: Use = Use {
    name: |count| format!("programs, a TFTP DATA and its ACK, {count} transfers"),
    hold: |crowd, count, between| crowd.begin(count, between),
    each: |crowd, times, between| crowd.each_transfer(Verb::Pair, times, between),
    unwatched: |control| control.tftp.pairs(USES),
};

const REQUEST: Use = Use {
    name: |count| format!("programs, a kept request, {count} connections"),
    hold: |crowd, count, between| crowd.connect(count, between),
    each: |crowd, times, between| crowd.each_connection(Verb::Request, times, between),
    unwatched: |control| control.http.keep_alive(USES),
};

impl Use {
    fn measure(
        &self,
        count: usize,
        rounds: usize,
        crowd: &mut Crowd,
        control: &mut Control,
        clock: &mut Clock,
    ) -> Result<Figure> {
        let mut figure = Figure::new((self.name)(count), "ns");
        (self.hold)(crowd, count, &mut || {
            clock.drain();
            Ok(())
        })?;
        let times = USES.div_ceil(count);
        for _ in 0..rounds {
            let unwatched = clock.time(|| (self.unwatched)(control))?;
            let took = clock.time_steps(|drain| {
                (self.each)(crowd, times, &mut || {
                    drain();
                    Ok(())
                })
            })?;
            let clients = unwatched.ns / 2.0 / USES as f64;
            figure
                .values
                .push(took.ns / (times * count) as f64 - clients);
        }
        Ok(figure)
    }
}
