// SPDX-License-Identifier: MPL-2.0
//
// What `cargo bench --bench sessions -- peers` measures of the official Node client: SESSIONS sessions with sound in real time.
//
//     OPENAI_NODE_DIR=DIR node openai_node.mjs BASE_URL SESSIONS
//
// Prints `connected` when all sessions are, and goes on until its standard input ends.

import { createRequire } from 'node:module';
import { connect } from 'node:net';
import { resolve } from 'node:path';

const [base, sessions] = process.argv.slice(2);
const require = createRequire(resolve(process.env.OPENAI_NODE_DIR, 'package.json'));
const OpenAI = require('openai');
const { OpenAIRealtimeWS } = require('openai/realtime/ws');

const CHUNK_MS = 20;
const SPEECH = Buffer.alloc(960);
for (let n = 0; n < 480; n++) SPEECH.writeInt16LE(Math.round(Math.sin((n / 24_000) * 440 * 2 * Math.PI) * 8_000), n * 2);
const SILENCE = Buffer.alloc(960);

const url = new URL(base.replace(/^ws/, 'http'));
const client = new OpenAI({ baseURL: url.href, apiKey: 'none' });
// The client speaks TLS only, which nobody else here does: its connection is a plain one.
const createConnection = () => connect(Number(url.port), url.hostname);

const open = () =>
  new Promise((done, failed) => {
    const realtime = new OpenAIRealtimeWS({ model: 'gpt-realtime', options: { createConnection } }, client);
    realtime.on('error', failed);
    realtime.on('session.created', () => done(realtime));
    realtime.on('response.output_audio.delta', (event) => Buffer.from(event.delta, 'base64'));
  });
const all = await Promise.all(Array.from({ length: Number(sessions) }, open));
console.log('connected');

process.stdin.on('end', () => process.exit(0)).resume();
const start = performance.now();
for (let index = 0; ; index++) {
  const sound = index % 500 >= 50 && index % 500 < 200 ? SPEECH : SILENCE;
  for (const [number, realtime] of all.entries()) {
    const due = start + CHUNK_MS * (index + number / all.length);
    const wait = due - performance.now();
    if (wait > 0) await new Promise((done) => setTimeout(done, wait));
    realtime.send({ type: 'input_audio_buffer.append', audio: sound.toString('base64') });
  }
}
