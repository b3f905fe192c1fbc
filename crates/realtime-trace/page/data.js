'use strict';
// The data of the page, and small helpers. Text of a trace gets into the page as text only, never as HTML.
const data = JSON.parse(document.getElementById('data').textContent);
const element = id => document.getElementById(id);

function make(name, className, text) {
  const made = document.createElement(name);
  if (className) made.className = className;
  if (text !== undefined) made.textContent = text;
  return made;
}

function bytes(base64) {
  return Uint8Array.from(atob(base64), character => character.charCodeAt(0));
}

const tracks = { user: bytes(data.tracks.user), model: bytes(data.tracks.model), unheard: bytes(data.tracks.unheard) };

function clock(seconds, digits = 1) {
  const scale = 10 ** digits;
  const rounded = Math.floor(seconds * scale + 1e-6) / scale;
  const minutes = Math.floor(rounded / 60);
  const rest = (rounded - minutes * 60).toFixed(digits).padStart(digits ? 3 + digits : 2, '0');
  return minutes >= 60 ? `${Math.floor(minutes / 60)}:${String(minutes % 60).padStart(2, '0')}:${rest}` : `${minutes}:${rest}`;
}

const milliseconds = value => `${Math.round(value)} ms`;

// What the parts of the page tell each other: `choose` a position, or `view` changed.
const listeners = { choose: [], view: [] };
const on = (what, listener) => listeners[what].push(listener);
const tell = (what, value) => listeners[what].forEach(listener => listener(value));

// All entries of the conversation in their order.
const entries = [
  ...data.sessions.map(it => ({ kind: 'session', at: it.position, it })),
  ...data.turns.map(it => ({ kind: 'user', at: it.begin, end: it.end, it })),
  ...data.responses.filter(it => it.words || it.begin != null || it.status === 'failed')
    .map(it => ({ kind: 'model', at: it.begin ?? it.position, end: it.end, it })),
  ...data.interruptions.map(it => ({ kind: 'cut', at: it.position, it })),
  ...data.calls.map(it => ({ kind: 'call', at: it.position, it })),
  ...data.pictures.map(it => ({ kind: 'picture', at: it.position, it })),
  ...data.problems.map(it => ({ kind: 'problem', at: it.position, it })),
].sort((one, other) => one.at - other.at);
