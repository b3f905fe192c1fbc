// Talks to a server with the official Node client, unchanged, and checks what comes back.
//
//     OPENAI_NODE_DIR=DIR node turns.mjs BASE_URL RECORDING.wav [--heard WORDS] [--said WORDS] [--thinks]
//         [--limit SECONDS]
//
// DIR is where `npm ci` put the client. It connects by TLS only, so BASE_URL is an https one; NODE_EXTRA_CA_CERTS names
// a certificate of the server's own. A spoken turn (the server finds its end), a written one, with a server
// that thinks function calls and an answer that the user speaks over, then a truncation, a deletion and an error. Prints one line of JSON that sums up what happened; anything that is wrong ends the script
// with status 1 and one line that says what.

import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { resolve } from 'node:path';
import { parseArgs } from 'node:util';

const MODEL = 'gpt-realtime';
const RATE = 24_000;
const CHUNK = (RATE / 10) * 2;
const SILENCE_MS = 2_000;

class Wrong extends Error {}

function check(condition, message) {
  if (!condition) throw new Wrong(message);
}

/** A mono recording as bytes of 16-bit samples at the rate of the API, interpolated between neighbours. */
function recording(path) {
  const file = readFileSync(path);
  const word = (place) => file.toString('latin1', place, place + 4);
  check(word(0) === 'RIFF' && word(8) === 'WAVE', `${path} is not a WAV file`);
  let format, data;
  for (let place = 12; place + 8 <= file.length; ) {
    const name = word(place);
    const size = file.readUInt32LE(place + 4);
    const chunk = file.subarray(place + 8, place + 8 + size);
    if (name === 'fmt ') format = chunk;
    if (name === 'data') data = chunk;
    place += 8 + size + (size % 2);
  }
  check(format?.readUInt16LE(2) === 1 && format.readUInt16LE(14) === 16 && data, `${path} is not mono with 16 bits`);
  const rate = format.readUInt32LE(4);
  const sample = (index) => data.readInt16LE(Math.min(index, data.length / 2 - 1) * 2);
  const count = Math.floor(((data.length / 2) * RATE) / rate);
  const out = Buffer.alloc(count * 2);
  for (let index = 0; index < count; index++) {
    const place = (index * rate) / RATE;
    const left = Math.floor(place);
    out.writeInt16LE(Math.round(sample(left) + (sample(left + 1) - sample(left)) * (place - left)), index * 2);
  }
  return out;
}

/** A connection of the official client, with all events so far. */
class Conversation {
  constructor(rt) {
    this.rt = rt;
    this.events = [];
    this.read = 0;
    this.failure = null;
    this.wake = () => {};
    rt.on('event', (event) => {
      this.events.push(event);
      this.wake();
    });
    // The client reports the server's error events here as well; those come as events too.
    rt.on('error', (error) => {
      if (!error.error) this.fail(error);
    });
    rt.socket.on('close', (code, reason) => this.fail(new Wrong(`the server closed: ${code} ${reason}`)));
  }

  fail(error) {
    this.failure ??= error;
    this.wake();
  }

  async next() {
    while (this.read === this.events.length) {
      if (this.failure) throw this.failure;
      await new Promise((wake) => (this.wake = wake));
    }
    return this.events[this.read++];
  }

  /** The events up to the first of the last missing type. An error that nobody expects ends everything. */
  async until(...types) {
    const since = this.read;
    const missing = new Set(types);
    while (missing.size) {
      const event = await this.next();
      check(typeof event.event_id === 'string', `an event without a name: ${JSON.stringify(event)}`);
      check(event.type !== 'error' || missing.has('error'), `an unexpected error: ${JSON.stringify(event)}`);
      missing.delete(event.type);
    }
    return this.events.slice(since, this.read);
  }
}

const of = (events, type) => events.filter((event) => event.type === type);

function one(events, type) {
  const found = of(events, type);
  check(found.length === 1, `${found.length} events ${type} instead of one`);
  return found[0];
}

/** The first event of each of these types comes after that of the one before. */
function checkOrder(events, ...types) {
  let order = events.map((event) => event.type);
  for (const type of types) {
    const place = order.indexOf(type);
    check(place >= 0, `no ${type} where it belongs in ${events.map((event) => event.type)}`);
    order = order.slice(place + 1);
  }
}

function checkUsage(usage) {
  check(usage?.total_tokens > 0, 'no usage');
  check(usage.total_tokens === usage.input_tokens + usage.output_tokens, `the sum is off: ${JSON.stringify(usage)}`);
}

async function configure(talk) {
  const created = await talk.next();
  check(created.type === 'session.created', `the first event is ${created.type}`);
  talk.rt.send({
    type: 'session.update',
    event_id: 'configure',
    session: {
      type: 'realtime',
      instructions: 'Answer in one short sentence.',
      output_modalities: ['audio'],
      audio: {
        input: {
          format: { type: 'audio/pcm', rate: RATE },
          transcription: { model: 'gpt-4o-mini-transcribe', language: 'en' },
          turn_detection: { type: 'server_vad', threshold: 0.5, silence_duration_ms: 1000 },
        },
        output: { format: { type: 'audio/pcm', rate: RATE }, voice: 'marin' },
      },
    },
  });
  const [{ session }] = await talk.until('session.updated');
  check(session.instructions === 'Answer in one short sentence.', `instructions: ${session.instructions}`);
  check(session.audio.output.voice === 'marin', `voice: ${session.audio.output.voice}`);
  check(session.audio.input.transcription?.model === 'gpt-4o-mini-transcribe', 'the transcription is not on');
  check(session.audio.input.turn_detection?.silence_duration_ms === 1000, 'the turn detection is another one');
}

function speak(talk, sound) {
  for (let start = 0; start < sound.length; start += CHUNK) {
    const audio = sound.subarray(start, start + CHUNK).toString('base64');
    talk.rt.send({ type: 'input_audio_buffer.append', audio });
  }
}

async function spokenTurn(talk, path, heard, said) {
  const sound = Buffer.concat([recording(path), Buffer.alloc(((SILENCE_MS * RATE) / 1000) * 2)]);
  speak(talk, sound);
  const events = await talk.until('conversation.item.input_audio_transcription.completed', 'response.done');
  checkOrder(
    events,
    'input_audio_buffer.speech_started',
    'input_audio_buffer.speech_stopped',
    'input_audio_buffer.committed',
    'conversation.item.added',
    'conversation.item.done',
    'response.created',
    'response.output_item.added',
    'response.content_part.added',
    'response.output_audio.delta',
    'response.output_audio.done',
    'response.content_part.done',
    'response.output_item.done',
    'response.done',
  );
  const started = one(events, 'input_audio_buffer.speech_started');
  const stopped = one(events, 'input_audio_buffer.speech_stopped');
  const lengthMs = (sound.length * 1000) / (RATE * 2);
  check(
    started.audio_start_ms >= 0 && started.audio_start_ms < stopped.audio_end_ms && stopped.audio_end_ms <= lengthMs,
    `the turn is from ${started.audio_start_ms} to ${stopped.audio_end_ms} of ${lengthMs} ms`,
  );
  const transcription = one(events, 'conversation.item.input_audio_transcription.completed');
  const items = new Set([
    started.item_id,
    stopped.item_id,
    one(events, 'input_audio_buffer.committed').item_id,
    of(events, 'conversation.item.added')[0].item.id,
    transcription.item_id,
  ]);
  check(items.size === 1, `one turn, but several items: ${[...items]}`);
  const words = of(events, 'conversation.item.input_audio_transcription.delta').map((event) => event.delta);
  check(words.join('') === transcription.transcript, 'the transcript and its pieces differ');
  check(includes(transcription.transcript, heard), `'${heard}' was heard as '${transcription.transcript}'`);

  const { response } = one(events, 'response.done');
  const { status, status_details: details } = response;
  check(status === 'completed', `the answer is ${status}: ${JSON.stringify(details)}`);
  check(response.output.length === 1, `${response.output.length} items in the answer`);
  const [message] = response.output;
  const deltas = of(events, 'response.output_audio.delta').map((event) => Buffer.from(event.delta, 'base64'));
  const audio = Buffer.concat(deltas);
  check(audio.length > 0 && audio.length % 2 === 0, `${audio.length} bytes of sound`);
  check(audio.some((byte) => byte !== 0), 'the answer is silence');
  const { transcript } = one(events, 'response.output_audio_transcript.done');
  const pieces = of(events, 'response.output_audio_transcript.delta').map((event) => event.delta).join('');
  check(
    pieces === transcript && message.content[0].transcript === transcript,
    `three transcripts: '${pieces}', '${transcript}', '${message.content[0].transcript}'`,
  );
  check(includes(transcript, said), `'${said}' is not in '${transcript}'`);
  checkUsage(response.usage);
  check(response.usage.input_token_details.audio_tokens > 0, 'listening cost nothing');
  check(response.usage.output_token_details.audio_tokens > 0, 'speaking cost nothing');
  const audioMs = Math.floor((audio.length * 1000) / (RATE * 2));
  return { itemId: message.id, heard: transcription.transcript, said: transcript, audioMs };
}

const includes = (text, words) => text.toLowerCase().includes(words.toLowerCase());

async function writtenTurn(talk) {
  talk.rt.send({
    type: 'conversation.item.create',
    event_id: 'ask',
    item: {
      type: 'message',
      id: 'question',
      role: 'user',
      content: [{ type: 'input_text', text: 'How much is three plus four?' }],
    },
  });
  const asked = await talk.until('conversation.item.added', 'conversation.item.done');
  check(one(asked, 'conversation.item.done').item.id === 'question', 'the item has another name');
  talk.rt.send({
    type: 'response.create',
    event_id: 'answer',
    response: { output_modalities: ['text'], metadata: { topic: 'sums' } },
  });
  const events = await talk.until('response.done');
  checkOrder(
    events,
    'response.created',
    'response.output_item.added',
    'response.content_part.added',
    'response.output_text.delta',
    'response.output_text.done',
    'response.content_part.done',
    'response.output_item.done',
    'response.done',
  );
  check(of(events, 'response.output_audio.delta').length === 0, 'sound in a written answer');
  const { response } = one(events, 'response.done');
  const { text } = one(events, 'response.output_text.done');
  const pieces = of(events, 'response.output_text.delta').map((event) => event.delta).join('');
  check(text && pieces === text && response.output[0].content[0].text === text, `'${pieces}' is not '${text}'`);
  check(response.metadata?.topic === 'sums', `metadata: ${JSON.stringify(response.metadata)}`);
  check(String(response.output_modalities) === 'text', `modalities: ${response.output_modalities}`);
  checkUsage(response.usage);
  return text;
}

const WEATHER = {
  type: 'function',
  name: 'get_weather',
  description: 'Get the weather of a city',
  parameters: { type: 'object', properties: { city: { type: 'string' } }, required: ['city'] },
};

/** Types something and asks for an answer. */
function ask(talk, text, response) {
  const content = [{ type: 'input_text', text }];
  talk.rt.send({ type: 'conversation.item.create', item: { type: 'message', role: 'user', content } });
  talk.rt.send({ type: 'response.create', response });
}

/** Two calls in one answer, their results, the answer to these; and a result that nobody asked for. */
async function functionCalls(talk) {
  talk.rt.send({ type: 'session.update', session: { type: 'realtime', tools: [WEATHER] } });
  const { session } = one(await talk.until('session.updated'), 'session.updated');
  check(session.tools[0].name === 'get_weather', `tools: ${JSON.stringify(session.tools)}`);
  ask(talk, "What's the weather in Paris and London?", { output_modalities: ['text'] });
  const events = await talk.until('response.done');
  checkOrder(
    events,
    'response.created',
    'response.output_item.added',
    'response.function_call_arguments.delta',
    'response.function_call_arguments.done',
    'response.output_item.done',
    'response.done',
  );
  const calls = one(events, 'response.done').response.output;
  const done = of(events, 'response.function_call_arguments.done').map((event) => event.arguments);
  check(String(done) === String(calls.map((call) => call.arguments)), `arguments: ${done}`);
  const cities = calls.map((call) => JSON.parse(call.arguments).city);
  check(String(cities) === 'Paris,London', `cities: ${cities}`);
  calls.forEach((call, index) => {
    const output = JSON.stringify({ temperature: [21, 12][index] });
    const item = { type: 'function_call_output', call_id: call.call_id, output };
    talk.rt.send({ type: 'conversation.item.create', item });
  });
  talk.rt.send({ type: 'response.create', response: { output_modalities: ['text'] } });
  const { text } = one(await talk.until('response.done'), 'response.output_text.done');
  check(text.includes('21') && text.includes('12'), `the results are told as '${text}'`);
  const stray = { type: 'function_call_output', call_id: 'call_of_nobody', output: '1' };
  talk.rt.send({ type: 'conversation.item.create', event_id: 'stray', item: stray });
  const { error } = one(await talk.until('error'), 'error');
  check(error.code === 'invalid_tool_call_id' && error.event_id === 'stray', JSON.stringify(error));
  return text;
}

/** A long answer, spoken over: it is cancelled, and what was not heard is taken back. */
async function bargeIn(talk, path) {
  const sentence = 'This is a rather long sentence that is only there to be interrupted. ';
  ask(talk, `Repeat after me: ${sentence.repeat(20)}`, {});
  await talk.until('response.output_audio.delta');
  const sound = Buffer.concat([recording(path), Buffer.alloc(((SILENCE_MS * RATE) / 1000) * 2)]);
  speak(talk, sound);
  const events = await talk.until('response.done');
  checkOrder(events, 'input_audio_buffer.speech_started', 'response.output_item.done', 'response.done');
  const { response } = one(events, 'response.done');
  const { status, status_details: details } = response;
  check(status === 'cancelled' && details.reason === 'turn_detected', `${status}: ${JSON.stringify(details)}`);
  const [message] = response.output;
  check(message.status === 'incomplete', `the message is ${message.status}`);
  talk.rt.send({ type: 'conversation.item.truncate', item_id: message.id, content_index: 0, audio_end_ms: 300 });
  talk.rt.send({ type: 'conversation.item.retrieve', item_id: message.id });
  const after = await talk.until('conversation.item.truncated', 'conversation.item.retrieved');
  const [part] = one(after, 'conversation.item.retrieved').item.content;
  const heard = (Buffer.from(part.audio, 'base64').length * 1000) / (RATE * 2);
  check(heard === 300 && part.transcript == null, `${heard} ms are left, with the words ${part.transcript}`);
  const missing = ['conversation.item.input_audio_transcription.completed', 'response.done'];
  await talk.until(...missing.filter((type) => of(after, type).length === 0));
  const answer = of(talk.events, 'response.done').at(-1).response;
  check(answer.status === 'completed', `the next answer is ${answer.status}`);
  return details.reason;
}

/** Takes back a part of the spoken answer, then all of it, then what is not there any more. */
async function afterwards(talk, itemId) {
  const truncate = { type: 'conversation.item.truncate', item_id: itemId, content_index: 0, audio_end_ms: 100 };
  talk.rt.send(truncate);
  const truncated = one(await talk.until('conversation.item.truncated'), 'conversation.item.truncated');
  check(truncated.item_id === itemId && truncated.audio_end_ms === 100, JSON.stringify(truncated));
  talk.rt.send({ type: 'conversation.item.retrieve', item_id: itemId });
  const { item } = one(await talk.until('conversation.item.retrieved'), 'conversation.item.retrieved');
  const kept = (Buffer.from(item.content[0].audio, 'base64').length * 1000) / (RATE * 2);
  check(kept === 100, `${kept} ms are left of the item`);
  talk.rt.send({ type: 'conversation.item.delete', item_id: itemId });
  const deleted = one(await talk.until('conversation.item.deleted'), 'conversation.item.deleted');
  check(deleted.item_id === itemId, JSON.stringify(deleted));
  talk.rt.send({ ...truncate, event_id: 'too-late' });
  const { error } = one(await talk.until('error'), 'error');
  check(error.event_id === 'too-late', `the error is of ${error.event_id}`);
  check(error.message && error.type === 'invalid_request_error', JSON.stringify(error));
  return error.code;
}

async function main() {
  const options = { heard: { type: 'string', default: '' }, said: { type: 'string', default: '' } };
  const { values, positionals } = parseArgs({
    options: { ...options, thinks: { type: 'boolean', default: false }, limit: { type: 'string', default: '60' } },
    allowPositionals: true,
  });
  const [baseURL, path] = positionals;
  check(baseURL && path, 'usage: turns.mjs BASE_URL RECORDING.wav [--heard WORDS] [--said WORDS] [--thinks] [--limit SECONDS]');
  setTimeout(() => end(new Wrong(`not done after ${values.limit} seconds`)), Number(values.limit) * 1000).unref();

  const require = createRequire(resolve(process.env.OPENAI_NODE_DIR ?? '.', 'package.json'));
  const { OpenAI } = require('openai');
  const { OpenAIRealtimeWS } = require('openai/realtime/ws');
  const began = Date.now();
  const rt = new OpenAIRealtimeWS({ model: MODEL }, new OpenAI({ baseURL, apiKey: 'sk-of-the-tests' }));
  const talk = new Conversation(rt);
  await configure(talk);
  const { itemId, heard, said, audioMs } = await spokenTurn(talk, path, values.heard, values.said);
  const text = await writtenTurn(talk);
  const thoughts = {};
  if (values.thinks) {
    thoughts.told = await functionCalls(talk);
    thoughts.interrupted = await bargeIn(talk, path);
  }
  const error = await afterwards(talk, itemId);
  const closed = new Promise((done) => rt.socket.once('close', (code) => done(code)));
  rt.close();
  const code = await closed;
  check(code === 1000, `the server closed with ${code}`);
  const summary = {
    client: `openai ${require('openai/version').VERSION} for Node`,
    heard,
    said,
    audio_ms: audioMs,
    text,
    ...thoughts,
    error,
    events: talk.events.length,
    types: new Set(talk.events.map((event) => event.type)).size,
    seconds: (Date.now() - began) / 1000,
  };
  console.log(JSON.stringify(summary));
}

function end(error) {
  console.error(`turns.mjs: ${error instanceof Wrong ? error.message : error.stack}`);
  process.exit(1);
}

main().catch(end);
