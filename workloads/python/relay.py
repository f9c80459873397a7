"""A TCP relay to port 9000 with two threads for each connection: python3 relay.py CASE"""

import socket
import sys
import threading


def pump(source, target):
    while data := source.recv(65536):
        target.sendall(data)
    target.shutdown(socket.SHUT_WR)


def relay(client):
    server = socket.create_connection(("127.0.0.1", 9000))
    there = threading.Thread(target=pump, args=(client, server), daemon=True)
    there.start()
    pump(server, client)
    there.join()
    client.close()
    server.close()


def main():
    listener = socket.create_server(("127.0.0.1", 8000), backlog=128)
    while True:
        threading.Thread(target=relay, args=(listener.accept()[0],), daemon=True).start()


main()
