// SPDX-License-Identifier: MPL-2.0
// Runs in each page before its own scripts: a microphone that is silent until it is told what to say, and what the page's
// peer connections send and receive.

{
  const getUserMedia = navigator.mediaDevices?.getUserMedia.bind(navigator.mediaDevices);
  const peers = [];
  let context, destination;

  async function openMicrophone(constraints) {
    // Permission and devices are asked for as ever; only the sound is replaced.
    const device = await getUserMedia(constraints);
    context = new AudioContext({sampleRate: 48000});
    destination = context.createMediaStreamDestination();
    const silence = context.createConstantSource();
    silence.offset.value = 0;
    silence.connect(destination);
    silence.start();
    await context.resume();
    device.getTracks().forEach(track => track.stop());
    return destination.stream;
  }

  if (getUserMedia) {
    navigator.mediaDevices.getUserMedia = constraints =>
      constraints.audio && !constraints.video ? openMicrophone(constraints) : getUserMedia(constraints);
  }

  const Peer = window.RTCPeerConnection;
  window.RTCPeerConnection = class extends Peer {
    constructor(...args) { super(...args); peers.push(this); }

    // `window.testCodec` is the only one that pictures are offered with.
    addTransceiver(kind, init) {
      const transceiver = super.addTransceiver(kind, init);
      if (kind === 'video' && window.testCodec) {
        const {codecs} = RTCRtpSender.getCapabilities('video');
        transceiver.setCodecPreferences(codecs.filter(codec => codec.mimeType === window.testCodec));
      }
      return transceiver;
    }
  };

  const {send} = RTCDataChannel.prototype;
  const sent = [];
  RTCDataChannel.prototype.send = function (data) {
    sent.push(data);
    return send.call(this, data);
  };

  window.testMedia = {
    peers, sent,
    // Resolves when the recording has been said.
    async say(name) {
      const response = await fetch(`/test/${name}`);
      const source = context.createBufferSource();
      source.buffer = await context.decodeAudioData(await response.arrayBuffer());
      source.connect(destination);
      const ended = new Promise(resolve => { source.onended = resolve; });
      source.start();
      await ended;
    },
    // The codec of the pictures that are sent.
    async codec() {
      for (const peer of peers) {
        const stats = await peer.getStats();
        for (const report of stats.values()) {
          if (report.type === 'outbound-rtp' && report.kind === 'video' && report.codecId) return stats.get(report.codecId).mimeType;
        }
      }
      return null;
    },
    // How the gateway is reached: the type of its candidate in the pair that is used.
    async remoteCandidate() {
      for (const peer of peers) {
        const stats = await peer.getStats();
        for (const report of stats.values()) {
          if (report.type !== 'transport' || !report.selectedCandidatePairId) continue;
          return stats.get(stats.get(report.selectedCandidatePairId).remoteCandidateId)?.candidateType;
        }
      }
      return null;
    },
    async energy() {
      let sum = 0;
      for (const peer of peers) {
        for (const report of (await peer.getStats()).values()) {
          if (report.type === 'inbound-rtp' && report.kind === 'audio') sum += report.totalAudioEnergy ?? 0;
        }
      }
      return sum;
    },
  };
}
