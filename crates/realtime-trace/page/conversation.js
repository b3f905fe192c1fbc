// The conversation as a list, and the numbers above it.
function stageBar(turn) {
  const bar = make('div', 'stages');
  const track = make('i');
  turn.stages.forEach(([name, value, stage]) => {
    const part = make('span');
    part.style.width = `${100 * value / Math.max(turn.total, 1)}%`;
    part.style.background = `var(--stage-${stage})`;
    part.title = `${name}: ${milliseconds(value)}`;
    track.append(part);
  });
  const stages = turn.stages.filter(([, value]) => value >= 0.5).map(([name, value]) => `${name} ${Math.round(value)}`);
  bar.append(track, make('span', '', `answered after ${milliseconds(turn.total)}${stages.length > 1 ? `: ${stages.join(' + ')}` : ''}`));
  return bar;
}

function said(entry, name, text) {
  const box = make('div', 'said');
  box.append(make('b', '', name), make('p', '', text));
  return box;
}

function response(entry) {
  const { it } = entry;
  const box = said(entry, it.status && it.status !== 'completed' ? `Model · ${it.status}${it.reason ? `: ${it.reason}` : ''}` : 'Model', '');
  const words = box.lastChild;
  if (it.heard === null || it.heard.length >= it.words.length) words.textContent = it.words || '(nothing)';
  else words.append(it.heard, make('del', '', it.words.slice(it.heard.length)));
  return box;
}

function call(entry) {
  const { it } = entry;
  const took = it.seconds === null ? '' : ` · ${milliseconds(it.seconds * 1000)}`;
  return said(entry, `Function call${took}`, `${it.name}(${it.arguments})${it.output === null ? '' : `\n→ ${it.output}`}`);
}

function picture(entry) {
  if (!entry.it.thumbnail) return make('div', 'note', 'A picture');
  const image = make('img');
  image.loading = 'lazy';
  image.src = entry.it.thumbnail;
  image.alt = 'A picture that was sent';
  return image;
}

function contents(entry) {
  const { kind, it } = entry;
  switch (kind) {
    case 'session': return make('div', 'note', `Session ${it.id} ${it.model ? `· ${it.model}` : ''}`);
    case 'user': {
      const box = said(entry, it.is_text ? 'You, typed' : 'You', it.words || '(nothing)');
      const whole = make('div');
      whole.append(box);
      if (it.stages.length) whole.append(stageBar(it));
      return whole;
    }
    case 'model': return response(entry);
    case 'cut': return said(entry, 'Interrupted', `${it.heard.toFixed(1)} s were heard${
      it.latency === null ? '' : `; cut ${milliseconds(it.latency * 1000)} after the server heard the user`}`);
    case 'call': return call(entry);
    case 'picture': return picture(entry);
    default: return said(entry, 'Problem', it.text);
  }
}

function fillConversation() {
  const list = element('conversation');
  for (const entry of entries) {
    entry.row = make('article', `entry ${entry.kind}`);
    entry.row.append(make('time', '', clock(entry.at)), contents(entry));
    entry.row.addEventListener('click', () => tell('choose', { at: entry.at, entry }));
    list.append(entry.row);
  }
  on('choose', ({ at, entry, near }) => {
    const target = entry ?? (near ? entries.findLast(entry => entry.at <= at + 0.05) ?? entries[0] : null);
    element('conversation').querySelector('.chosen')?.classList.remove('chosen');
    if (!target) return;
    target.row.classList.add('chosen');
    // Only the list moves, not the page.
    const top = target.row.offsetTop - list.offsetTop;
    if (!entry && (top < list.scrollTop || top > list.scrollTop + list.clientHeight - 40)) list.scrollTop = top - 60;
  });
}

function fillNumbers() {
  const { stats } = data;
  const total = stats.latency.find(stage => stage.stage === 'total');
  const sum = names => names.reduce((sum, name) => sum + stats.tokens[name], 0);
  const numbers = [
    [clock(data.duration, 0), 'length'],
    [stats.turns, stats.turns === 1 ? 'turn' : 'turns'],
    total && [milliseconds(total.p50), `median latency (p90 ${milliseconds(total.p90)})`],
    [stats.barge_ins, 'barge-ins'],
    stats.calls && [stats.calls, 'function calls'],
    stats.pictures && [stats.pictures, 'pictures'],
    [`${sum(['input_text', 'input_audio', 'input_image'])} → ${sum(['output_text', 'output_audio'])}`, 'tokens in → out'],
    stats.cost !== undefined && [`$${stats.cost.toFixed(4)}`, 'by list price'],
    stats.reconnects && [stats.reconnects, 'reconnects', 'bad'],
    stats.problems && [stats.problems, 'errors and closes', 'bad'],
  ];
  for (const [value, name, className] of numbers.filter(Boolean)) {
    const item = make('li', className);
    item.append(make('b', '', value), make('span', '', name));
    element('numbers').append(item);
  }
  const models = [...new Set(data.sessions.map(session => session.model).filter(Boolean))].join(', ');
  element('about').textContent = [models, data.live ? '' : 'sent faster than it plays; time runs with the samples']
    .filter(Boolean).join(' · ');
}
