// Made from docs/openapi.json by tools/api-types.mjs.

export type AllSettings = {
  file: string;
  settings: (Setting)[];
};

export type Approval = {
  name?: string | null;
  grants?: number;
  expires_in_secs?: number | null;
};

export type Arm = {
  ttl_secs?: number;
  fingerprint?: string | null;
};

export type Armed = {
  enabled: boolean;
  armed: boolean;
  pin?: string | null;
  expires_in_secs?: number | null;
  fingerprint?: string | null;
  paired_clients: number;
};

export type Art = {
  portrait?: string | null;
  hero?: string | null;
  header?: string | null;
  logo?: string | null;
};

export type Audit = {
  time_unix: number;
  who: string;
  lane: string;
  address: string;
  what: string;
  status: number;
};

export type Bitrate = {
  kbps: number;
};

export type BitrateAnswer = {
  kbps: number;
};

export type Capture = {
  meta: CaptureMeta;
  samples: (Sample)[];
};

export type CaptureMeta = {
  id: string;
  started_unix_ms: number;
  duration_ms: number;
  sample_count: number;
  kind: string;
};

export type Changed = {
  file: string;
  settings: (Setting)[];
  restart_needed: boolean;
};

export type Changes = {
  changes: Record<string, unknown>;
};

export type CheckResult = {
  name: string;
  status: string;
  message: string;
  fix: string;
  took_s: number;
};

export type Chosen = {
  choice: string;
  why: string;
};

export type ConsoleSession = {
  id: string;
  current: boolean;
  address: string;
  agent: string;
  created_unix: number;
  used_unix: number;
  expires_unix: number;
};

export type CreatedLink = {
  id: string;
  name: string;
  grants: number;
  app: number;
  expires_in_s: number;
  path: string;
};

export type CreatedToken = {
  id: string;
  name: string;
  scopes: (Scope)[];
  created_unix: number;
  expires_unix: number;
  token: string;
};

export type Custom = {
  title: string;
  launch?: LaunchBody;
  working_dir?: string;
  environment?: Record<string, unknown>;
  prepare?: (StepBody)[];
  image?: string;
  exit_ends_session?: boolean;
};

export type Details = {
  id: string;
  store: string;
  title: string;
  art: Art;
  launch?: Launch | null;
  custom: boolean;
  working_dir: string;
  environment: Record<string, string>;
  prepare: (Step)[];
  image: string;
  exit_ends_session: boolean;
};

export type Device = {
  name: string;
  fingerprint: string;
  plane: Plane;
  grants: number;
  expires_unix: number;
  added_unix: number;
  enabled: boolean;
  admitted: boolean;
  streaming: boolean;
};

export type DeviceChange = {
  name?: string | null;
  grants?: number | null;
  expires_in_secs?: number | null;
  clear_expiry?: boolean;
  enabled?: boolean | null;
};

export type Display = {
  id: string;
  label: string;
  available: boolean;
  default: boolean;
};

export type DoctorState = {
  running: boolean;
  checks: (CheckResult)[];
};

export type Entry = {
  id: string;
  store: string;
  title: string;
  art: Art;
  launch?: Launch | null;
};

export type Error = {
  error: string;
};

export type Health = {
  status: string;
  version: string;
  abi_version: number;
};

export type Host = {
  hostname: string;
  local_ip: string;
  uniqueid: string;
  version: string;
  app_version: string;
  gfe_version: string;
  abi_version: number;
  codecs: (string)[];
  ports: Record<string, number>;
  fingerprint: string;
  uptime_s: number;
  display: Chosen;
  encoder: Chosen;
  sound: string;
  gamestream: boolean;
  native: boolean;
};

export type Knock = {
  id: number;
  name: string;
  fingerprint: string;
  address: string;
  age_secs: number;
};

export type Lane = "anonymous" | "device" | "console" | "token" | "machine";

export type Launch = {
  kind: string;
  value: string;
};

export type LaunchBody = {
  kind?: "command";
  value?: string;
};

export type Link = {
  id: string;
  name: string;
  grants: number;
  app: number;
  expires_in_s: number;
};

export type LinkTicketWish = {
  secret: string;
};

export type LogLine = {
  seq: number;
  ts_ms: number;
  level: string;
  target: string;
  msg: string;
};

export type Logs = {
  entries: (LogLine)[];
  next: number;
  dropped: boolean;
};

export type Me = {
  signed_in: boolean;
  lane: Lane;
  name: string;
  scopes: (Scope)[];
  needs_setup: boolean;
  csrf_token?: string;
};

export type Mistake = {
  key: string;
  message: string;
};

export type Mode = {
  width: number;
  height: number;
  refresh_mhz: number;
};

export type MoonlightClient = {
  fingerprint: string;
  subject: string;
};

export type NativeClient = {
  name: string;
  fingerprint: string;
  grants: number;
  expires_unix: number;
};

export type NewLink = {
  name: string;
  grants: number;
  app?: number;
  expires_in_s: number;
};

export type NewPassword = {
  current: string;
  password: string;
};

export type NewToken = {
  name: string;
  scopes: (Scope)[];
  expires_in_s?: number | null;
};

export type Path = {
  fec_percent: number;
  loss_ppm: number;
  lost_packets: number;
  recovered_packets: number;
};

export type Pin = {
  pin: string;
  attempt?: number | null;
  name?: string | null;
};

export type PinState = {
  pin_pending: boolean;
  waiting: (Waiting)[];
};

export type Plane = "native" | "gamestream";

export type RecorderState = {
  armed: boolean;
  kind?: string;
  sample_count: number;
  started_unix_ms: number;
};

export type Sample = {
  t_ms: number;
  session_id: string;
  stages: (Stage)[];
  fps: number;
  mbps: number;
  bitrate_kbps: number;
  frames_dropped: number;
  packets_dropped: number;
  send_dropped: number;
  fec_recovered: number;
  fec_percent: number;
  loss_percent: number;
};

export type Scope = "read" | "operate" | "pair" | "admin";

export type Session = {
  id: string;
  device_id: string;
  device_name: string;
  plane: string;
  app: string;
  state: string;
  mode: Mode;
  started_unix: number;
  streaming: boolean;
  codec: string;
  encoder: string;
  encoder_why: string;
  bitrate_kbps: number;
  audio_channels: number;
  statistics: Statistics;
  path: Path;
};

export type Setting = {
  key: string;
  value: string | number | boolean | (string)[];
  default: string | number | boolean | (string)[];
  origin: string;
  origin_kind: string;
  description: string;
  type: string;
  choices: (string)[];
  minimum: number | null;
  maximum: number | null;
  changed: boolean;
  acts_at_once: boolean;
};

export type Setup = {
  secret: string;
  password: string;
};

export type SignIn = {
  password: string;
};

export type Stage = {
  name: string;
  p50_us: number;
  p99_us: number;
};

export type Statistics = {
  frames: number;
  keyframes: number;
  recoveries: number;
  dropped_frames: number;
  video_packets: number;
  video_bytes: number;
  unsent_packets: number;
  audio_packets: number;
  encode_p50_us: number;
  encode_p99_us: number;
  added_p50_us: number;
  added_p99_us: number;
  wait_p50_us: number;
  wait_p99_us: number;
  send_p50_us: number;
  send_p99_us: number;
};

export type Status = {
  video_streaming: boolean;
  audio_streaming: boolean;
  pin_pending: boolean;
  paired_clients: number;
  session?: StatusSession | null;
  stream?: StatusStream | null;
};

export type StatusSession = {
  width: number;
  height: number;
  fps: number;
};

export type StatusStream = {
  width: number;
  height: number;
  fps: number;
  codec: string;
  bitrate_kbps: number;
  packet_size?: number;
  min_fec?: number;
};

export type Step = {
  do: string;
  undo?: string;
};

export type StepBody = {
  do: string;
  undo?: string;
};

export type Summary = {
  version: string;
  name: string;
  sessions: number;
  streaming: number;
  paired_clients: number;
  pending: number;
  gamestream: boolean;
  native: boolean;
  session?: StatusSession | null;
};

export type Ticket = {
  ticket: string;
  socket_path: string;
  webtransport_port: number;
  webtransport_path: string;
  certificate_sha256: string;
};

export type TicketWish = {
  app?: number;
};

export type Token = {
  id: string;
  name: string;
  scopes: (Scope)[];
  created_unix: number;
  expires_unix: number;
};

export type Verdict = {
  ok: boolean;
  mistakes: (Mistake)[];
};

export type Waiting = {
  id: number;
  name: string;
  address: string;
  fingerprint: string;
  waited_s: number;
};
