"""A DHCP client for one card, run inside a host: asks, accepts, and prints the lease as JSON; null when nobody answers."""

import json
import os
import socket
import struct
import sys

MAGIC = b"\x63\x82\x53\x63"
DISCOVER, OFFER, REQUEST, ACK = 1, 2, 3, 5


def message(kind, mac, number, options=b""):
    head = struct.pack("!BBBBIHH16s", 1, 1, 6, 0, number, 0, 0x8000, b"")
    asked = bytes([55, 5, 1, 3, 6, 26, 12])
    return head + mac.ljust(16, b"\0") + b"\0" * 192 + MAGIC + bytes([53, 1, kind]) + asked + options + b"\xff"


def answer(sock, number, kind):
    while True:
        data = sock.recv(2048)
        found = options(data[240:])
        if struct.unpack("!I", data[4:8])[0] == number and found.get(53) == bytes([kind]):
            return socket.inet_ntoa(data[16:20]), found


def options(data):
    found = {}
    while data and data[0] != 255:
        found[data[0]] = data[2 : 2 + data[1]]
        data = data[2 + data[1] :]
    return found


def addresses(data):
    return [socket.inet_ntoa(data[at : at + 4]) for at in range(0, len(data), 4)]


def lease(device, mac, seconds):
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, device.encode())
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
    sock.bind(("0.0.0.0", 68))
    sock.settimeout(seconds)
    number = int.from_bytes(os.urandom(4), "big")
    sock.sendto(message(DISCOVER, mac, number), ("255.255.255.255", 67))
    offered, told = answer(sock, number, OFFER)
    wanted = bytes([50, 4]) + socket.inet_aton(offered) + bytes([54, 4]) + told[54]
    sock.sendto(message(REQUEST, mac, number, wanted), ("255.255.255.255", 67))
    given, told = answer(sock, number, ACK)
    return {
        "ip": given,
        "prefix": bin(int.from_bytes(told[1], "big")).count("1"),
        "router": (addresses(told.get(3, b"")) or [""])[0],
        "dns": addresses(told.get(6, b"")),
        "mtu": int.from_bytes(told.get(26, b""), "big"),
        "name": told.get(12, b"").decode(),
    }


if __name__ == "__main__":
    device, mac, seconds = sys.argv[1:]
    for _attempt in range(3):
        try:
            print(json.dumps(lease(device, bytes.fromhex(mac.replace(":", "")), float(seconds))))
            break
        except TimeoutError:
            pass
    else:
        print("null")
