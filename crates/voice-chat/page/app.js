// SPDX-License-Identifier: MPL-2.0
// The page: buttons, and what events show.

import {connectWebRtc, connectWebSocket, getSecret} from '/connection.js';
import {cameraCount, openCamera, openMicrophone, watchLevel} from '/devices.js';
import {call, tools} from '/functions.js';
import {Transcript} from '/transcript.js';

const $ = id => document.getElementById(id);
const form = $('form').elements;
const transcript = new Transcript($('transcript'));
const MAX_LOG = 5000, MAX_SHOWN = 200;
// Milliseconds.
const FRAME_TIMEOUT = 5000, FRAME_RETRY = 500;
const wait = time => new Promise(done => { setTimeout(done, time); });
let config = {}, visit = null, log = [], began = 0, facing = 'user';

function showState(state, text) { $('state').dataset.state = state; $('state').textContent = text; }
function showProblem(text) { $('problem').hidden = !text; $('problem').textContent = text ?? ''; }

function record(dir, event) {
  if (log.length === MAX_LOG) log.shift();
  log.push({dir, t: (performance.now() - began) / 1000, ev: event});
  $('count').textContent = `${log.length} events`;
  $('log').textContent = log.slice(-MAX_SHOWN).map(one => `${one.t.toFixed(2)} ${one.dir} ${one.ev.type}`).join('\n');
}

function send(event) {
  if (!visit?.link) return;
  record('c', event);
  visit.link.send(event);
}

function session() {
  const turns = form.turns.value;
  return {
    type: 'realtime',
    instructions: form.instructions.value,
    tools,
    audio: {
      input: {turn_detection: turns === 'none' ? null : {type: turns}},
      output: {voice: form.voice.value},
    },
  };
}

// What events do, each with the visit it belongs to, which may have ended while the event was under way.
const handlers = {
  'session.created': ({session}) => { $('model-name').textContent = session?.model ?? '–'; },
  'conversation.item.input_audio_transcription.delta': e => transcript.add(e.item_id, 'user', e.delta ?? ''),
  'conversation.item.input_audio_transcription.completed': e => transcript.finish(e.item_id, 'user', e.transcript),
  'input_audio_buffer.committed': e => transcript.item(e.item_id, 'user'),
  'response.output_audio_transcript.delta': e => transcript.add(e.item_id, 'assistant', e.delta),
  'response.output_text.delta': e => transcript.add(e.item_id, 'assistant', e.delta),
  'response.output_text.done': e => transcript.finish(e.item_id, 'assistant'),
  'response.output_audio_transcript.done': e => transcript.finish(e.item_id, 'assistant'),
  'response.function_call_arguments.done': (e, current) => {
    // One after the other, so that the model gets the outputs in the order of its calls.
    current.calls = current.calls.then(() => answerCall(current, e));
  },
  'voice_chat.interrupted': e => transcript.cut(e.item_id, e.heard_ms),
  'voice_chat.transcript': e => { if (e.role === 'assistant') transcript.heard(e.item_id, e.text); },
  'voice_chat.response': e => {
    if (e.first_audio_ms) $('latency').textContent = `${Math.round(e.first_audio_ms)} ms to the first sound`;
  },
  'voice_chat.usage': e => { if (e.total_cost !== undefined) $('cost').textContent = `$${e.total_cost.toFixed(4)}`; },
  'voice_chat.frame': (e, current) => {
    if (e.state !== 'sent' || visit !== current) return;
    current.frameAsked?.(true);
    current.frames += 1;
    $('frames').hidden = false;
    $('frames').textContent = `Pictures that the model got: ${current.frames}`;
  },
  'voice_chat.ended': (e, current) => { current.reason = e.message; },
  'error': e => { showProblem(e.error?.message); },
  'page.muted': () => { $('unmute').hidden = false; },
};

async function answerCall(current, {name, arguments: text, call_id}) {
  const output = JSON.stringify(await call(name, text, {hasCamera: Boolean(current.camera), sendFrame: () => sendFrame(current)}));
  if (visit !== current) return;
  transcript.note(`${name}(${text}) → ${output}`);
  send({type: 'conversation.item.create', item: {type: 'function_call_output', call_id, output}});
}

// True when the model has got a picture. A camera that was just turned on has none at first.
async function sendFrame(current) {
  const end = performance.now() + FRAME_TIMEOUT;
  let isSent = false;
  while (!isSent && visit === current && performance.now() < end) {
    const sent = new Promise(answer => { current.frameAsked = answer; });
    send({type: 'voice_chat.send_frame'});
    isSent = await Promise.race([sent, wait(FRAME_RETRY)]) ?? false;
  }
  current.frameAsked = null;
  return isSent;
}

function onEvent(event, current) {
  // After the end of a visit its last words are still shown, until another begins.
  if (visit && visit !== current) return;
  record('s', event);
  handlers[event.type]?.(event, current);
}

async function connect() {
  showProblem();
  began = performance.now();
  log = [];
  showState('connecting', 'Connecting …');
  const current = visit = {frames: 0, stops: [], calls: Promise.resolve(), frameAsked: null};
  // What was acquired while the visit was ended is given back as well.
  const keep = stop => { current.stops.push(stop); if (visit !== current) release(current); };
  try {
    const microphone = current.microphone = await openMicrophone();
    keep(() => stopTracks(microphone));
    const context = current.context = new AudioContext({sampleRate: 24000});
    keep(() => context.close());
    await context.resume();
    const meter = context.createMediaStreamSource(microphone);
    keep(watchLevel(context, meter, level => { $('you').value = level; }));
    const secret = await getSecret(session(), form.key.value);
    if (visit !== current) return;
    const common = {
      secret, stun: config.stun, microphone, context, audio: $('voice'),
      onEvent: event => onEvent(event, current),
      onVoice: node => keep(watchLevel(context, node, level => { $('model').value = level; })),
      onClosed: () => { if (visit === current) disconnect(current.reason ?? 'The connection was lost.'); },
    };
    current.link = await link(form.transport.value, common);
    keep(() => current.link.close());
  } catch (error) {
    if (visit === current) disconnect(error.message);
  }
  if (visit !== current) return;
  showState('connected', 'Connected');
  $('transport').textContent = current.link.name;
  $('connect').textContent = 'Disconnect';
  const pushes = form.turns.value === 'none';
  setTalk(pushes);
  for (const id of ['talk', 'camera', 'text', 'send']) $(id).disabled = false;
}

async function link(transport, common) {
  if (transport === 'websocket') return connectWebSocket(common);
  try {
    return await connectWebRtc(common);
  } catch (error) {
    if (transport !== 'auto' || !error.unreachable) throw error;
    transcript.note('WebRTC does not get through; going on by WebSocket.');
    return connectWebSocket(common);
  }
}

function stopTracks(stream) { stream?.getTracks().forEach(track => track.stop()); }

// Gives back what the visit holds, the last first: the connection before the devices.
function release(old) {
  while (old.stops.length) old.stops.pop()();
  stopTracks(old.camera);
}

function disconnect(problem) {
  const old = visit;
  visit = null;
  if (old) release(old);
  $('voice').srcObject = null;
  for (const id of ['preview', 'frames', 'switch', 'unmute']) $(id).hidden = true;
  for (const id of ['talk', 'camera', 'text', 'send']) $(id).disabled = true;
  $('talk').setAttribute('aria-pressed', 'false');
  $('camera').setAttribute('aria-pressed', 'false');
  $('connect').textContent = 'Connect';
  showState(problem ? 'failed' : 'idle', problem ? 'Ended' : 'Not connected');
  showProblem(problem);
}

// Hands-free the button mutes; with push to talk it is held.
function setTalk(pushes) {
  visit.pushes = pushes;
  $('talk').textContent = pushes ? 'Hold to talk' : 'Mute';
  visit.microphone.getAudioTracks()[0].enabled = !pushes;
}

function push(isDown) {
  if (!visit?.link || !visit.pushes || visit.isDown === isDown) return;
  visit.isDown = isDown;
  visit.microphone.getAudioTracks()[0].enabled = isDown;
  $('talk').setAttribute('aria-pressed', String(isDown));
  if (isDown) {
    send({type: 'response.cancel'});
    send({type: 'output_audio_buffer.clear'});
    send({type: 'input_audio_buffer.clear'});
  } else {
    send({type: 'input_audio_buffer.commit'});
    send({type: 'response.create'});
  }
}

async function setCamera(isOn) {
  const current = visit;
  stopTracks(current.camera);
  current.camera = null;
  let camera = null;
  try {
    if (isOn) camera = await openCamera(facing);
  } catch (error) {
    showProblem(error.message);
  }
  if (visit !== current) return stopTracks(camera);
  current.camera = camera;
  await current.link.setCamera(camera);
  if (visit !== current) return;
  if (!camera) send({type: 'voice_chat.forget_frames'});
  $('preview').srcObject = camera;
  $('preview').hidden = !camera;
  $('camera').setAttribute('aria-pressed', String(Boolean(camera)));
  const isAlone = !camera || await cameraCount() < 2;
  if (visit === current) $('switch').hidden = isAlone;
}

$('connect').onclick = () => visit ? disconnect() : connect();
$('talk').onclick = () => {
  if (!visit || visit.pushes) return;
  const track = visit.microphone.getAudioTracks()[0];
  track.enabled = !track.enabled;
  $('talk').textContent = track.enabled ? 'Mute' : 'Unmute';
  $('talk').setAttribute('aria-pressed', String(!track.enabled));
};
$('talk').onpointerdown = () => push(true);
$('talk').onkeydown = e => { if (e.key === ' ' || e.key === 'Enter') push(true); };
$('talk').onkeyup = $('talk').onpointerup = $('talk').onpointerleave = $('talk').onblur = () => push(false);
$('camera').onclick = () => setCamera(!visit.camera);
$('switch').onclick = () => { facing = facing === 'user' ? 'environment' : 'user'; setCamera(true); };
$('unmute').onclick = async () => { await $('voice').play(); $('unmute').hidden = true; };
$('type').onsubmit = e => {
  e.preventDefault();
  const text = $('text').value.trim();
  if (!text || !visit?.link) return;
  const id = `typed_${Date.now()}`;
  send({type: 'conversation.item.create', item: {id, type: 'message', role: 'user', content: [{type: 'input_text', text}]}});
  send({type: 'response.create'});
  transcript.finish(id, 'user', text);
  $('text').value = '';
};
$('form').onsubmit = e => e.preventDefault();
$('form').onchange = e => {
  if (!visit?.link || e.target.name === 'transport' || e.target.name === 'key') return;
  const settings = session();
  if (e.target.name !== 'voice') delete settings.audio.output;
  send({type: 'session.update', session: settings});
  setTalk(form.turns.value === 'none');
};
$('save').onclick = () => {
  const url = URL.createObjectURL(new Blob(log.map(one => JSON.stringify(one) + '\n'), {type: 'application/jsonl'}));
  Object.assign(document.createElement('a'), {href: url, download: 'voice-chat.jsonl'}).click();
  URL.revokeObjectURL(url);
};
addEventListener('pagehide', () => visit && disconnect());

fetch('/config.json').then(response => response.json()).then(read => {
  config = read;
  $('key-field').hidden = !config.needs_key;
  if (config.needs_key) $('settings').open = true;
  if (config.model) $('model-name').textContent = config.model;
}).catch(() => showProblem('The server cannot be reached.'));
