// The time line: two canvases, of which the lower one shows everything, and which part of it the upper one shows.
const lanes = element('lanes');
const overview = element('overview');
const LANES = { ruler: 24, user: [30, 108], model: [114, 192], marks: 203, pictures: 214, height: 260 };
const LABEL = 62;
const MIN_SPAN = 0.5;
const FIRST_SPAN = 120;
const whole = Math.max(data.duration, MIN_SPAN);
const view = { from: 0, to: Math.min(whole, FIRST_SPAN) };
let chosen = null;

// Pictures are decoded when they are to be seen.
const images = [];
function imageOf(index) {
  if (!images[index]) {
    images[index] = new Image();
    images[index].onload = () => requestDraw();
    if (data.pictures[index].thumbnail) images[index].src = data.pictures[index].thumbnail;
  }
  return images[index];
}

const colors = {};
function readColors() {
  const style = getComputedStyle(document.documentElement);
  for (const name of ['panel', 'line', 'text', 'muted', 'user', 'user-soft', 'model', 'model-soft', 'unheard', 'call', 'cut',
    'stage-0', 'stage-1', 'stage-2', 'stage-3']) colors[name] = style.getPropertyValue(`--${name}`).trim();
}

// Quiet recordings are shown larger, up to twice.
const gain = peaks => 255 / Math.max(peaks.reduce((one, other) => Math.max(one, other), 0), 128);
const gains = new Map(Object.values(tracks).map(peaks => [peaks, gain(peaks)]));
gains.set(tracks.unheard, gains.get(tracks.model));

// A canvas in pixels of the screen, cleared, with its width in CSS pixels.
function prepare(canvas) {
  const ratio = devicePixelRatio || 1;
  const { width, height } = canvas.getBoundingClientRect();
  if (canvas.width !== Math.round(width * ratio) || canvas.height !== Math.round(height * ratio)) {
    canvas.width = Math.round(width * ratio);
    canvas.height = Math.round(height * ratio);
  }
  const paint = canvas.getContext('2d');
  paint.setTransform(ratio, 0, 0, ratio, 0, 0);
  paint.clearRect(0, 0, width, height);
  paint.font = '12px system-ui, sans-serif';
  paint.textBaseline = 'middle';
  return { paint, width, height };
}

const span = () => view.to - view.from;
const x = (at, width) => (at - view.from) / span() * width;

function wave(paint, peaks, width, middle, half, color, from, to) {
  const perPixel = (to - from) / width / data.piece;
  paint.fillStyle = color;
  for (let pixel = 0; pixel < width; pixel++) {
    const first = Math.floor((from / data.piece) + pixel * perPixel);
    const last = Math.min(Math.max(first + 1, Math.floor((from / data.piece) + (pixel + 1) * perPixel)), peaks.length);
    let peak = 0;
    for (let index = Math.max(first, 0); index < last; index++) if (peaks[index] > peak) peak = peaks[index];
    if (peak > 2) {
      const size = Math.max(0.5, Math.min(peak * gains.get(peaks), 255) / 255 * half);
      paint.fillRect(pixel, middle - size, 1, size * 2);
    }
  }
}

function ruler(paint, width) {
  const step = [0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600].find(step => step / span() * width > 70) ?? 7200;
  paint.fillStyle = colors.muted;
  paint.strokeStyle = colors.line;
  paint.textAlign = 'left';
  for (let at = Math.ceil(view.from / step) * step; at <= view.to; at += step) {
    const left = Math.round(x(at, width)) + 0.5;
    paint.beginPath();
    paint.moveTo(left, 0);
    paint.lineTo(left, LANES.height);
    paint.stroke();
    paint.fillText(clock(at, step < 1 ? 1 : 0), left + 4, LANES.ruler / 2);
  }
}

const isVisible = (from, to) => to >= view.from && from <= view.to;

// Where the wait for a response begins, with its label.
const waits = new Map(data.turns.filter(turn => turn.stages.length).map(turn => [data.responses[turn.response], turn]));
const hasLabel = turn => turn && turn.total / 1000 / span() > 0.006 && span() < 60;
function endOfRoom(next, width) {
  const turn = waits.get(next);
  return x(next.begin, width) - (hasLabel(turn) ? LABEL : 0);
}

// The words of an entry along its sound, as far as there is room until the next one; those that were not heard paler.
function words(paint, it, end, lane, width) {
  const heard = it.heard ?? it.words;
  const left = Math.max(x(it.begin, width), 0) + 5;
  const room = Math.min(end, width) - left - 4;
  if (room < 24 || !it.words) return;
  paint.save();
  paint.beginPath();
  paint.rect(left, lane[0], room, 20);
  paint.clip();
  paint.fillStyle = colors.text;
  paint.textAlign = 'left';
  paint.fillText(heard, left, lane[0] + 11);
  paint.fillStyle = colors.muted;
  paint.fillText(it.words.slice(heard.length), left + paint.measureText(heard).width, lane[0] + 11);
  paint.restore();
}

function block(paint, begin, end, lane, color, width, isChosen) {
  const left = x(begin, width);
  const size = Math.max(x(end, width) - left, 3);
  paint.fillStyle = colors[`${color}-soft`];
  paint.beginPath();
  paint.roundRect(left, lane[0], size, lane[1] - lane[0], 6);
  paint.fill();
  if (isChosen) {
    paint.strokeStyle = colors[color];
    paint.lineWidth = 1.5;
    paint.stroke();
    paint.lineWidth = 1;
  }
}

function spoken(paint, width) {
  const list = { user: data.turns, model: data.responses.filter(response => response.begin != null) };
  for (const side of ['user', 'model']) {
    for (const it of list[side]) {
      if (isVisible(it.begin, it.end)) block(paint, it.begin, it.end, LANES[side], side, width, chosen?.it === it);
    }
  }
  const middle = lane => (lane[0] + lane[1]) / 2 + 8;
  wave(paint, tracks.user, width, middle(LANES.user), 29, colors.user, view.from, view.to);
  wave(paint, tracks.unheard, width, middle(LANES.model), 29, colors.unheard, view.from, view.to);
  wave(paint, tracks.model, width, middle(LANES.model), 29, colors.model, view.from, view.to);
  for (const side of ['user', 'model']) {
    list[side].forEach((it, index) => {
      const next = list[side][index + 1];
      if (isVisible(it.begin, next?.begin ?? whole)) words(paint, it, next ? endOfRoom(next, width) : width, LANES[side], width);
    });
  }
}

// From the end of a turn to the first sound of its response, stage by stage.
function latencies(paint, width) {
  for (const turn of data.turns) {
    const response = data.responses[turn.response];
    if (!turn.stages.length || response?.begin == null || !isVisible(turn.end, response.begin)) continue;
    const right = x(response.begin, width);
    const total = turn.total / 1000 / span() * width;
    let left = right - total;
    turn.stages.forEach(([, value, stage]) => {
      const size = value / 1000 / span() * width;
      paint.fillStyle = colors[`stage-${stage}`];
      paint.fillRect(left, LANES.user[1] + 1, Math.max(size, 0.5), 4);
      left += size;
    });
    if (hasLabel(turn)) {
      paint.fillStyle = colors.muted;
      paint.textAlign = 'right';
      paint.fillText(milliseconds(turn.total), right - 6, LANES.model[0] + 12);
    }
  }
}

function marks(paint, width) {
  pictures(paint, width);
  const labels = [
    ...data.calls.map(call => [call.position, [`${call.name}()`], colors.call, LANES.model[1] - 14]),
    ...data.interruptions.map(cut => [cut.position, [`cut, ${cut.heard.toFixed(1)} s heard`, `${cut.heard.toFixed(1)} s`], colors.cut, LANES.user[0]]),
    ...data.problems.map(problem => [problem.position, [`⚠ ${problem.text}`.slice(0, 60), '⚠'], colors.cut, LANES.ruler]),
  ].sort(([one], [other]) => one - other);
  paint.textAlign = 'left';
  labels.forEach(([position, texts, color, top], index) => {
    const left = Math.round(x(position, width));
    if (left < -200 || left > width) return;
    paint.fillStyle = color;
    paint.fillRect(left - 0.5, top, 1.5, LANES.marks - top);
    paint.beginPath();
    paint.arc(left, LANES.marks, 3.5, 0, 7);
    paint.fill();
    const room = (index + 1 < labels.length ? x(labels[index + 1][0], width) : Infinity) - left - 16;
    const text = texts.find(text => paint.measureText(text).width < room);
    if (text) paint.fillText(text, left + 8, LANES.marks);
  });
}

function pictures(paint, width) {
  let taken = -Infinity;
  data.pictures.forEach((picture, index) => {
    const left = x(picture.position, width);
    const place = Math.max(left, taken);
    // Of those that would be far from their place there is none.
    if (left < -80 || left > width || place - left > 120) return;
    const image = imageOf(index);
    if (!image.naturalWidth) return;
    const high = 40, wide = high * image.naturalWidth / image.naturalHeight;
    paint.drawImage(image, place, LANES.pictures, wide, high);
    taken = place + wide + 3;
  });
}

function drawOverview() {
  const { paint, width, height } = prepare(overview);
  wave(paint, tracks.user, width, height * 0.28, height * 0.24, colors.user, 0, whole);
  wave(paint, tracks.unheard, width, height * 0.72, height * 0.24, colors.unheard, 0, whole);
  wave(paint, tracks.model, width, height * 0.72, height * 0.24, colors.model, 0, whole);
  paint.fillStyle = colors.cut;
  for (const cut of data.interruptions) paint.fillRect(cut.position / whole * width, 0, 1, height);
  const left = view.from / whole * width, right = view.to / whole * width;
  paint.globalAlpha = 0.14;
  paint.fillStyle = colors.text;
  paint.fillRect(0, 0, left, height);
  paint.fillRect(right, 0, width - right, height);
  paint.globalAlpha = 1;
}

function draw() {
  const { paint, width } = prepare(lanes);
  ruler(paint, width);
  spoken(paint, width);
  latencies(paint, width);
  marks(paint, width);
  if (chosen) {
    paint.fillStyle = colors.text;
    paint.fillRect(Math.round(x(chosen.at, width)), LANES.ruler, 1, LANES.height);
  }
  drawOverview();
}

let requested = false;
function requestDraw() {
  if (requested) return;
  requested = true;
  requestAnimationFrame(() => { requested = false; draw(); });
}
