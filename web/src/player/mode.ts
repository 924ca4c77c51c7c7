// The mode that fits the window.

/** More than this is asked for only by name: a host without a graphics card has to encode every pixel. */
const MAX_PIXELS = 2560 * 1440;
const MAX_SCALE = 2;

export interface WantedMode {
  width: number;
  height: number;
  refresh_hz: number;
}

/** `size` as in 1280x720, empty for the window's own. */
export function wantedMode(size: string, fps: string, window: { innerWidth: number; innerHeight: number; devicePixelRatio: number }): WantedMode {
  const [width, height] = size.split("x").map(Number);
  const refresh_hz = Number(fps) || 60;
  if (width && height) return { width, height, refresh_hz };
  const scale = Math.min(MAX_SCALE, window.devicePixelRatio || 1);
  const wide = window.innerWidth * scale;
  const high = window.innerHeight * scale;
  const shrink = Math.min(1, Math.sqrt(MAX_PIXELS / (wide * high)));
  const even = (pixels: number) => Math.max(2, Math.round((pixels * shrink) / 2) * 2);
  return { width: even(wide), height: even(high), refresh_hz };
}
