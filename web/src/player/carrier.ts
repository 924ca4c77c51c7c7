// What carries messages: WebTransport where UDP comes through, else a WebSocket over the same port.

export interface Carrier {
  readonly name: "webtransport" | "websocket";
  send(message: Uint8Array<ArrayBuffer>): void;
  /** May be lost or late. */
  sendLoosely(message: Uint8Array<ArrayBuffer>): void;
  close(): void;
}

export interface Ticket {
  ticket: string;
  socket_path: string;
  webtransport_port: number;
  webtransport_path: string;
  certificate_sha256: string;
}

export interface Listener {
  received(message: Uint8Array<ArrayBuffer>): void;
  lost(): void;
}

export type Choice = "auto" | "webtransport" | "websocket";
const WEBTRANSPORT_DEADLINE_MS = 2500;
const MAX_MESSAGE_BYTES = 9 << 20;

export async function open(ticket: Ticket, choice: Choice, listener: Listener): Promise<Carrier> {
  if (choice !== "websocket" && ticket.webtransport_port && "WebTransport" in globalThis) {
    try {
      return await openWebTransport(ticket, listener);
    } catch (error) {
      if (choice === "webtransport") throw error;
    }
  }
  return openWebSocket(ticket, listener);
}

function openWebSocket(ticket: Ticket, listener: Listener): Promise<Carrier> {
  const socket = new WebSocket(`wss://${location.host}${ticket.socket_path}`);
  socket.binaryType = "arraybuffer";
  const send = (message: Uint8Array<ArrayBuffer>) => {
    if (socket.readyState === WebSocket.OPEN) socket.send(message);
  };
  return new Promise((resolve, reject) => {
    let opened = false;
    socket.onopen = () => {
      opened = true;
      resolve({ name: "websocket", send, sendLoosely: send, close: () => socket.close() });
    };
    socket.onmessage = (event) => listener.received(new Uint8Array(event.data as ArrayBuffer));
    socket.onclose = () => (opened ? listener.lost() : reject(new Error("the host cannot be reached")));
  });
}

async function openWebTransport(ticket: Ticket, listener: Listener): Promise<Carrier> {
  const value = Uint8Array.from(ticket.certificate_sha256.match(/../g) ?? [], (hex) => parseInt(hex, 16));
  const url = `https://${location.hostname}:${ticket.webtransport_port}${ticket.webtransport_path}`;
  const transport = new WebTransport(url, { serverCertificateHashes: [{ algorithm: "sha-256", value }] });
  const closed = transport.closed.catch(() => undefined);
  try {
    await Promise.race([
      transport.ready,
      new Promise((_, late) => setTimeout(() => late(new Error("no answer over UDP")), WEBTRANSPORT_DEADLINE_MS)),
    ]);
  } catch (error) {
    transport.close();
    throw error;
  }
  const control = await transport.createBidirectionalStream();
  const writer = control.writable.getWriter();
  const datagrams = transport.datagrams.writable.getWriter();
  void closed.then(() => listener.lost());
  void readMessages(control.readable, listener);
  void readStreams(transport, listener);
  void readDatagrams(transport, listener);
  return {
    name: "webtransport",
    send(message) {
      const framed = new Uint8Array(4 + message.length);
      new DataView(framed.buffer).setUint32(0, message.length);
      framed.set(message, 4);
      writer.write(framed).catch(() => undefined);
    },
    sendLoosely: (message) => void datagrams.write(message).catch(() => undefined),
    close: () => transport.close(),
  };
}

/** Messages behind their u32 lengths. A stream that the host takes back ends in an error: what it held was late. */
async function readMessages(readable: ReadableStream<Uint8Array>, listener: Listener): Promise<void> {
  const reader = readable.getReader();
  let held: Uint8Array[] = [];
  let length = 0;
  let wanted = 0;
  try {
    for (;;) {
      const { value, done } = await reader.read();
      if (done) return;
      held.push(value);
      length += value.length;
      if (length < wanted) continue;
      let whole = join(held);
      while (whole.length >= 4) {
        wanted = 4 + new DataView(whole.buffer, whole.byteOffset).getUint32(0);
        if (wanted > MAX_MESSAGE_BYTES) return void reader.cancel();
        if (whole.length < wanted) break;
        listener.received(whole.slice(4, wanted));
        whole = whole.subarray(wanted);
        wanted = 0;
      }
      held = [whole];
      length = whole.length;
    }
  } catch {
    // The connection's own end is told by its `closed`.
  }
}

async function readStreams(transport: WebTransport, listener: Listener): Promise<void> {
  const streams = (transport.incomingUnidirectionalStreams as ReadableStream<ReadableStream<Uint8Array>>).getReader();
  try {
    for (;;) {
      const { value, done } = await streams.read();
      if (done) return;
      void readMessages(value, listener);
    }
  } catch {
    // As above.
  }
}

async function readDatagrams(transport: WebTransport, listener: Listener): Promise<void> {
  try {
    for (const reader = transport.datagrams.readable.getReader(); ; ) {
      const { value, done } = await reader.read();
      if (done) return;
      listener.received(value as Uint8Array<ArrayBuffer>);
    }
  } catch {
    // As above.
  }
}

function join(parts: Uint8Array[]): Uint8Array<ArrayBuffer> {
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}
