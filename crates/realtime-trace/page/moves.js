// Zooming and moving, by pointer, wheel and keys.
function show(from, to) {
  const size = Math.min(Math.max(to - from, MIN_SPAN), whole);
  const middle = (from + to) / 2;
  view.from = Math.min(Math.max(middle - size / 2, 0), whole - size);
  view.to = view.from + size;
  requestDraw();
}

function zoom(factor, at = (view.from + view.to) / 2) {
  const size = Math.min(Math.max(span() * factor, MIN_SPAN), whole);
  const share = (at - view.from) / span();
  show(at - share * size, at + (1 - share) * size);
}

const move = share => show(view.from + share * span(), view.to + share * span());
const positionAt = clientX => {
  const { left, width } = lanes.getBoundingClientRect();
  return view.from + (clientX - left) / width * span();
};

lanes.addEventListener('wheel', event => {
  if (event.ctrlKey || event.metaKey) zoom(Math.exp(event.deltaY / 300), positionAt(event.clientX));
  else if (event.shiftKey || Math.abs(event.deltaX) > Math.abs(event.deltaY)) move((event.deltaX || event.deltaY) / 1000);
  else return;
  event.preventDefault();
}, { passive: false });

// One pointer moves or chooses, two zoom.
const pointers = new Map();
let moved = 0;
lanes.addEventListener('pointerdown', event => {
  lanes.setPointerCapture(event.pointerId);
  pointers.set(event.pointerId, event.clientX);
  if (pointers.size === 1) moved = 0;
});
lanes.addEventListener('pointermove', event => {
  const before = pointers.get(event.pointerId);
  if (before === undefined) return;
  const other = [...pointers].find(([id]) => id !== event.pointerId)?.[1];
  if (other === undefined) move((before - event.clientX) / lanes.clientWidth);
  else zoom(Math.max(Math.abs(before - other), 10) / Math.max(Math.abs(event.clientX - other), 10), positionAt(other));
  moved += Math.abs(event.clientX - before) + (other === undefined ? 0 : 10);
  pointers.set(event.pointerId, event.clientX);
});
lanes.addEventListener('pointerup', event => {
  pointers.delete(event.pointerId);
  if (moved < 5) tell('choose', { at: positionAt(event.clientX), near: true });
});
lanes.addEventListener('pointercancel', event => pointers.delete(event.pointerId));
lanes.addEventListener('dblclick', event => zoom(0.4, positionAt(event.clientX)));

let isSliding = false;
function slide(event) {
  const { left, width } = overview.getBoundingClientRect();
  const middle = (event.clientX - left) / width * whole;
  show(middle - span() / 2, middle + span() / 2);
}
overview.addEventListener('pointerdown', event => {
  overview.setPointerCapture(event.pointerId);
  isSliding = true;
  if (span() > whole / 2) show(view.from, view.from + whole / 8);
  slide(event);
});
overview.addEventListener('pointermove', event => { if (isSliding) slide(event); });
overview.addEventListener('pointerup', () => { isSliding = false; });

element('zoom-in').addEventListener('click', () => zoom(0.5));
element('zoom-out').addEventListener('click', () => zoom(2));
element('zoom-all').addEventListener('click', () => show(0, whole));

// The turn after or before the chosen place.
function step(direction) {
  const at = chosen?.at ?? (direction > 0 ? -1 : whole + 1);
  const spoken = entries.filter(entry => entry.kind === 'user' || entry.kind === 'model');
  const next = direction > 0 ? spoken.find(entry => entry.at > at + 1e-3) : spoken.findLast(entry => entry.at < at - 1e-3);
  if (next) tell('choose', { at: next.at, entry: next });
}

const KEYS = {
  '+': () => zoom(0.5), '=': () => zoom(0.5), '-': () => zoom(2), 0: () => show(0, whole),
  ArrowLeft: () => move(-0.2), ArrowRight: () => move(0.2), j: () => step(1), k: () => step(-1),
};
document.addEventListener('keydown', event => {
  if (event.target.matches?.('input') || event.ctrlKey || event.metaKey || event.altKey || !KEYS[event.key]) return;
  KEYS[event.key]();
  event.preventDefault();
});

on('choose', ({ at, entry }) => {
  chosen = { at, it: entry?.it };
  if (at < view.from || at > view.to) show(at - span() / 2, at + span() / 2);
  requestDraw();
});
