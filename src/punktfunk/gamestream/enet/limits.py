"""Every bound of the ENet host, in one place. A client that passes one loses datagrams, never anyone else's memory."""

MAX_DATAGRAM_BYTES = 4096
"""Largest datagram looked at; ENet's own maximum MTU."""
MAX_COMMANDS_PER_DATAGRAM = 32
MAX_MTU = 900
MIN_MTU = 576
MAX_WINDOW_BYTES = 65_536
MIN_WINDOW_BYTES = 4096
MAX_CHANNELS = 64
"""Clients ask for 48 (gamestream.md §6.4)."""

MAX_PEERS = 0xFFF
"""Slots are 12 bits on the wire and 0xFFF means "none yet"."""
MAX_HALF_OPEN = 8
MAX_HALF_OPEN_PER_SOURCE = 2
HALF_OPEN_TIMEOUT_MS = 10_000
"""How long a slot waits for the acknowledgement of VERIFY_CONNECT: as long as clients try."""
MAX_QUEUED_REPLIES = 256
"""Datagrams to addresses without a slot: rejections and last words."""
MAX_EVENTS = 8192
"""Events not yet taken by the owner; datagrams beyond are dropped as if lost."""

SEQUENCE_WINDOW = 7 * 4096
"""How far ahead of the last delivered message a sequence number may be."""
MAX_MESSAGE_BYTES = 65_536
MAX_FRAGMENTS = 1024
MAX_BUFFERED_BYTES = 262_144
"""Early, held and incomplete messages of one peer together, each charged its data and `BUFFERED_OVERHEAD_BYTES`."""
BUFFERED_OVERHEAD_BYTES = 64
MAX_PENDING_ACKS = 1024
UNSEQUENCED_WINDOW = 1024

MAX_OUTGOING_BYTES = 262_144
MAX_OUTGOING_COMMANDS = 1024

PEER_TIMEOUT_MS = 10_000
"""How long a client may leave something unanswered; clients give the host as long."""
MAX_BACKOFF = 32
"""The n-th attempt waits n times as long as the first, up to this."""
PING_INTERVAL_MS = 500
CLOSE_TIMEOUT_MS = 2000
"""How long a graceful close may take before it becomes an immediate one."""
