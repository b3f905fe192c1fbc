// SPDX-License-Identifier: MPL-2.0
// For the WebSocket: the microphone as PCM16 in pieces of 40 ms, and the model's voice out of a queue.

const PIECE = 960;
// Longer answers than this are not buffered in order: the server sends them as they are played.
const MAX_QUEUED = 24000 * 60;

class Microphone extends AudioWorkletProcessor {
  constructor() { super(); this.piece = new Int16Array(PIECE); this.length = 0; }
  process([input]) {
    for (const sample of input[0] ?? []) {
      this.piece[this.length++] = Math.max(-1, Math.min(1, sample)) * 32767;
      if (this.length === PIECE) {
        this.port.postMessage(this.piece.buffer, [this.piece.buffer]);
        this.piece = new Int16Array(PIECE);
        this.length = 0;
      }
    }
    return true;
  }
}

class Voice extends AudioWorkletProcessor {
  constructor() {
    super();
    this.pieces = []; this.offset = 0; this.queued = 0;
    this.port.onmessage = ({data}) => {
      if (data === 'clear') { this.pieces = []; this.offset = 0; this.queued = 0; return; }
      const piece = new Int16Array(data);
      if (this.queued + piece.length <= MAX_QUEUED) { this.pieces.push(piece); this.queued += piece.length; }
    };
  }
  process(_, [[output]]) {
    for (let i = 0; i < output.length && this.pieces.length; i++) {
      output[i] = this.pieces[0][this.offset++] / 32768;
      this.queued--;
      if (this.offset === this.pieces[0].length) { this.pieces.shift(); this.offset = 0; }
    }
    return true;
  }
}

registerProcessor('microphone', Microphone);
registerProcessor('voice', Voice);
