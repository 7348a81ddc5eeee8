# A small HTTP server, one request a connection. While there is a file `slow` in its folder, a GET
# below PREFIX takes so many seconds longer; without a prefix, each connection is accepted so late.
import http.server, os, socketserver, sys, time

port, backlog, is_threaded, prefix, seconds = sys.argv[1:]
www = os.path.abspath("www")


def be_slow():
    if os.path.exists("slow"):
        time.sleep(float(seconds))


class Handler(http.server.SimpleHTTPRequestHandler):
    def __init__(self, *args):
        super().__init__(*args, directory=www)

    def do_GET(self):
        if prefix and self.path.startswith(prefix):
            be_slow()
        super().do_GET()

    def do_POST(self):
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(200)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"{}")

    def log_message(self, *args):
        pass


class Server(http.server.HTTPServer):
    request_queue_size = int(backlog)

    def get_request(self):
        if not prefix:
            be_slow()
        return super().get_request()

    def handle_error(self, request, client_address):
        pass


class Threaded(socketserver.ThreadingMixIn, Server):
    daemon_threads = True


os.chdir(os.path.dirname(www))
(Threaded if is_threaded == "1" else Server)(("0.0.0.0", int(port)), Handler).serve_forever()
