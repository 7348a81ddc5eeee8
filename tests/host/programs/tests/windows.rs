//! The client's window is kept: who wants to know why an answer stands still needs it.

use observer_common::conn::Conn;
use programs::{Connection, Kernel};

const PORT: u16 = 80;
const REQUEST: &[u8] = b"GET /images/os.raw HTTP/1.1\r\nHost: 10.44.0.1\r\n\r\n";
const HEAD: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n";

#[test]
fn the_clients_window_is_kept() {
    let mut kernel = Kernel::new(&[PORT], &[]);
    let mut connection = Connection::new(PORT, 0);
    let cookie = connection.socket.cookie;
    let entry = |kernel: &Kernel| kernel.conn(cookie).expect("an entry");
    let says = |conn: Conn| (conn.ack.window, conn.has_unacknowledged());
    connection.ask(&mut kernel, 1, REQUEST);
    connection.answer(&mut kernel, 2, HEAD);
    assert_eq!(says(entry(&kernel)), (500, true));
    for window in [0, 7, u16::MAX] {
        connection.window = window;
        connection.ask(&mut kernel, 3, b"");
        assert_eq!(says(entry(&kernel)), (window.into(), false));
    }
}
