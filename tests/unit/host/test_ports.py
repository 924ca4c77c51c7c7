import os
import socket

from punktfunk.host.ports import Holder, Port, busy_ports, describe_busy, find_holder, parse_socket_table, ports_of
from punktfunk.host.settings import GameStreamSettings, ManagementSettings, NativeSettings, NetworkSettings, Settings

TABLE = """  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0100007F:BB75 00000000:0000 0A 00000000:00000000 00:00000000 00000000  1000        0 4711 1 0000000000000000 100
   1: 0100007F:BB76 0100007F:C350 01 00000000:00000000 00:00000000 00000000  1000        0 4712 1 0000000000000000 100
short line
"""


def test_ports_follow_the_base_port():
    settings = Settings(gamestream=GameStreamSettings(enabled=True), network=NetworkSettings(gamestream_port=50000))
    assert [port.number for port in ports_of(settings)] == [9777, 47990, 50000, 49995, 50021, 50009, 50010, 50011]
    assert [str(port) for port in ports_of(Settings())] == ["UDP 9777 (punktfunk/1)", "TCP 47990 (management)"]
    closed = Settings(native=NativeSettings(enabled=False), mgmt=ManagementSettings(enabled=False))
    assert ports_of(closed) == ()


def test_only_listening_sockets_hold_a_port():
    assert parse_socket_table(TABLE, "tcp", 0xBB75) == (1000, 4711)
    assert parse_socket_table(TABLE, "tcp", 0xBB76) is None


def test_the_holder_of_a_taken_port_is_named():
    with socket.create_server(("127.0.0.1", 0)) as server, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
        udp.bind(("127.0.0.1", 0))
        taken = [Port("tcp", server.getsockname()[1], "test"), Port("udp", udp.getsockname()[1], "test")]
        assert busy_ports(taken, "127.0.0.1") == taken
        holder = find_holder("tcp", taken[0].number)
        assert holder is not None
        assert holder.pid == os.getpid()
        text = describe_busy(taken)
    assert text.count("\n") == 0
    assert f"are taken by {holder}: stop that program" in text
    assert busy_ports(taken, "127.0.0.1") == []


def test_a_holder_that_may_not_be_seen_is_still_described():
    assert str(Holder(1000)) == "a program of user id 1000"
