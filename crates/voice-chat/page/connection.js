// SPDX-License-Identifier: MPL-2.0
// The two ways to the server. Both have send(event), setCamera(stream or null), close(), and tell by callbacks:
// onEvent(event), onVoice(node for a level meter), onClosed(reason).

// Milliseconds.
const CONNECT_TIMEOUT = 15000, GATHERING_TIMEOUT = 1000;

async function refusal(response) {
  const body = await response.json().catch(() => ({}));
  const error = new Error(body.error?.message ?? `The server answers ${response.status}.`);
  error.code = body.error?.code;
  return error;
}

// A secret for this visit, with the settings of the session in it.
export async function getSecret(session, key) {
  const headers = {'Content-Type': 'application/json', ...(key && {Authorization: `Bearer ${key}`})};
  const response = await fetch('/v1/realtime/client_secrets', {method: 'POST', headers, body: JSON.stringify({session})});
  if (!response.ok) throw await refusal(response);
  return (await response.json()).value;
}

// The offer takes its candidates along. A gateway with a TURN server has to know them: a relay lets nobody in who was not named.
async function gatherCandidates(peer) {
  await new Promise(done => {
    const timer = setTimeout(done, GATHERING_TIMEOUT);
    const check = () => { if (peer.iceGatheringState === 'complete') { clearTimeout(timer); done(); } };
    peer.onicegatheringstatechange = check;
    check();
  });
  peer.onicegatheringstatechange = null;
}

// Rejects with an error that has `unreachable` set where the server answers, and media do not get through.
export async function connectWebRtc({secret, stun, microphone, context, audio, onEvent, onVoice, onClosed}) {
  const peer = new RTCPeerConnection({iceServers: stun ? [{urls: stun}] : []});
  const channel = peer.createDataChannel('oai-events');
  const notices = peer.createDataChannel('voice-chat');
  let closed = false;
  const close = () => {
    if (closed) return;
    closed = true;
    channel.close(); notices.close(); peer.close();
  };
  channel.onmessage = notices.onmessage = ({data}) => onEvent(JSON.parse(data));
  peer.ontrack = ({track, streams}) => {
    audio.srcObject = streams[0] ?? new MediaStream([track]);
    onVoice(context.createMediaStreamSource(audio.srcObject));
    audio.play().catch(() => onEvent({type: 'page.muted'}));
  };
  peer.addTrack(microphone.getAudioTracks()[0], microphone);
  const video = peer.addTransceiver('video', {direction: 'sendonly'});
  try {
    await peer.setLocalDescription();
    await gatherCandidates(peer);
    const headers = {'Content-Type': 'application/sdp', Authorization: `Bearer ${secret}`};
    const response = await fetch('/v1/realtime/calls', {method: 'POST', headers, body: peer.localDescription.sdp});
    if (response.status !== 201) throw await refusal(response);
    await peer.setRemoteDescription({type: 'answer', sdp: await response.text()});
    await new Promise((resolve, reject) => {
      const fail = () => reject(Object.assign(new Error('Media by UDP do not get through.'), {unreachable: true}));
      const timer = setTimeout(fail, CONNECT_TIMEOUT);
      channel.onopen = () => { clearTimeout(timer); resolve(); };
      peer.onconnectionstatechange = () => { if (peer.connectionState === 'failed') fail(); };
    });
  } catch (error) {
    close();
    throw error;
  }
  channel.onclose = () => { if (!closed) { close(); onClosed(); } };
  peer.onconnectionstatechange = () => { if (peer.connectionState === 'failed' && !closed) { close(); onClosed(); } };
  return {
    name: 'WebRTC',
    send: event => channel.send(JSON.stringify(event)),
    setCamera: stream => video.sender.replaceTrack(stream?.getVideoTracks()[0] ?? null),
    close,
  };
}

const AUDIO = 0, FRAME = 1, FRAME_INTERVAL = 500;

function tagged(tag, bytes) {
  const message = new Uint8Array(1 + bytes.byteLength);
  message[0] = tag;
  message.set(new Uint8Array(bytes), 1);
  return message;
}

// `context` runs at 24 kHz.
export async function connectWebSocket({secret, microphone, context, onEvent, onVoice, onClosed}) {
  await context.audioWorklet.addModule('/audio-worklet.js');
  const url = `${location.protocol === 'https:' ? 'wss' : 'ws'}://${location.host}/v1/realtime/socket`;
  const socket = new WebSocket(url, ['realtime', `openai-insecure-api-key.${secret}`]);
  socket.binaryType = 'arraybuffer';
  await new Promise((resolve, reject) => {
    socket.onopen = resolve;
    socket.onerror = () => reject(new Error('The server cannot be reached.'));
  });
  const source = context.createMediaStreamSource(microphone);
  const recorder = new AudioWorkletNode(context, 'microphone', {numberOfOutputs: 0});
  const voice = new AudioWorkletNode(context, 'voice', {numberOfInputs: 0, outputChannelCount: [1]});
  source.connect(recorder);
  voice.connect(context.destination);
  onVoice(voice);
  recorder.port.onmessage = ({data}) => { if (socket.readyState === 1) socket.send(tagged(AUDIO, data)); };
  let closed = false, timer = 0;
  const close = () => {
    closed = true;
    clearInterval(timer);
    source.disconnect(); voice.disconnect(); socket.close();
  };
  socket.onmessage = ({data}) => {
    if (typeof data !== 'string') return voice.port.postMessage(data.slice(1));
    const event = JSON.parse(data);
    if (event.type === 'output_audio_buffer.cleared') voice.port.postMessage('clear');
    onEvent(event);
  };
  socket.onclose = () => { if (!closed) { close(); onClosed(); } };
  return {
    name: 'WebSocket',
    send: event => socket.send(JSON.stringify(event)),
    async setCamera(stream) {
      clearInterval(timer);
      if (!stream) return;
      const video = document.createElement('video');
      Object.assign(video, {srcObject: stream, muted: true, playsInline: true});
      await video.play();
      const canvas = document.createElement('canvas');
      timer = setInterval(() => {
        const scale = Math.min(1, 768 / Math.max(video.videoWidth, video.videoHeight));
        canvas.width = video.videoWidth * scale;
        canvas.height = video.videoHeight * scale;
        if (!canvas.width) return;
        canvas.getContext('2d').drawImage(video, 0, 0, canvas.width, canvas.height);
        canvas.toBlob(async blob => {
          if (blob && socket.readyState === 1) socket.send(tagged(FRAME, await blob.arrayBuffer()));
        }, 'image/jpeg', 0.8);
      }, FRAME_INTERVAL);
    },
    close,
  };
}
