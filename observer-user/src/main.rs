//! The `pxe-observer` command.
use observer_user::kernel::*;
fn main() -> anyhow::Result<()> {
    tracing_subscriber::fmt().with_writer(std::io::stderr).init();
    preflight()?;
    let t = std::time::Instant::now();
    let mut k = Kernel::attach(&Settings { http_ports: vec![8080], ..Default::default() })?;
    eprintln!("{:?} {:?}", t.elapsed(), k.probes());
    loop {
        std::thread::sleep(std::time::Duration::from_millis(500));
        k.drain(|r| { let (h, d) = observer_common::event::Header::split(r).expect("x"); eprintln!("{h:?} {:?}", String::from_utf8_lossy(d)); });
    }
}
