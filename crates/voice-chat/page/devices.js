// SPDX-License-Identifier: MPL-2.0
// Microphone and camera, and what goes wrong with them in words.

const AUDIO = {echoCancellation: true, noiseSuppression: true, autoGainControl: true};
const VIDEO = {width: {ideal: 640}, height: {ideal: 480}, frameRate: {ideal: 10}};

function explain(error, device) {
  const reasons = {
    NotAllowedError: `The ${device} is not allowed. Allow it in the address bar of the browser and try again.`,
    NotFoundError: `There is no ${device}.`,
    NotReadableError: `The ${device} is in use by another program.`,
  };
  return new Error(reasons[error.name] ?? `The ${device} cannot be used: ${error.message}`);
}

async function open(constraints, device) {
  if (!navigator.mediaDevices) {
    throw new Error(`Browsers give a ${device} only to pages with HTTPS, or of this very computer.`);
  }
  try {
    return await navigator.mediaDevices.getUserMedia(constraints);
  } catch (error) {
    throw explain(error, device);
  }
}

export const openMicrophone = () => open({audio: AUDIO}, 'microphone');
export const openCamera = facing => open({video: {...VIDEO, facingMode: facing}}, 'camera');

export async function cameraCount() {
  const devices = await navigator.mediaDevices.enumerateDevices();
  return devices.filter(device => device.kind === 'videoinput').length;
}

// Calls back with the level of a stream, 0 to 1, until the returned function is called.
export function watchLevel(context, node, show) {
  const analyser = context.createAnalyser();
  analyser.fftSize = 512;
  node.connect(analyser);
  const samples = new Float32Array(analyser.fftSize);
  const timer = setInterval(() => {
    analyser.getFloatTimeDomainData(samples);
    const power = samples.reduce((sum, sample) => sum + sample * sample, 0) / samples.length;
    show(Math.min(1, Math.sqrt(power) * 4));
  }, 60);
  return () => { clearInterval(timer); analyser.disconnect(); show(0); };
}
