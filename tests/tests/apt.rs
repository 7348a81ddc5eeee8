//! A real apt, which pipelines, from a repository of this test: counts and bytes equal nginx's
//! log.

use std::{
    fs::{self, File},
    path::Path,
    process::Command,
};

use tests::{
    netns::Netns, nginx::Nginx, observer::Observer, process::run, require_root, server, truth,
};

const PORT: u16 = 18_130;
/// How many, and of what size: apt asks for ten at a time.
const PACKAGES: [(usize, usize); 3] = [(20, 100), (4, 1_000_000), (2, 3_000_000)];

#[test]
fn apt_get_update_and_download_equal_the_servers_log() {
    require_root();
    let netns = Netns::new("apt").expect("netns");
    let (folder, home) = (
        server::folder(&[]).expect("folder"),
        tempfile::tempdir().expect("apt's folder"),
    );
    let names = make_repository(&folder.path().join("www/debian"));
    let options = "sendfile on; keepalive_requests 100000;";
    let nginx = Nginx::start_with(&netns, PORT, folder, options).expect("nginx");
    let observer = Observer::start(&["--http-port", &PORT.to_string(), "--profile", "generic"])
        .expect("observer");

    configure(home.path());
    apt_get(&netns, home.path(), &["update"]);
    // What has not changed is answered with 304.
    apt_get(&netns, home.path(), &["update"]);
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    apt_get(&netns, home.path(), &[&["download"], &names[..]].concat());
    for name in &names {
        let archive = home.path().join(format!("{name}_1.0_all.deb"));
        assert!(archive.exists(), "{} was downloaded", archive.display());
    }

    let log = nginx.stop().expect("log");
    for status in [200, 304, 404] {
        assert!(log.iter().any(|row| row.status == status), "{log:?}");
    }
    let all_ended =
        |scrape: &tests::scrape::Scrape| scrape.sum("http_requests_total", &[]) >= log.len() as f64;
    let scrape = observer.until(all_ended).expect("all ended");
    truth::check(&scrape, &log, |_| "package".to_owned());
    assert_eq!(scrape.sum("http_requests_discarded_total", &[]), 0.0);
    truth::check_bytes(&observer, &log);
    observer.stop().expect("stop");
}

/// A flat repository; returns the packages' names.
fn make_repository(folder: &Path) -> Vec<String> {
    let sizes = PACKAGES
        .iter()
        .flat_map(|(count, size)| std::iter::repeat_n(*size, *count));
    let names = sizes
        .enumerate()
        .map(|(number, size)| {
            let name = format!("pxeo-test-{number}");
            make_package(folder, &name, size);
            name
        })
        .collect();
    for index in ["packages", "release"] {
        let mut ftparchive = Command::new("apt-ftparchive");
        let text = run(ftparchive.args([index, "."]).current_dir(folder)).expect("apt-ftparchive");
        let file = if index == "packages" {
            "Packages"
        } else {
            "Release"
        };
        fs::write(folder.join(file), text).expect("write");
    }
    names
}

fn make_package(folder: &Path, name: &str, size: usize) {
    let tree = folder.join(name);
    fs::create_dir_all(tree.join("DEBIAN")).expect("folder");
    let control = format!(
        "Package: {name}\nVersion: 1.0\nArchitecture: all\nMaintainer: test <test@localhost>\nDescription: test\n"
    );
    fs::write(tree.join("DEBIAN/control"), control).expect("control");
    let file = File::create(tree.join("payload")).expect("payload");
    file.set_len(size as u64).expect("size");
    let archive = folder.join(format!("{name}_1.0_all.deb"));
    let mut build = Command::new("dpkg-deb");
    run(build
        .args(["--root-owner-group", "-Znone", "--build"])
        .args([&tree, &archive]))
    .expect("dpkg-deb");
    fs::remove_dir_all(tree).expect("remove");
}

/// An apt that knows nothing of this host's.
fn configure(home: &Path) {
    for folder in ["state/lists/partial", "cache/archives/partial", "etc"] {
        fs::create_dir_all(home.join(folder)).expect("folder");
    }
    let source = format!("deb [trusted=yes] http://127.0.0.1:{PORT}/debian ./\n");
    fs::write(home.join("etc/sources.list"), source).expect("sources.list");
    fs::write(home.join("state/status"), "").expect("status");
    let place = home.display();
    let config = format!(
        "Dir::State \"{place}/state\";
Dir::State::status \"{place}/state/status\";
Dir::Cache \"{place}/cache\";
Dir::Etc \"{place}/etc\";
APT::Sandbox::User \"root\";
Acquire::Languages \"none\";
Acquire::http::Proxy \"DIRECT\";
"
    );
    fs::write(home.join("apt.conf"), config).expect("apt.conf");
}

fn apt_get(netns: &Netns, home: &Path, args: &[&str]) {
    let mut command = netns.command("apt-get");
    command.args(["-q", "-o", "Acquire::Retries=0"]).args(args);
    command
        .env("APT_CONFIG", home.join("apt.conf"))
        .current_dir(home);
    run(&mut command).expect("apt-get");
}
