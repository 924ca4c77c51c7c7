// Plays what the page decoded; holds little, and skips what comes late.

const MAX_HELD_FRAMES = 48000 * 0.12;
const WANTED_FRAMES = 48000 * 0.03;

class Playout extends AudioWorkletProcessor {
  constructor() {
    super();
    this.held = [];
    this.frames = 0;
    this.at = 0;
    this.playing = false;
    this.port.onmessage = ({ data }) => {
      this.held.push(data);
      this.frames += data[0].length;
      while (this.frames > MAX_HELD_FRAMES) this.drop();
      if (this.frames >= WANTED_FRAMES) this.playing = true;
    };
  }

  drop() {
    this.frames -= this.held.shift()[0].length - this.at;
    this.at = 0;
  }

  process(_inputs, [channels]) {
    for (let i = 0; i < channels[0].length; i++) {
      if (!this.held.length) this.playing = false;
      if (!this.playing) return true;
      const chunk = this.held[0];
      channels.forEach((channel, c) => (channel[i] = (chunk[c] ?? chunk[0])[this.at]));
      this.at++;
      this.frames--;
      if (this.at === chunk[0].length) {
        this.held.shift();
        this.at = 0;
      }
    }
    return true;
  }
}

registerProcessor("playout", Playout);
