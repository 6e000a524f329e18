"""Carries TCP connections to a local port and cuts them.

Each time --after bytes have passed, every connection is cut, until --cuts cuts are done. The first line of
standard output is the proxy's port; each cut is a further line "cut".
"""
import argparse
import socket
import threading

parser = argparse.ArgumentParser()
parser.add_argument("--target", type=int, required=True)
parser.add_argument("--after", type=int, required=True)
parser.add_argument("--cuts", type=int, required=True)
options = parser.parse_args()

lock = threading.Lock()
passed = 0
cuts = 0
open_sockets = set()


def count(size):
    """Whether the connections are to be cut now."""
    global passed, cuts
    with lock:
        passed += size
        if cuts >= options.cuts or passed < options.after:
            return False
        passed = 0
        cuts += 1
        print("cut", flush=True)
        for connection in list(open_sockets):
            try:
                connection.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
        return True


def pump(source, sink):
    try:
        while data := source.recv(16384):
            # Half of what comes at the moment of a cut still gets through.
            if count(len(data)):
                sink.sendall(data[: len(data) // 2])
                break
            sink.sendall(data)
    except OSError:
        pass
    for connection in (source, sink):
        with lock:
            open_sockets.discard(connection)
        try:
            connection.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass


listener = socket.create_server(("127.0.0.1", 0))
print(listener.getsockname()[1], flush=True)
while True:
    client, _ = listener.accept()
    try:
        server = socket.create_connection(("127.0.0.1", options.target))
    except OSError:
        client.close()
        continue
    with lock:
        open_sockets.update((client, server))
    threading.Thread(target=pump, args=(client, server), daemon=True).start()
    threading.Thread(target=pump, args=(server, client), daemon=True).start()
