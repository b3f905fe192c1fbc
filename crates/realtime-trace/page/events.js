// The events of the wire: a list of which only the visible rows exist, and the JSON of the chosen one.
const ROW = 26;
const list = element('list');
let shown = data.events;
let chosenEvent = null;

function row(event, index) {
  const made = make('div', `row ${event.side === 'c' ? 'client' : 'server'}`);
  made.style.top = `${index * ROW}px`;
  made.dataset.side = event.side === 'c' ? '↑' : '↓';
  made.setAttribute('role', 'option');
  if (event.type === 'error' || event.type === 'close') made.classList.add('error');
  if (event === chosenEvent) made.classList.add('chosen');
  made.append(make('time', '', clock(event.at, 2)), make('span', 'type', event.type));
  if (event.count > 1) made.append(make('span', 'more', `× ${event.count}`));
  made.addEventListener('click', () => chooseEvent(event));
  return made;
}

function drawRows() {
  const first = Math.max(Math.floor(list.scrollTop / ROW) - 5, 0);
  const last = Math.min(first + Math.ceil(list.clientHeight / ROW) + 10, shown.length);
  element('rows').style.height = `${shown.length * ROW}px`;
  element('rows').replaceChildren(...shown.slice(first, last).map((event, index) => row(event, first + index)));
  element('count').textContent = shown.length === 1 ? '1 event' : `${shown.length} events`;
}

function chooseEvent(event, isFollowing = false) {
  chosenEvent = event;
  const note = event.count > 1 ? `// The first of ${event.count}, until ${clock(event.until, 2)}\n` : '';
  element('json').textContent = note + JSON.stringify(JSON.parse(event.json), null, 2);
  if (!isFollowing) tell('choose', { at: event.at, event });
  drawRows();
}

function scrollTo(index) {
  const top = index * ROW;
  if (top < list.scrollTop || top > list.scrollTop + list.clientHeight - ROW) list.scrollTop = top - list.clientHeight / 3;
}

list.addEventListener('scroll', drawRows);
list.addEventListener('keydown', event => {
  const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
  const next = shown[shown.indexOf(chosenEvent) + (step ?? 0)];
  if (!step || !next) return;
  chooseEvent(next);
  scrollTo(shown.indexOf(next));
  event.preventDefault();
});
element('filter').addEventListener('input', event => {
  const wanted = event.target.value.trim().toLowerCase();
  shown = wanted ? data.events.filter(event => event.type.includes(wanted) || event.json.toLowerCase().includes(wanted))
    : data.events;
  list.scrollTop = 0;
  drawRows();
});
on('choose', ({ at, event }) => {
  if (event) return;
  const index = shown.findIndex(event => event.at >= at - 0.01);
  if (index >= 0) {
    chooseEvent(shown[index], true);
    scrollTo(index);
  }
});
